//! The answer: the inner's, or a refusal, at once, after the body, or in place of the inner's.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::body::ResponseBody;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header::CONTENT_LENGTH, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::{BoxError, End, GuardedBody, Note};

pin_project! {
    /// The future of [`Sanitize`](crate::Sanitize). Dropped, it has read a part of the body, and
    /// nothing is left of it.
    pub struct ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<GuardedBody<ReqBody>>>,
    {
        #[pin]
        state: State<S, ReqBody, ResBody>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, ResBody>
    where
        S: Service<Request<GuardedBody<ReqBody>>>,
    {
        Inner {
            #[pin]
            future: S::Future,
            note: Option<Arc<Note>>,
        },
        // Boxed: whose body is not there yet can afford it.
        First {
            first: Pin<Box<First<S, ReqBody>>>,
        },
        Refused {
            response: Option<Response<ResponseBody<ResBody>>>,
        },
    }
}

pin_project! {
    /// A request whose body is gathered, and then waits for an inner service to be ready.
    struct First<S, ReqBody> {
        inner: S,
        head: Option<Parts>,
        #[pin]
        body: GuardedBody<ReqBody>,
        gathered: Gathered,
        note: Arc<Note>,
    }
}

/// What has come of a body.
#[derive(Default)]
struct Gathered {
    // A body that comes in one piece is not copied.
    only: Bytes,
    // It grows with what has come: a length that was declared is not paid for.
    many: BytesMut,
    end: Option<End>,
    is_whole: bool,
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<GuardedBody<ReqBody>>>,
{
    pub(crate) const fn inner(future: S::Future, note: Option<Arc<Note>>) -> Self {
        Self { state: State::Inner { future, note } }
    }

    pub(crate) const fn refused(response: Response<ResponseBody<ResBody>>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }

    pub(crate) fn first(
        inner: S,
        head: Parts,
        body: GuardedBody<ReqBody>,
        note: Arc<Note>,
    ) -> Self {
        let gathered = Gathered::default();
        let first = First { inner, head: Some(head), body, gathered, note };
        Self { state: State::First { first: Box::pin(first) } }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<GuardedBody<ReqBody>>, Response = Response<ResBody>>,
    ReqBody: Body<Data = Bytes>,
    ReqBody::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Inner { future, note } => {
                    let answer = ready!(future.poll(cx));
                    // What it made of a body that broke off is not what was wrong.
                    return Poll::Ready(match note.as_deref().and_then(Note::refusal) {
                        Some(refusal) => Ok(refusal),
                        None => answer.map(|response| response.map(ResponseBody::inner)),
                    });
                }
                StateProj::First { first } => ready!(first.as_mut().poll(cx))?,
                StateProj::Refused { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response)),
                    None => return Poll::Pending,
                },
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody> First<S, ReqBody>
where
    S: Service<Request<GuardedBody<ReqBody>>>,
    ReqBody: Body<Data = Bytes>,
    ReqBody::Error: Into<BoxError>,
{
    fn poll<ResBody>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<State<S, ReqBody, ResBody>, S::Error>> {
        let mut this = self.project();
        while !this.gathered.is_whole {
            match ready!(this.body.as_mut().poll_frame(cx)) {
                None => this.gathered.is_whole = true,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.gathered.push(data, this.body.is_end_stream()),
                    Err(frame) => this.gathered.end = frame.into_trailers().ok().map(End::Trailers),
                },
                Some(Err(error)) => {
                    if let Some(response) = this.note.refusal() {
                        return Poll::Ready(Ok(State::Refused { response: Some(response) }));
                    }
                    // A body that fails, fails for the handler as it would without us.
                    this.gathered.end = Some(End::Error(error));
                    this.gathered.is_whole = true;
                }
            }
        }
        ready!(this.inner.poll_ready(cx))?;
        let Some(mut head) = this.head.take() else { return Poll::Pending };
        let (data, end) = std::mem::take(this.gathered).into_parts();
        if this.note.strips() && !matches!(end, Some(End::Error(_))) {
            set_length(&mut head, data.len());
        }
        let request = Request::from_parts(head, GuardedBody::whole(data, end));
        let note = None;
        Poll::Ready(Ok(State::Inner { future: this.inner.call(request), note }))
    }
}

impl Gathered {
    fn push(&mut self, data: Bytes, is_last: bool) {
        if is_last && self.many.is_empty() {
            self.only = data;
            return;
        }
        // Of a slice, the whole buffer would be held for as long as the rest takes.
        self.many.extend_from_slice(&data);
    }

    fn into_parts(self) -> (Bytes, Option<End>) {
        (if self.many.is_empty() { self.only } else { self.many.freeze() }, self.end)
    }
}

/// A length that was declared is the length that is read.
fn set_length(head: &mut Parts, length: usize) {
    if head.headers.contains_key(CONTENT_LENGTH) {
        // In place of all that there are.
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<GuardedBody<ReqBody>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "called",
            State::First { .. } => "reading",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
