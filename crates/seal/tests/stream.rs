//! Streams over `std::io`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test is meant to panic, and its numbers are small"
)]

use std::{
    cell::Cell,
    io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write},
    rc::Rc,
};

use buttress_seal::{
    Context, Key, KeyRing, SealError, SealErrorKind, SealReader, SealWriter, context,
};
use proptest::prelude::*;

const CHUNK: usize = 16_384;
/// Of a ring with the id `k1`.
const HEAD: usize = 7 + 2 + 24 + 32;

fn ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("k1").unwrap())
}

fn place() -> Context {
    context!("files", 7)
}

fn plain(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at / 251 + at) as u8).collect()
}

fn seal(plain: &[u8]) -> Vec<u8> {
    let mut writer = SealWriter::new(&ring(), place(), Vec::new()).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

fn reader<R>(inner: R) -> SealReader<R> {
    SealReader::new(&ring(), place(), inner)
}

fn open(sealed: &[u8]) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    reader(sealed).read_to_end(&mut all).map(|_| all)
}

fn kind(error: &io::Error) -> SealErrorKind {
    error.get_ref().and_then(|error| error.downcast_ref::<SealError>()).unwrap().kind()
}

#[test]
fn streams_of_all_sizes_open() {
    for size in [0, 1, 16_383, 16_384, 16_385, 32_768, 4_194_305] {
        let plain = plain(size);
        let sealed = seal(&plain);
        assert_eq!(sealed.len(), HEAD + size + 16 * (size / CHUNK + 1), "{size}");
        assert!(open(&sealed).unwrap() == plain, "{size}");
    }
}

/// Gives and takes a few bytes at a time, interrupts, and fails now and then.
struct Bad<T> {
    inner: T,
    step: usize,
    calls: usize,
}

impl<T> Bad<T> {
    fn new(inner: T, step: usize) -> Self {
        Self { inner, step, calls: 0 }
    }

    fn fail(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.calls % 5 {
            1 => Err(ErrorKind::Interrupted.into()),
            3 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Bad<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fail()?;
        let length = out.len().min(self.step);
        self.inner.read(&mut out[..length])
    }
}

impl<W: Write> Write for Bad<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fail()?;
        self.inner.write(&bytes[..bytes.len().min(self.step)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fail()?;
        self.inner.flush()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn errors_of_the_inner_writer_and_reader_lose_nothing(
        size in 0_usize..50_000, step in 1_usize..20_000, piece in 1_usize..20_000,
    ) {
        let plain = plain(size);
        let mut writer = SealWriter::new(&ring(), place(), Bad::new(Vec::new(), step)).unwrap();
        let mut rest = plain.as_slice();
        while !rest.is_empty() {
            match writer.write(&rest[..rest.len().min(piece)]) {
                Ok(length) => rest = &rest[length..],
                Err(error) => prop_assert!(error.kind() != ErrorKind::Other),
            }
        }
        while writer.try_finish().is_err() {}
        let sealed = writer.get_ref().inner.clone();
        prop_assert!(open(&sealed).unwrap() == plain);

        let mut reader = reader(Bad::new(sealed.as_slice(), step));
        let (mut all, mut out) = (Vec::new(), vec![0; piece]);
        loop {
            match reader.read(&mut out) {
                Ok(0) => break,
                Ok(length) => all.extend_from_slice(&out[..length]),
                Err(error) => prop_assert!(error.get_ref().is_none()),
            }
        }
        prop_assert!(all == plain);
    }

    #[test]
    fn a_range_is_that_part_of_the_whole_and_opens_its_chunks_alone(
        size in 0_usize..100_000, start in 0_usize..110_000, length in 0_usize..40_000,
    ) {
        let plain = plain(size);
        let mut reader = reader(Cursor::new(seal(&plain)));
        let range = start as u64..(start + length) as u64;
        let part = reader.read_range(range).unwrap();
        let expected = &plain[start.min(size)..(start + length).min(size)];
        prop_assert!(part.expose() == expected);
        let touched = match expected.len() {
            0 => 0,
            length => (start + length - 1) / CHUNK - start / CHUNK + 1,
        };
        // Reaching beyond the end makes sure of it, by the last chunk.
        let reaches = usize::from(start + length > size || start >= size);
        prop_assert!(reader.chunks_opened() <= (touched + reaches) as u64);
    }
}

#[test]
fn a_range_opens_its_chunks_and_no_more() {
    let plain = plain(10 * CHUNK + 5);
    let mut reader = reader(Cursor::new(seal(&plain)));
    let mut opened = 0;
    for (range, chunks) in [
        (0..1, 1),
        (CHUNK - 1..CHUNK, 1),
        (CHUNK - 1..CHUNK + 1, 2),
        (5 * CHUNK..6 * CHUNK, 1),
        (2 * CHUNK + 7..5 * CHUNK + 7, 4),
        (10 * CHUNK..10 * CHUNK + 5, 1),
        (3..3, 0),
    ] {
        let part = reader.read_range(range.start as u64..range.end as u64).unwrap();
        assert!(part.expose() == &plain[range.clone()], "{range:?}");
        assert_eq!(reader.chunks_opened() - opened, chunks, "{range:?}");
        opened = reader.chunks_opened();
    }
    assert_eq!(reader.length().unwrap(), plain.len() as u64);
    assert_eq!(reader.chunks_opened() - opened, 1);
}

#[test]
fn seeking_goes_where_it_says() {
    let plain = plain(3 * CHUNK);
    // The stream begins somewhere in a file.
    let mut file = Cursor::new([b"before".as_slice(), &seal(&plain)].concat());
    file.set_position(6);
    let mut reader = reader(file);
    let mut one = [0];
    for (to, position) in [
        (SeekFrom::Start(5), Some(5)),
        (SeekFrom::Current(1), Some(7)),
        (SeekFrom::End(-1), Some(3 * CHUNK - 1)),
        (SeekFrom::Current(-(CHUNK as i64)), Some(2 * CHUNK)),
        (SeekFrom::Start(0), Some(0)),
        (SeekFrom::Start(CHUNK as u64), Some(CHUNK)),
        (SeekFrom::End(-(3 * CHUNK as i64)), Some(0)),
        (SeekFrom::Current(-2), None),
        (SeekFrom::End(i64::MIN), None),
    ] {
        match position {
            Some(position) => {
                assert_eq!(reader.seek(to).unwrap(), position as u64, "{to:?}");
                assert_eq!(reader.stream_position().unwrap(), position as u64);
                reader.read_exact(&mut one).unwrap();
                assert_eq!(one[0], plain[position], "{to:?}");
            }
            None => assert_eq!(reader.seek(to).unwrap_err().kind(), ErrorKind::InvalidInput),
        }
    }
    for beyond in [SeekFrom::End(0), SeekFrom::End(5), SeekFrom::Start(u64::MAX)] {
        reader.seek(beyond).unwrap();
        assert_eq!(reader.read(&mut one).unwrap(), 0);
    }
    // And back from there, to the end.
    reader.seek(SeekFrom::Start(10)).unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(rest == plain[10..]);
}

#[test]
fn a_truncated_stream_fails_and_keeps_failing() {
    let sealed = seal(&plain(2 * CHUNK + 100));
    let end = sealed.len();
    let chunk = CHUNK + 16;
    for length in [
        1,
        4,
        6,
        7,
        8,
        9,
        HEAD - 1,
        HEAD,
        HEAD + 1,
        HEAD + 15,
        HEAD + 16,
        HEAD + 100,
        HEAD + chunk,
        HEAD + chunk + 5,
        HEAD + 2 * chunk,
        HEAD + 2 * chunk + 15,
        HEAD + 2 * chunk + 16,
        end - 16,
        end - 1,
    ] {
        let mut reader = reader(&sealed[..length]);
        let mut all = Vec::new();
        let error = reader.read_to_end(&mut all).unwrap_err();
        let first = kind(&error);
        assert!(
            [SealErrorKind::Truncated, SealErrorKind::Authentication].contains(&first),
            "{length}: {first:?}"
        );
        for _ in 0..3 {
            let error = reader.read(&mut [0; 100]).unwrap_err();
            assert_eq!(kind(&error), first, "{length}");
        }
        // Nothing but whole chunks came out, and they are the beginning.
        let chunks = length.saturating_sub(HEAD) / chunk;
        assert!(all == plain(chunks * CHUNK), "{length}");

        let mut seeking = self::reader(Cursor::new(&sealed[..length]));
        assert!(seeking.seek(SeekFrom::End(0)).is_err(), "{length}");
        assert!(seeking.seek(SeekFrom::Start(0)).is_err(), "{length}");
        assert!(seeking.read(&mut [0; 100]).is_err(), "{length}");
    }
}

#[test]
fn the_errors_of_a_cut_stream_are_an_unexpected_end() {
    let sealed = seal(&plain(CHUNK));
    let error = open(&sealed[..sealed.len() - 16]).unwrap_err();
    assert_eq!((error.kind(), kind(&error)), (ErrorKind::UnexpectedEof, SealErrorKind::Truncated));
    let error = open(b"").unwrap_err();
    assert_eq!((error.kind(), kind(&error)), (ErrorKind::InvalidData, SealErrorKind::NotSealed));
}

#[test]
fn every_flipped_bit_fails() {
    let sealed = seal(b"hunter2");
    for bit in 0..sealed.len() * 8 {
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&bad).is_err(), "bit {bit}");
    }
}

#[test]
fn chunks_are_neither_swapped_nor_doubled_nor_appended() {
    let sealed = seal(&plain(2 * CHUNK + 100));
    let (head, chunks) = sealed.split_at(HEAD);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + 16).collect();
    for order in [
        vec![1, 0, 2],
        vec![0, 0, 2],
        vec![0, 2],
        vec![1, 2],
        vec![2],
        vec![0, 1, 1, 2],
        vec![0, 1, 2, 2],
        vec![0, 1, 2, 0],
    ] {
        let mut bad = head.to_vec();
        order.iter().for_each(|number| bad.extend_from_slice(chunks[*number]));
        assert!(open(&bad).is_err(), "{order:?}");
    }
}

#[test]
fn a_wrong_key_or_place_is_seen_before_the_first_chunk() {
    let sealed = seal(&plain(100));
    let other = KeyRing::new(Key::from_bytes(&[8; 32]).unwrap().with_id("k1").unwrap());
    for (ring, place) in [(other, place()), (ring(), context!("files", 8))] {
        // Only the head is there: it fails by that alone.
        let mut reader = SealReader::new(&ring, place, &sealed[..HEAD]);
        let error = reader.read_head().unwrap_err();
        assert_eq!(kind(&error), SealErrorKind::Authentication);
        assert_eq!(reader.chunks_opened(), 0);
        assert_eq!(kind(&reader.read(&mut [0; 9]).unwrap_err()), SealErrorKind::Authentication);
    }
    reader(&sealed[..HEAD]).read_head().unwrap();
    let none = KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("k2").unwrap());
    let error = SealReader::new(&none, place(), sealed.as_slice()).read_head().unwrap_err();
    assert_eq!(kind(&error), SealErrorKind::UnknownKeyId);
    assert!(error.to_string().contains("k1"));
}

#[test]
fn a_stream_is_no_value_and_a_value_no_stream() {
    let stream = seal(b"hunter2");
    let error = ring().open_binary::<Vec<u8>>(&stream, place()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::Authentication);
    let value = ring().seal_binary("hunter2", place()).unwrap();
    assert_eq!(kind(&open(&value).unwrap_err()), SealErrorKind::Authentication);
}

#[test]
fn a_writer_that_is_dropped_leaves_a_truncated_stream() {
    let mut sealed = Vec::new();
    let mut writer = SealWriter::new(&ring(), place(), &mut sealed).unwrap();
    writer.write_all(&plain(20_000)).unwrap();
    writer.flush().unwrap();
    drop(writer);
    assert_eq!(sealed.len(), HEAD + CHUNK + 16);
    assert_eq!(kind(&open(&sealed).unwrap_err()), SealErrorKind::Truncated);
}

#[test]
fn a_finished_writer_takes_nothing() {
    let mut writer = SealWriter::new(&ring(), place(), Vec::new()).unwrap();
    writer.write_all(b"hunter2").unwrap();
    writer.try_finish().unwrap();
    writer.try_finish().unwrap();
    assert_eq!(writer.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(open(&writer.finish().unwrap()).unwrap(), b"hunter2");
}

#[test]
fn nothing_is_written_of_a_chunk_before_it_is_sealed() {
    let mut writer = SealWriter::new(&ring(), place(), Vec::new()).unwrap();
    writer.write_all(&[b'x'; 1000]).unwrap();
    writer.flush().unwrap();
    assert_eq!(writer.get_ref().len(), HEAD);
}

/// Fails at one of its calls, and says that it is as long as it likes.
struct Shaky {
    inner: Cursor<Vec<u8>>,
    calls_left: Rc<Cell<Option<u32>>>,
    claims: Option<u64>,
}

impl Shaky {
    fn new(inner: Vec<u8>) -> Self {
        Self { inner: Cursor::new(inner), calls_left: Rc::default(), claims: None }
    }

    fn call(&mut self) -> io::Result<()> {
        match self.calls_left.get() {
            Some(0) => {
                self.calls_left.set(None);
                Err(ErrorKind::TimedOut.into())
            }
            left => {
                self.calls_left.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }
}

impl Read for Shaky {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.call()?;
        self.inner.read(out)
    }
}

impl Seek for Shaky {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.call()?;
        match (to, self.claims) {
            (SeekFrom::End(0), Some(length)) => self.inner.seek(SeekFrom::Start(length)),
            _ => self.inner.seek(to),
        }
    }
}

#[test]
fn a_seek_that_goes_nowhere_leaves_the_next_byte_where_it_was() {
    let plain = plain(3 * CHUNK);
    let mut reader = reader(Cursor::new(seal(&plain)));
    let mut some = [0; 10];
    reader.read_exact(&mut some).unwrap();
    for nowhere in [SeekFrom::Current(-11), SeekFrom::End(i64::MIN)] {
        assert_eq!(reader.seek(nowhere).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(reader.stream_position().unwrap(), 10);
    }
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(rest == plain[10..]);
}

#[test]
fn after_a_seek_that_failed_no_byte_comes_from_another_place() {
    let plain = plain(3 * CHUNK + 500);
    let sealed = seal(&plain);
    let mut failed = 0;
    for calls in 0..20 {
        for to in [SeekFrom::End(-1), SeekFrom::Start(2), SeekFrom::Start(u64::MAX)] {
            let shaky = Shaky::new(sealed.clone());
            let calls_left = Rc::clone(&shaky.calls_left);
            let mut reader = reader(shaky);
            let mut some = [0; 10];
            reader.read_exact(&mut some).unwrap();
            calls_left.set(Some(calls));
            let Err(error) = reader.seek(to) else { continue };
            failed += 1;
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            // Either it says so, or it goes on where it was.
            if reader.read_exact(&mut some).is_ok() {
                assert_eq!(some, plain[10..20], "{calls} {to:?}");
            }
            assert_eq!(reader.seek(SeekFrom::Start(7)).unwrap(), 7);
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            assert!(rest == plain[7..], "{calls} {to:?}");
        }
    }
    assert!(failed > 5);
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    let mut shaky = Shaky::new(seal(&plain(2 * CHUNK)));
    shaky.claims = Some(1 << 62);
    let mut reader = reader(shaky);
    let error = reader.read_range(0..1 << 61).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(reader.read_range(10..20).unwrap().expose() == &plain(2 * CHUNK)[10..20]);
    // And one that the allocator may promise is not touched.
    let error = reader.read_range(0..1 << 36).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::OutOfMemory), "{error}");
}
