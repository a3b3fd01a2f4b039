//! The service: the head is judged, then the body before or beside the inner one.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{body::ResponseBody, reject::Protocol};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH};
use http_body::Body;
use tower_service::Service;

use crate::{
    body::{BoxError, GuardedBody, Note, Watch},
    future::ResponseFuture,
    shared::{Content, Shared},
};

/// Judges what `S` is sent; made by a [`SanitizeLayer`](crate::SanitizeLayer).
///
/// The inner service gets a [`GuardedBody`]. It is `Clone`, because a request whose body is judged
/// first must not keep an inner service that was ready from others: it takes a clone along, and
/// gets it ready when the body is there.
///
/// ```
/// use buttress_sanitize::{Policy, Sanitize, SanitizeLayer};
/// use tower::Layer;
///
/// struct Server {
///     app: Sanitize<axum::Router>,
/// }
///
/// let layer = SanitizeLayer::new(Policy::strict_json());
/// let server = Server { app: layer.layer(axum::Router::new()) };
/// ```
#[derive(Clone, Debug)]
pub struct Sanitize<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S> Sanitize<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared: Some(shared) }
    }

    /// A service of the same type that judges nothing, for where a guard is a setting.
    pub const fn unguarded(inner: S) -> Self {
        Self { inner, shared: None }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Sanitize<S>
where
    S: Service<Request<GuardedBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes>,
    ReqBody::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return ResponseFuture::inner(self.inner.call(request.map(GuardedBody::open)), None);
        };
        let (mut head, body) = request.into_parts();
        let content = match shared.judge(&mut head, &body) {
            Ok(content) => content,
            Err(violation) => {
                let protocol = Protocol::of(&head.headers);
                return ResponseFuture::refused(shared.answer(&violation, protocol, head.version));
            }
        };
        let note = || Arc::new(Note::new(Arc::clone(shared), &head));
        match content {
            Content::Open => {
                let request = Request::from_parts(head, GuardedBody::open(body));
                ResponseFuture::inner(self.inner.call(request), None)
            }
            Content::AsRead(kind) => {
                let note = note();
                let watch = Watch::of(kind, &note);
                if watch.strips() {
                    head.headers.remove(CONTENT_LENGTH);
                }
                let request = Request::from_parts(head, GuardedBody::watched(body, watch));
                ResponseFuture::inner(self.inner.call(request), Some(note))
            }
            Content::First(kind) => {
                let note = note();
                let body = GuardedBody::watched(body, Watch::of(kind, &note));
                let not_ready_inner = self.inner.clone();
                // What the ready one has reserved is for others while this one waits.
                self.inner = not_ready_inner.clone();
                ResponseFuture::first(not_ready_inner, head, body, note)
            }
        }
    }
}
