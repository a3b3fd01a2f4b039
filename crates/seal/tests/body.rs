//! HTTP bodies.
#![cfg(feature = "http-body")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test is meant to panic, and its numbers are small"
)]

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use buttress_seal::{BodyError, Context, Key, KeyRing, OpenBody, SealBody, SealErrorKind, context};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, StreamBody};

fn ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("k1").unwrap())
}

fn place() -> Context {
    context!("uploads", 7)
}

fn plain(size: usize) -> Bytes {
    (0..size).map(|at| (at / 251 + at) as u8).collect()
}

async fn sealed(size: usize) -> Bytes {
    let body = SealBody::new(&ring(), place(), Full::new(plain(size))).unwrap();
    body.collect().await.unwrap().to_bytes()
}

fn pieces(
    whole: &Bytes,
    step: usize,
    trailers: Option<HeaderMap>,
) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
    let data = whole.chunks(step).map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
    let frames: Vec<_> = data.chain(trailers.map(Frame::trailers)).map(Ok).collect();
    StreamBody::new(stream::iter(frames))
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )])
}

#[tokio::test]
async fn bodies_of_all_sizes_and_pieces_open() {
    for size in [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000] {
        for step in [1_000, 16_384, 50_000] {
            let body = pieces(&plain(size), step, None);
            let sealed = SealBody::new(&ring(), place(), body).unwrap().collect().await.unwrap();
            let sealed = sealed.to_bytes();
            let opened = OpenBody::new(&ring(), place(), pieces(&sealed, step, None));
            assert!(opened.collect().await.unwrap().to_bytes() == plain(size), "{size} {step}");
        }
    }
}

#[tokio::test]
async fn a_size_that_is_known_stays_known_and_true() {
    for size in [0, 1, 16_383, 16_384, 40_000] {
        let mut body = SealBody::new(&ring(), place(), Full::new(plain(size))).unwrap();
        let mut left = body.size_hint().exact().unwrap();
        while let Some(frame) = body.frame().await {
            left -= frame.unwrap().into_data().unwrap().len() as u64;
            assert_eq!(body.size_hint().exact(), Some(left), "{size}");
        }
        assert_eq!(left, 0, "{size}");
        assert!(body.is_end_stream());
    }
    let unknown = SealBody::new(&ring(), place(), pieces(&plain(9), 3, None)).unwrap();
    assert_eq!(unknown.size_hint().exact(), None);

    let sealed = sealed(40_000).await;
    let mut body = OpenBody::new(&ring(), place(), Full::new(sealed));
    let mut got = 0;
    while let Some(frame) = body.frame().await {
        got += frame.unwrap().into_data().unwrap().len() as u64;
        let hint: SizeHint = body.size_hint();
        assert!(hint.lower() <= 40_000 - got && 40_000 - got <= hint.upper().unwrap());
    }
}

#[tokio::test]
async fn trailers_come_last() {
    let body = pieces(&plain(20_000), 7_000, Some(trailers()));
    let sealed = SealBody::new(&ring(), place(), body).unwrap();
    let opened = OpenBody::new(&ring(), place(), sealed).collect().await.unwrap();
    assert_eq!(opened.trailers(), Some(&trailers()));
    assert!(opened.to_bytes() == plain(20_000));
}

#[tokio::test]
async fn no_trailers_come_from_a_body_that_is_cut_short() {
    let sealed = sealed(20_000).await;
    let cut = sealed.slice(..sealed.len() - 1);
    let mut body = OpenBody::new(&ring(), place(), pieces(&cut, 7_000, Some(trailers())));
    let first = body.frame().await.unwrap().unwrap();
    assert!(first.into_data().unwrap() == plain(16_384));
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error, BodyError::Seal(SealErrorKind::Authentication.into()));
    assert!(body.frame().await.is_none() && body.is_end_stream());
}

#[tokio::test]
async fn every_truncation_fails() {
    let sealed = sealed(20_000).await;
    for length in (0..sealed.len()).step_by(97).chain([7, 65, 65 + 16_400, sealed.len() - 16]) {
        let body = OpenBody::new(&ring(), place(), Full::new(sealed.slice(..length)));
        let error = body.collect().await.unwrap_err();
        assert!(matches!(error, BodyError::Seal(_)), "{length}: {error:?}");
    }
    let empty = OpenBody::new(&ring(), place(), Empty::<Bytes>::new());
    let error = empty.collect().await.unwrap_err();
    assert_eq!(error, BodyError::Seal(SealErrorKind::NotSealed.into()));
}

/// Fails after one frame, and says so if it is asked again.
struct Failing(u8);

impl Body for Failing {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0 += 1;
        Poll::Ready(Some(match self.0 {
            1 => Ok(Frame::data(plain(20_000))),
            2 => Err("reset"),
            _ => Err("polled again"),
        }))
    }
}

#[tokio::test]
async fn a_body_that_fails_leaves_a_stream_without_an_end() {
    let mut body = SealBody::new(&ring(), place(), Failing(0)).unwrap();
    let mut sealed = Vec::new();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => sealed.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(error, BodyError::Inner("reset"));
    assert!(body.frame().await.is_none());
    let opened = OpenBody::new(&ring(), place(), Full::new(Bytes::from(sealed)));
    let error = opened.collect().await.unwrap_err();
    assert_eq!(error, BodyError::Seal(SealErrorKind::Truncated.into()));
}

/// A body of which only the claimed length is known, as of a request with a `content-length`.
struct Claims(u64);

impl Body for Claims {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

#[tokio::test]
async fn a_length_that_cannot_be_is_not_passed_on() {
    for claimed in [u64::MAX, u64::MAX - 3, u64::MAX / 1_025 * 1_024 + (1 << 20)] {
        let body = SealBody::new(&ring(), place(), Claims(claimed)).unwrap();
        assert_eq!(body.size_hint().exact(), None, "{claimed}");
        let body = OpenBody::new(&ring(), place(), Claims(claimed));
        assert_eq!(body.size_hint().exact(), None, "{claimed}");
    }
    let body = SealBody::new(&ring(), place(), Claims(1 << 60)).unwrap();
    assert!(body.size_hint().exact().unwrap() > 1 << 60);
}

#[tokio::test]
async fn a_stream_of_which_nothing_is_left_is_not_taken_for_an_empty_one() {
    // A server that is told of no bytes at all sends none, and does not ask for the error.
    let body = OpenBody::new(&ring(), place(), Empty::<Bytes>::new());
    assert_eq!(body.size_hint().exact(), None);
    assert!(!body.is_end_stream());

    let sealed = sealed(2 * 16_384).await;
    let cut = sealed.slice(..sealed.len() - 16);
    let mut body = OpenBody::new(&ring(), place(), Full::new(cut));
    for _ in 0..2 {
        assert!(body.frame().await.unwrap().is_ok());
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
    }
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error, BodyError::Seal(SealErrorKind::Truncated.into()));
}

#[tokio::test]
async fn the_end_is_known_with_the_last_bytes_if_no_trailers_come() {
    for trailers in [None, Some(trailers())] {
        let body = pieces(&plain(20_000), 7_000, trailers.clone());
        let mut sealed = SealBody::new(&ring(), place(), body).unwrap();
        let mut bytes = Vec::new();
        while let Some(Ok(data)) = sealed.frame().await.map(|frame| frame.unwrap().into_data()) {
            bytes.extend_from_slice(&data);
            // The head is of 65 bytes.
            let is_all = bytes.len() == 65 + 20_000 + 2 * 16;
            assert_eq!(sealed.is_end_stream(), is_all && trailers.is_none());
        }
        let body = pieces(&bytes.into(), 7_000, trailers.clone());
        let mut opened = OpenBody::new(&ring(), place(), body);
        let mut got = 0;
        while let Some(Ok(data)) = opened.frame().await.map(|frame| frame.unwrap().into_data()) {
            got += data.len();
            assert_eq!(opened.is_end_stream(), got == 20_000 && trailers.is_none());
        }
        assert_eq!(got, 20_000);
    }
}
