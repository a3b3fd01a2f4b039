//! Reading the body, no further than it may go.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::{body::ResponseBody, reject::Protocol};
use bytes::Buf;
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    Answer, MAX_BODY,
    read::{Format, read},
    refuse,
    totals::{Refusal, Totals},
};

pin_project! {
    /// The future of a [`ReportCollector`](super::ReportCollector). Dropped before its end, nothing
    /// of the report is logged or counted.
    ///
    /// ```
    /// use buttress_headers::{ReportFuture, report_collector};
    /// # use http::Request;
    /// # use tower::Service;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let request = Request::post("/csp-reports").header("content-type", "application/reports+json");
    /// let request = request.body("[]".to_owned()).unwrap();
    /// let future: ReportFuture<String> = report_collector().call(request);
    /// assert_eq!(future.await?.status(), 204);
    /// # Ok(())
    /// # }
    /// ```
    pub struct ReportFuture<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Answered { answer: Option<Answer> },
        Reading { #[pin] body: B, read: Vec<u8>, format: Format, totals: Arc<Totals> },
    }
}

impl<B> ReportFuture<B> {
    pub(super) const fn answered(answer: Answer) -> Self {
        Self { state: State::Answered { answer: Some(answer) } }
    }

    pub(super) const fn reading(body: B, format: Format, totals: Arc<Totals>) -> Self {
        Self { state: State::Reading { body, read: Vec::new(), format, totals } }
    }
}

impl<B: Body> Future for ReportFuture<B> {
    type Output = Result<Answer, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let answer = match state.as_mut().project() {
            StateProj::Answered { answer } => match answer.take() {
                Some(answer) => answer,
                None => return Poll::Pending,
            },
            StateProj::Reading { body, read, format, totals } => {
                match ready!(poll_to_end(body, read, cx)) {
                    Ok(()) => take(*format, read, totals),
                    Err(refusal) => refuse(refusal, Protocol::Http, totals),
                }
            }
        };
        state.set(State::Answered { answer: None });
        Poll::Ready(Ok(answer))
    }
}

fn poll_to_end<B: Body>(
    mut body: Pin<&mut B>,
    read: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Refusal>> {
    loop {
        let frame = match ready!(body.as_mut().poll_frame(cx)) {
            None => return Poll::Ready(Ok(())),
            Some(Err(_)) => return Poll::Ready(Err(Refusal::Body)),
            Some(Ok(frame)) => frame,
        };
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if data.remaining() > MAX_BODY - read.len() {
            return Poll::Ready(Err(Refusal::TooLarge));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            read.extend_from_slice(chunk);
            data.advance(length);
        }
    }
}

fn take(format: Format, bytes: &[u8], totals: &Totals) -> Answer {
    let Some(batch) = read(format, bytes) else {
        return refuse(Refusal::Malformed, Protocol::Http, totals);
    };
    totals.dropped(batch.dropped);
    for report in &batch.reports {
        totals.taken(report.kind);
        report.log();
    }
    let mut answer = Response::new(ResponseBody::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

impl<B> fmt::Debug for ReportFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Answered { .. } => "answered",
            State::Reading { .. } => "reading",
        };
        f.debug_tuple("ReportFuture").field(&state).finish()
    }
}
