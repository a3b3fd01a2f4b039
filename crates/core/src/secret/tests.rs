use super::overwrite;

#[test]
fn all_the_room_of_a_vector_is_overwritten() {
    for room in [0, 1, 7, 64, 70_000] {
        for length in [0, room / 2, room] {
            let mut bytes = Vec::with_capacity(room);
            // What is behind the length was written before.
            bytes.resize(room, 0x5a);
            bytes.truncate(length);
            let place = bytes.as_ptr();
            overwrite(&mut bytes);
            assert_eq!((bytes.len(), bytes.as_ptr()), (bytes.capacity(), place));
            assert!(bytes.capacity() >= room && bytes.iter().all(|byte| *byte == 0));
        }
    }
}
