//! An upstream that does as it is told, and remembers what it was asked.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::outbound::Attempt;
use buttress_retry::{Backoff, Jitter};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::Service;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What it does with one request.
pub(crate) enum Step {
    Answer(Response<Full<Bytes>>),
    Error(io::ErrorKind),
    /// Does not read the request's body.
    Unread(Response<Full<Bytes>>),
    Hang,
    After(Duration, Box<Step>),
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) attempt: u32,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) at: Instant,
}

/// The closure says what to do with the nth request, from 1 on.
#[derive(Clone)]
pub(crate) struct Upstream {
    script: Arc<dyn Fn(usize) -> Step + Send + Sync>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    calls: Arc<AtomicUsize>,
    pub(crate) under_way: Arc<AtomicUsize>,
    /// How many requests it takes before it is not ready any more.
    pub(crate) room: Arc<AtomicUsize>,
}

pub(crate) fn upstream(script: impl Fn(usize) -> Step + Send + Sync + 'static) -> Upstream {
    Upstream {
        script: Arc::new(script),
        seen: Arc::default(),
        calls: Arc::default(),
        under_way: Arc::default(),
        room: Arc::new(AtomicUsize::new(usize::MAX)),
    }
}

/// These statuses, one after the other, and then the last again.
pub(crate) fn statuses(statuses: &'static [u16]) -> Upstream {
    upstream(|n| status(statuses.get(n - 1).or(statuses.last()).copied().unwrap()))
}

pub(crate) fn status(status: u16) -> Step {
    Step::Answer(answer(status))
}

pub(crate) fn answer(status: u16) -> Response<Full<Bytes>> {
    let body = Full::new(Bytes::from(format!("answer {status}")));
    Response::builder().status(status).body(body).unwrap()
}

/// No jitter, and so long between all attempts.
pub(crate) fn every(delay: Duration) -> Backoff {
    Backoff::exponential(delay).factor(1.0).max(delay).jitter(Jitter::None)
}

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn request(method: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri("http://upstream/").body(Full::default()).unwrap()
}

impl Upstream {
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<B> Service<Request<B>> for Upstream
where
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Full<Bytes>>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.calls() < self.room.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let guard = UnderWay(Arc::clone(&self.under_way));
        let mut step = (self.script)(number);
        let seen = Arc::clone(&self.seen);
        let at = Instant::now();
        Box::pin(async move {
            let _guard = guard;
            let attempt = Attempt::of(&request).number();
            let (parts, body) = request.into_parts();
            if !matches!(step, Step::Unread(_)) {
                let collected = body.collect().await.map_err(io::Error::other)?;
                let trailers = collected.trailers().cloned();
                let body = collected.to_bytes();
                seen.lock().unwrap().push(Seen {
                    attempt,
                    headers: parts.headers,
                    body,
                    trailers,
                    at,
                });
            }
            loop {
                match step {
                    Step::Answer(answer) | Step::Unread(answer) => return Ok(answer),
                    Step::Error(kind) => return Err(kind.into()),
                    Step::Hang => std::future::pending::<()>().await,
                    Step::After(delay, then) => {
                        tokio::time::sleep(delay).await;
                        step = *then;
                        continue;
                    }
                }
                break Err(io::ErrorKind::Other.into());
            }
        })
    }
}
