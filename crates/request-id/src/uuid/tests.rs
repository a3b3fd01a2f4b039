use std::{collections::HashSet, thread};

use super::Uuid;

#[test]
fn a_hundred_thousand_v7_on_one_thread_increase_strictly() {
    let mut before = Uuid::v7();
    for _ in 0..100_000 {
        let id = Uuid::v7();
        assert!(id > before, "{id} after {before}");
        before = id;
    }
}

#[test]
fn ids_of_eight_threads_are_unique() {
    const EACH: usize = 50_000;
    let threads: Vec<_> = (0..8)
        .map(|_| thread::spawn(|| (0..EACH).flat_map(|_| [Uuid::v7(), Uuid::v4()]).collect()))
        .collect();
    let mut seen = HashSet::new();
    for thread in threads {
        let ids: Vec<Uuid> = thread.join().unwrap();
        seen.extend(ids);
    }
    assert_eq!(seen.len(), 8 * 2 * EACH);
}

#[test]
fn version_and_variant_are_those_of_rfc_9562() {
    for (make, version) in [(Uuid::v7 as fn() -> Uuid, 7), (Uuid::v4, 4)] {
        for _ in 0..10_000 {
            let bytes = make().to_bytes();
            assert_eq!(bytes[6] >> 4, version);
            assert_eq!(bytes[8] >> 6, 0b10);
        }
    }
}

#[test]
fn a_v7_begins_with_the_time() {
    let millis = || {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
    };
    let before = millis();
    let stamp = u128::from_be_bytes(Uuid::v7().to_bytes()) >> 80;
    assert!((before..=millis()).contains(&stamp));
}

#[test]
fn the_last_seven_bytes_of_a_v7_are_random() {
    let ids: Vec<[u8; 16]> = (0..4_096).map(|_| Uuid::v7().to_bytes()).collect();
    for place in 9..16 {
        let distinct: HashSet<u8> = ids.iter().map(|id| id[place]).collect();
        // 4,096 fair draws miss one given value of 256 with a chance of 10^-7.
        assert!(distinct.len() > 250, "byte {place} took {} values", distinct.len());
    }
}

#[test]
fn both_writings_are_exact() {
    // RFC 9562, appendix A.6; the ULID is the same number in base 32.
    let id = Uuid(0x017F22E2_79B0_7CC3_98C4_DC0C0C07398F_u128.to_be_bytes());
    assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_eq!(id.to_header_value(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_eq!(id.to_ulid_header_value(), "01FWHE4YDGFK1SHH6W1G60EECF");
    assert_eq!(Uuid([0xff; 16]).to_ulid_header_value(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert_eq!(Uuid([0; 16]).to_ulid_header_value(), "00000000000000000000000000");
    assert_eq!(format!("{id:?}"), "Uuid(017f22e2-79b0-7cc3-98c4-dc0c0c07398f)");
}

#[test]
fn ulids_sort_in_the_order_of_making() {
    let mut before = Uuid::v7().to_ulid_header_value();
    for _ in 0..10_000 {
        let ulid = Uuid::v7().to_ulid_header_value();
        assert!(ulid.as_bytes() > before.as_bytes());
        before = ulid;
    }
}
