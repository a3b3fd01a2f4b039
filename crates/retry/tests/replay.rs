//! Bodies that are sent again.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::{
    convert::Infallible,
    future::{Future, ready},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use buttress_retry::{Budget, ReplayBody, RetryInfo, RetryLayer, StopReason};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use support::{BoxError, Step, answer, every, ms, status, upstream};
use tower::{Layer, ServiceExt, service_fn};

fn layer() -> RetryLayer {
    RetryLayer::http()
        .backoff(every(ms(10)))
        .unwrap()
        .budget(Budget::ratio(0.0).reserve(5))
        .unwrap()
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-checksum".parse().unwrap(), "9f86d081".parse().unwrap())])
}

/// Its frames are not there at once, and its size is not known.
fn streamed(parts: &'static [&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Send {
    let data = parts.iter().map(|part| Frame::data(Bytes::from_static(part.as_bytes())));
    let frames = data.chain([Frame::trailers(trailers())]).map(Ok::<_, Infallible>);
    let stream = futures_util::stream::unfold(frames, |mut frames| async {
        tokio::task::yield_now().await;
        Some((frames.next()?, frames))
    });
    // `unfold` is not `Unpin`: nothing here asks for that.
    StreamBody::new(stream)
}

fn put<B>(body: B) -> Request<B> {
    Request::put("http://upstream/").header("content-type", "text/plain").body(body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_retry_sends_the_same_bytes_and_trailers() {
    let upstream = upstream(|n| status(if n < 3 { 503 } else { 200 }));
    let service = layer().layer(upstream.clone());
    let response = service.oneshot(put(streamed(&["one, ", "", "two, ", "three"]))).await.unwrap();
    assert_eq!(RetryInfo::of(&response).attempts(), 3);
    let seen = upstream.seen();
    assert_eq!(seen.len(), 3);
    for seen in seen {
        assert_eq!(seen.body, "one, two, three");
        assert_eq!(seen.trailers, Some(trailers()));
        assert_eq!(seen.headers["content-type"], "text/plain");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_attempt_has_not_read_is_read_by_the_next() {
    // The first does not read at all.
    let upstream = upstream(|n| if n == 1 { Step::Unread(answer(503)) } else { status(200) });
    let service = layer().layer(upstream.clone());
    let response = service.oneshot(put(streamed(&["one, ", "two"]))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.seen()[0].body, "one, two");
    assert_eq!(upstream.seen()[0].trailers, Some(trailers()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_turns_out_too_large_passes_whole_and_is_not_sent_again() {
    for cap in [0, 1, 4, 8, 9] {
        let upstream = upstream(|_| status(503));
        let service = layer().replay_body(cap).layer(upstream.clone());
        let response = service.oneshot(put(streamed(&["12345", "67890"]))).await.unwrap();
        let info = RetryInfo::of(&response);
        assert_eq!((info.stop(), info.slept()), (StopReason::Body, ms(0)));
        assert_eq!((upstream.calls(), &upstream.seen()[0].body[..]), (1, &b"1234567890"[..]));
        assert_eq!(upstream.seen()[0].trailers, Some(trailers()), "cap {cap}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_not_sent_again() {
    let upstream = upstream(|_| status(200));
    let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(io::Error::other("gone"))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let error = layer().layer(upstream.clone()).oneshot(put(body)).await.unwrap_err();
    assert_eq!((error.to_string(), upstream.calls()), ("gone".to_owned(), 1));
}

/// One that the caller must be able to tell from the end.
#[tokio::test(start_paused = true)]
async fn an_attempt_whose_body_was_taken_over_gets_an_error_and_never_a_short_body() {
    let bodies: Arc<Mutex<Vec<ReplayBody<_>>>> = Arc::default();
    let kept = Arc::clone(&bodies);
    let inner = service_fn(move |request: Request<ReplayBody<_>>| {
        let mut body = request.into_body();
        let kept = Arc::clone(&kept);
        async move {
            let first = body.frame().await.unwrap()?;
            assert_eq!(first.into_data().unwrap(), "one");
            let mut kept = kept.lock().unwrap();
            kept.push(body);
            Ok::<_, BoxError>(if kept.len() == 1 { answer(503) } else { answer(200) })
        }
    });
    let body = Box::pin(streamed(&["one", "two"]));
    let _ = layer().layer(inner).oneshot(put(body)).await.unwrap();
    let mut bodies = std::mem::take(&mut *bodies.lock().unwrap());
    let mut second = bodies.pop().unwrap();
    let error = bodies.pop().unwrap().frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the request's body is read on by a later attempt");
    assert_eq!(second.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
}

#[tokio::test(start_paused = true)]
async fn sizes_are_told_as_they_are() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&sizes);
    let inner = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let told = Arc::clone(&told);
        async move {
            let body = request.into_body();
            let (size, is_end) = (body.size_hint().exact(), body.is_end_stream());
            told.lock().unwrap().push((size, is_end));
            body.collect().await?;
            Ok::<_, BoxError>(answer(503))
        }
    });
    let layer = layer();
    let _ = layer.layer(inner.clone()).oneshot(put(Full::from("12345"))).await.unwrap();
    let _ = layer.layer(inner).oneshot(put(Full::default())).await.unwrap();
    let five = (Some(5), false);
    let none = (Some(0), true);
    assert_eq!(*sizes.lock().unwrap(), [five, five, five, none, none, none]);
}

#[tokio::test(start_paused = true)]
async fn a_size_with_trailers_is_not_exact_when_it_is_sent_again() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&sizes);
    let inner = service_fn(move |request: Request<ReplayBody<_>>| {
        let told = Arc::clone(&told);
        async move {
            told.lock().unwrap().push(request.body().size_hint().exact());
            request.into_body().collect().await?;
            Ok::<_, BoxError>(answer(503))
        }
    });
    let _ = layer().layer(inner).oneshot(put(streamed(&["1"]))).await.unwrap();
    assert_eq!(*sizes.lock().unwrap(), [None; 3]);
}

#[tokio::test(start_paused = true)]
async fn no_byte_is_copied() {
    let pointers = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&pointers);
    let inner = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let told = Arc::clone(&told);
        async move {
            let data = request.into_body().frame().await.unwrap()?.into_data().unwrap();
            told.lock().unwrap().push(data.as_ptr() as usize);
            Ok::<_, BoxError>(answer(503))
        }
    });
    let data = Bytes::from(vec![7; 1_000]);
    let at = data.as_ptr() as usize;
    let _ = layer().layer(inner).oneshot(put(Full::new(data))).await.unwrap();
    assert_eq!(*pointers.lock().unwrap(), [at; 3]);
}

/// A failed answer's body, which says how far it was read.
struct Long {
    left: usize,
    read: Arc<Mutex<usize>>,
}

impl Body for Long {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        *self.read.lock().unwrap() += 1_024;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 1_024])))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_answer_is_drained_up_to_4_kib() {
    for (kib, drained) in [(1, 1_024), (3, 3_072), (4, 4_096), (100, 4_096)] {
        let read = Arc::new(Mutex::new(0));
        let count = Arc::clone(&read);
        let inner = service_fn(move |_: Request<ReplayBody<Full<Bytes>>>| {
            let body = Long { left: kib, read: Arc::clone(&count) };
            ready(Ok::<_, Infallible>(Response::builder().status(503).body(body).unwrap()))
        });
        let layer = layer().max_attempts(2).unwrap();
        let response = layer.layer(inner).oneshot(put(Full::default())).await.unwrap();
        assert_eq!(*read.lock().unwrap(), drained);
        // The last one is not: it goes back as it is.
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), kib * 1_024);
    }
}

#[tokio::test(start_paused = true)]
async fn draining_a_body_that_stalls_ends_after_50_ms() {
    let inner = service_fn(|_: Request<ReplayBody<Full<Bytes>>>| {
        let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let answer = Response::builder().status(503).body(StreamBody::new(never)).unwrap();
        ready(Ok::<_, Infallible>(answer))
    });
    let began = tokio::time::Instant::now();
    let _ = layer().layer(inner).oneshot(put(Full::default())).await.unwrap();
    assert_eq!(began.elapsed(), ms(2 * 50), "the pause of 10 ms is over by then");
}

#[test]
fn a_kept_body_says_when_it_has_ended() {
    let mut call = pin!(async {
        let inner = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| async {
            let mut body = request.into_body();
            let _ = body.frame().await.unwrap()?;
            assert!(body.is_end_stream() && body.frame().await.is_none());
            Ok::<_, BoxError>(answer(200))
        });
        let _ = layer().layer(inner).oneshot(put(Full::from("12345"))).await.unwrap();
    });
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}
