//! The frames, sizes and ends of a `ResponseBody`.
#![allow(clippy::panic, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use buttress_core::body::ResponseBody;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

type Step<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// Plays these frames, last one first, and panics when it is polled after them.
struct Script<E>(Vec<Result<Frame<Bytes>, E>>);

impl<E: Unpin> Body for Script<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Step<E> {
        let Some(frame) = self.0.pop() else { panic!("polled after the end") };
        Poll::Ready(Some(frame))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(7)
    }
}

fn next<B: Body<Data = Bytes>>(body: &mut Pin<Box<ResponseBody<B>>>) -> Step<B::Error> {
    body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn is_none<E>(step: &Step<E>) -> bool {
    matches!(step, Poll::Ready(None))
}

fn data(step: Step<Infallible>) -> Bytes {
    let Poll::Ready(Some(Ok(frame))) = step else { panic!("no frame") };
    let Ok(data) = frame.into_data() else { panic!("no data") };
    data
}

#[test]
fn bytes_of_our_own_are_one_frame_of_known_size() {
    let mut body: Pin<Box<ResponseBody<Script<Infallible>>>> =
        Box::pin(ResponseBody::from_bytes("slow down"));
    assert_eq!(body.size_hint().exact(), Some(9));
    assert!(!body.is_end_stream());
    assert_eq!(data(next(&mut body)), "slow down");
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.is_end_stream());
    assert!(is_none(&next(&mut body)));
    assert!(is_none(&next(&mut body)));
}

#[test]
fn no_bytes_are_no_frame() {
    for body in
        [ResponseBody::<Script<Infallible>>::empty(), ResponseBody::from_bytes(Bytes::new())]
    {
        let mut body = Box::pin(body);
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(is_none(&next(&mut body)));
    }
}

#[test]
fn trailers_are_forwarded_and_end_the_body() {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), 0.into())]);
    let frames = vec![Ok(Frame::trailers(trailers.clone())), Ok(Frame::data("a".into()))];
    let mut body = Box::pin(ResponseBody::inner(Script::<Infallible>(frames)));
    assert_eq!(body.size_hint().exact(), Some(7));
    assert_eq!(data(next(&mut body)), "a");
    let Poll::Ready(Some(Ok(frame))) = next(&mut body) else { panic!("no trailers") };
    assert_eq!(frame.into_trailers().unwrap(), trailers);
    assert!(is_none(&next(&mut body)));
}

#[test]
fn an_error_ends_the_body() {
    let mut body = Box::pin(ResponseBody::inner(Script(vec![Err("reset")])));
    assert!(matches!(next(&mut body), Poll::Ready(Some(Err("reset")))));
    assert!(is_none(&next(&mut body)));
}
