//! Streams in constant memory, and what a value allocates.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test is meant to panic, and its numbers are small"
)]

use std::io::{self, Read, Write};

use allocation_counter::measure;
use buttress_seal::{Key, KeyRing, SealReader, SealWriter, Sealed, context};

const GIBIBYTE: u64 = 1 << 30;

/// Bytes that tell where they are, without being anywhere.
struct Counted {
    read: u64,
    length: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = out.len().min(usize::try_from(self.length - self.read).unwrap());
        out[..length].fill((self.read >> 14) as u8);
        self.read += length as u64;
        Ok(length)
    }
}

/// Opens what is sealed, as it comes: a pipe between a writer and a reader without a thread.
struct Pipe<'a> {
    sealed: SealWriter<Vec<u8>>,
    source: &'a mut Counted,
    piece: Vec<u8>,
    at: usize,
    is_finished: bool,
}

impl Read for Pipe<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.sealed.get_ref().len() {
            if self.is_finished {
                return Ok(0);
            }
            self.sealed.get_mut().clear();
            self.at = 0;
            match self.source.read(&mut self.piece)? {
                0 => {
                    self.sealed.try_finish()?;
                    self.is_finished = true;
                }
                length => self.sealed.write_all(&self.piece[..length])?,
            }
        }
        let length = (&self.sealed.get_ref()[self.at..]).read(out)?;
        self.at += length;
        Ok(length)
    }
}

#[test]
fn a_gibibyte_passes_in_constant_memory() {
    let ring = KeyRing::new(Key::generate().unwrap());
    let mut source = Counted { read: 0, length: GIBIBYTE };
    let mut opened = 0_u64;
    let info = measure(|| {
        let sealed = SealWriter::new(&ring, context!("a"), Vec::new()).unwrap();
        let piece = vec![0; 16_384];
        let pipe = Pipe { sealed, source: &mut source, piece, at: 0, is_finished: false };
        let mut reader = SealReader::new(&ring, context!("a"), pipe);
        let mut out = vec![0; 16_384];
        loop {
            let length = reader.read(&mut out).unwrap();
            if length == 0 {
                break;
            }
            assert!(out[..length].iter().all(|byte| *byte == (opened >> 14) as u8));
            opened += length as u64;
        }
    });
    assert_eq!((source.read, opened), (GIBIBYTE, GIBIBYTE));
    assert!(info.bytes_max < 256 * 1024, "{info:?}");
    assert!(info.count_total < 100, "{info:?}");
}

#[test]
fn a_value_is_sealed_and_opened_with_few_allocations() {
    let ring = KeyRing::new(Key::generate().unwrap());
    let place = context!("api_keys.secret", 7);
    let mut sealed: Option<Sealed<String>> = None;
    let info = measure(|| sealed = Some(ring.seal("hunter2", &place).unwrap()));
    // The body, and its text.
    assert!(info.count_total <= 3, "{info:?}");
    let sealed = sealed.unwrap();
    let info = measure(|| drop(ring.open(&sealed, &place).unwrap()));
    assert!(info.count_total <= 1, "{info:?}");
}
