//! The body that a handler is given.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pub(crate) use self::watch::{Note, Watch};
use crate::{content_type::Kind, policy::Policy, violation::Violation};

mod watch;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// A request's body that is judged while it is read.
    ///
    /// Its frames pass untouched, as they come; where something is stripped, slices of them. At the
    /// first rule that is broken it ends with a [`BodyError`], and the rest is not read. What a
    /// reader has got of a document by then is its beginning: nothing is done with a body that has
    /// not come to its end.
    ///
    /// [`Sanitize`](crate::Sanitize) makes it, and sees to the answer. By itself it is for a
    /// service that reads bodies with its own hands:
    ///
    /// ```
    /// use buttress_sanitize::{GuardedBody, Kind, Policy, Rule};
    /// use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let body = Full::from(r#"{"__proto__": {}}"#);
    /// let guarded = GuardedBody::new(body, Kind::Json, &Policy::strict_json());
    /// let error = guarded.collect().await.unwrap_err();
    /// assert_eq!(error.violation().unwrap().rule(), Rule::PrototypeKey);
    /// # }
    /// ```
    pub struct GuardedBody<B> {
        #[pin]
        kind: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        // Nobody judges it.
        Open {
            #[pin]
            body: B,
        },
        Watched {
            #[pin]
            body: B,
            watch: Box<Watch>,
        },
        // It was read and judged before, or there is no more of it.
        Whole {
            data: Bytes,
            end: Option<End>,
        },
    }
}

/// What comes after the data.
pub(crate) enum End {
    Trailers(HeaderMap),
    Error(BodyError),
}

impl<B> GuardedBody<B> {
    /// Judges a body that is declared to be of this kind. JSON and forms are judged by their
    /// guards; of other kinds, the bytes are counted ([`Policy::max_body`]); gRPC is left alone.
    pub fn new(body: B, kind: Kind, policy: &Policy) -> Self {
        match kind {
            Kind::Grpc => Self::open(body),
            _ => Self::watched(body, Watch::new(kind, policy)),
        }
    }

    pub(crate) const fn open(body: B) -> Self {
        Self { kind: State::Open { body } }
    }

    pub(crate) fn watched(body: B, watch: Watch) -> Self {
        Self { kind: State::Watched { body, watch: Box::new(watch) } }
    }

    pub(crate) const fn whole(data: Bytes, end: Option<End>) -> Self {
        Self { kind: State::Whole { data, end } }
    }
}

impl<B> Body for GuardedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.as_mut().project().kind;
        let frame = match state.as_mut().project() {
            StateProj::Open { body } => match body.poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame.map(|frame| frame.map_err(BodyError::inner)),
            },
            StateProj::Watched { body, watch } => match watch.poll(body, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            },
            StateProj::Whole { data, end } => {
                let frame = if data.is_empty() {
                    match end.take() {
                        None => None,
                        Some(End::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                        Some(End::Error(error)) => Some(Err(error)),
                    }
                } else {
                    Some(Ok(Frame::data(std::mem::take(data))))
                };
                return Poll::Ready(frame);
            }
        };
        // After its end nothing is polled, and what the inner one held is given back.
        if !matches!(&frame, Some(Ok(frame)) if !frame.is_trailers()) {
            state.set(State::Whole { data: Bytes::new(), end: None });
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            State::Open { body } => body.is_end_stream(),
            // It has to be asked for its end: that is where it is judged.
            State::Watched { watch, .. } => watch.is_at_end(),
            State::Whole { data, end } => data.is_empty() && end.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            State::Open { body } => body.size_hint(),
            State::Watched { watch, .. } if watch.is_at_end() => SizeHint::with_exact(0),
            State::Watched { watch, .. } if watch.strips() => SizeHint::default(),
            State::Watched { body, .. } => body.size_hint(),
            // Where a length is written, trailers are not (RFC 9112 §6.3, §7.1.2).
            State::Whole { data, end: Some(End::Trailers(_)) } => {
                let mut hint = SizeHint::new();
                hint.set_lower(data.len() as u64);
                hint
            }
            State::Whole { data, .. } => SizeHint::with_exact(data.len() as u64),
        }
    }
}

/// Nothing of what was sent.
impl<B> fmt::Debug for GuardedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("GuardedBody");
        match &self.kind {
            State::Open { .. } => {}
            State::Watched { watch, .. } => drop(out.field("watch", watch)),
            State::Whole { data, .. } => drop(out.field("bytes", &data.len())),
        }
        out.finish_non_exhaustive()
    }
}

/// Why a [`GuardedBody`] broke off: a rule is broken, or the body under it has failed.
pub struct BodyError(Cause);

enum Cause {
    Violation(Violation),
    Inner(BoxError),
}

impl BodyError {
    pub(crate) const fn refused(violation: Violation) -> Self {
        Self(Cause::Violation(violation))
    }

    fn inner(error: impl Into<BoxError>) -> Self {
        Self(Cause::Inner(error.into()))
    }

    /// The rule that was broken, and where; `None` where the body under it has failed.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        match &self.0 {
            Cause::Violation(violation) => Some(violation),
            Cause::Inner(_) => None,
        }
    }
}

impl fmt::Debug for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Violation(violation) => f.debug_tuple("BodyError").field(violation).finish(),
            Cause::Inner(error) => f.debug_tuple("BodyError").field(error).finish(),
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Violation(violation) => violation.fmt(f),
            Cause::Inner(_) => f.write_str("the body could not be read"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Cause::Violation(violation) => Some(violation),
            Cause::Inner(error) => Some(&**error),
        }
    }
}
