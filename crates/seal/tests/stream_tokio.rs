//! Streams over tokio.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test is meant to panic, and its numbers are small"
)]

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use self::pieces::Pieces;
use buttress_seal::{
    Context, Key, KeyRing, SealError, SealErrorKind, SealReader, SealWriter, context,
};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("k1").unwrap())
}

fn place() -> Context {
    context!("files", 7)
}

fn plain(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at / 251 + at) as u8).collect()
}

fn kind(error: &io::Error) -> SealErrorKind {
    error.get_ref().and_then(|error| error.downcast_ref::<SealError>()).unwrap().kind()
}

async fn seal(plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    let mut writer = SealWriter::new(&ring(), place(), &mut sealed).unwrap();
    writer.write_all(plain).await.unwrap();
    writer.shutdown().await.unwrap();
    sealed
}

#[tokio::test]
async fn streams_of_all_sizes_pass_through_a_narrow_pipe() {
    for size in [0, 1, 16_383, 16_384, 16_385, 32_768, 4_194_305] {
        let (near, far) = duplex(1_000);
        let whole = plain(size);
        let write = async {
            let mut writer = SealWriter::new(&ring(), place(), near).unwrap();
            writer.write_all(&whole).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut all = Vec::new();
            SealReader::new(&ring(), place(), far).read_to_end(&mut all).await.unwrap();
            all
        };
        let ((), all) = tokio::join!(write, read);
        assert!(all == whole, "{size}");
    }
}

#[tokio::test]
async fn the_forms_of_std_and_tokio_are_one() {
    use std::io::Read;

    let sealed = seal(&plain(40_000)).await;
    let mut all = Vec::new();
    let mut reader = SealReader::new(&ring(), place(), sealed.as_slice());
    Read::read_to_end(&mut reader, &mut all).unwrap();
    assert!(all == plain(40_000));
}

#[tokio::test]
async fn a_stream_in_single_bytes_opens() {
    let sealed = seal(&plain(20_000)).await;
    let mut all = Vec::new();
    let mut reader = SealReader::new(&ring(), place(), Pieces::new(&sealed, 1));
    reader.read_to_end(&mut all).await.unwrap();
    assert!(all == plain(20_000));
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_a_truncated_stream_and_stays_one() {
    let sealed = seal(&plain(40_000)).await;
    for length in [0, 3, 60, 66, 100, 65 + 16_400, sealed.len() - 1] {
        let mut reader = SealReader::new(&ring(), place(), &sealed[..length]);
        let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
        let first = kind(&error);
        for _ in 0..3 {
            let error = reader.read_u8().await.unwrap_err();
            assert_eq!(kind(&error), first, "{length}");
        }
    }
    let error = SealReader::new(&ring(), place(), &sealed[..65 + 16_400])
        .read_to_end(&mut Vec::new())
        .await
        .unwrap_err();
    assert_eq!((error.kind(), kind(&error)), (ErrorKind::UnexpectedEof, SealErrorKind::Truncated));
}

#[tokio::test]
async fn a_write_that_is_dropped_half_way_loses_and_doubles_nothing() {
    let (near, mut far) = duplex(10);
    let mut writer = SealWriter::new(&ring(), place(), near).unwrap();
    let whole = plain(40_000);
    let write = async {
        let mut rest = whole.as_slice();
        while !rest.is_empty() {
            // `write` is cancel safe: dropped, it has taken nothing.
            let mut write = Box::pin(writer.write(rest));
            match (&mut write).now_or_never() {
                Some(length) => rest = &rest[length.unwrap()..],
                None => {
                    drop(write);
                    tokio::task::yield_now().await;
                }
            }
        }
        writer.shutdown().await.unwrap();
        drop(writer);
    };
    let mut sealed = Vec::new();
    let (read, ()) = tokio::join!(far.read_to_end(&mut sealed), write);
    read.unwrap();
    let mut all = Vec::new();
    SealReader::new(&ring(), place(), sealed.as_slice()).read_to_end(&mut all).await.unwrap();
    assert!(all == whole);
}

#[tokio::test]
async fn a_flush_writes_the_head_and_no_chunk_that_is_not_full() {
    let (near, mut far) = duplex(100_000);
    let mut writer = SealWriter::new(&ring(), place(), near).unwrap();
    writer.write_all(b"hunter2").await.unwrap();
    writer.flush().await.unwrap();
    let mut head = [0; 65];
    far.read_exact(&mut head).await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(20), far.read_u8()).await;
    assert!(more.is_err(), "{more:?}");
    writer.shutdown().await.unwrap();
    assert_eq!(writer.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

/// A reader that gives a few bytes at a time, and is not ready in between.
mod pieces {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, ReadBuf};

    pub(super) struct Pieces<'a> {
        rest: &'a [u8],
        step: usize,
        is_ready: bool,
    }

    impl<'a> Pieces<'a> {
        pub(super) fn new(rest: &'a [u8], step: usize) -> Self {
            Self { rest, step, is_ready: false }
        }
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.is_ready = !self.is_ready;
            if !self.is_ready {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let length = self.step.min(self.rest.len()).min(out.remaining());
            let (now, later) = self.rest.split_at(length);
            out.put_slice(now);
            self.rest = later;
            Poll::Ready(Ok(()))
        }
    }
}
