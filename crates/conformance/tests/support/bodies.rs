//! A layer around the response's body, right but for one fault.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use buttress_conformance::{ProbeBody, ProbeError, ProbeFuture, ProbeService};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None: the wrapper keeps every law.
    Nothing,
    DropsTrailers,
    SkipsEmptyFrames,
    SwallowsErrors,
    ForgetsSize,
    ForgetsEnd,
    ClaimsFiveBytes,
    ClaimsTheEnd,
    AddsTrailers,
    AddsBytes,
    EndsWhenPending,
    KeepsOneBack,
    ForwardsAfterEnd,
    LosesTheWaker,
    WakesItself,
    Leaks,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultyLayer(pub(crate) Fault);

#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    inner: ProbeService,
    fault: Fault,
}

impl Layer<ProbeService> for FaultyLayer {
    type Service = Faulty;

    fn layer(&self, inner: ProbeService) -> Faulty {
        Faulty { inner, fault: self.0 }
    }
}

impl Service<Request<ProbeBody>> for Faulty {
    type Response = Response<FaultyBody>;
    type Error = ProbeError;
    type Future = FaultyFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProbeError>> {
        super::ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<ProbeBody>) -> FaultyFuture {
        FaultyFuture { inner: self.inner.call(request), fault: self.fault }
    }
}

#[derive(Debug)]
pub(crate) struct FaultyFuture {
    inner: ProbeFuture<ProbeBody, ProbeBody>,
    fault: Fault,
}

impl Future for FaultyFuture {
    type Output = Result<Response<FaultyBody>, ProbeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.inner).poll(cx))?;
        let fault = self.fault;
        Poll::Ready(Ok(response.map(|inner| FaultyBody {
            inner: ManuallyDrop::new(inner),
            fault,
            over: false,
            kept: None,
            due: match fault {
                Fault::AddsTrailers => Some(Frame::trailers(HeaderMap::new())),
                Fault::AddsBytes => Some(Frame::data(Bytes::from_static(b"!"))),
                _ => None,
            },
        })))
    }
}

#[derive(Debug)]
pub(crate) struct FaultyBody {
    inner: ManuallyDrop<ProbeBody>,
    fault: Fault,
    over: bool,
    due: Option<Frame<Bytes>>,
    kept: Option<Frame<Bytes>>,
}

impl Drop for FaultyBody {
    fn drop(&mut self) {
        if self.fault != Fault::Leaks {
            drop(std::mem::take(&mut *self.inner));
        }
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = ProbeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProbeError>>> {
        if self.over && self.fault != Fault::ForwardsAfterEnd {
            return Poll::Ready(None);
        }
        let fault = self.fault;
        let polled = match fault {
            Fault::LosesTheWaker => {
                Pin::new(&mut *self.inner).poll_frame(&mut Context::from_waker(Waker::noop()))
            }
            _ => Pin::new(&mut *self.inner).poll_frame(cx),
        };
        if polled.is_pending() && fault == Fault::WakesItself {
            cx.waker().wake_by_ref();
        }
        if polled.is_pending() && fault == Fault::EndsWhenPending {
            self.over = true;
            return Poll::Ready(None);
        }
        match ready!(polled) {
            Some(Ok(frame)) if frame.is_trailers() && fault == Fault::DropsTrailers => {
                self.poll_frame(cx)
            }
            Some(Ok(frame))
                if fault == Fault::SkipsEmptyFrames
                    && frame.data_ref().is_some_and(Bytes::is_empty) =>
            {
                self.poll_frame(cx)
            }
            Some(Ok(frame)) if fault == Fault::KeepsOneBack => match self.kept.replace(frame) {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => self.poll_frame(cx),
            },
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Err(_)) if fault == Fault::SwallowsErrors => {
                self.over = true;
                Poll::Ready(None)
            }
            None if self.due.is_some() || self.kept.is_some() => {
                self.over = true;
                let last = self.due.take().or_else(|| self.kept.take());
                Poll::Ready(last.map(Ok))
            }
            last => {
                self.over = true;
                Poll::Ready(last)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.fault {
            Fault::ForgetsEnd => false,
            Fault::KeepsOneBack => self.over,
            Fault::ClaimsTheEnd => true,
            _ => self.due.is_none() && self.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.fault {
            Fault::ForgetsSize | Fault::AddsBytes | Fault::KeepsOneBack => SizeHint::default(),
            Fault::ClaimsFiveBytes => SizeHint::with_exact(5),
            _ => self.inner.size_hint(),
        }
    }
}
