//! The service: decide, then the inner one or a refusal.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::body::ResponseBody;
use http::{Request, Response};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    shared::{Decided, Pass, Shared},
};

/// Limits how often each client of `S` may come; made by a [`LimitLayer`](crate::LimitLayer).
///
/// `S` is `Clone`, because a request that waits must not keep the inner service that was ready
/// from others: it takes a clone along, and gets it ready when its time has come.
///
/// ```
/// use buttress_limit::{Key, Limit, LimitLayer, Rule};
/// use tower::Layer;
///
/// struct Server {
///     app: Limit<axum::Router>,
/// }
///
/// let layer = LimitLayer::new(Key::peer(), [Rule::general()])?;
/// let server = Server { app: layer.layer(axum::Router::new()) };
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Limit<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S> Limit<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared: Some(shared) }
    }

    /// A service of the same type that limits nothing, for where a limit is a setting.
    ///
    /// ```
    /// use buttress_limit::{Limit, LimitLayer};
    /// use tower::Layer;
    ///
    /// fn app(limit: Option<LimitLayer>) -> Limit<axum::Router> {
    ///     let app = axum::Router::new();
    ///     match limit {
    ///         Some(limit) => limit.layer(app),
    ///         None => Limit::unlimited(app),
    ///     }
    /// }
    /// # let _ = app(None);
    /// ```
    pub const fn unlimited(inner: S) -> Self {
        Self { inner, shared: None }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Limit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return ResponseFuture::inner(self.inner.call(request), Pass::Nothing);
        };
        match shared.decide(&mut request) {
            Decided::Now(pass) => ResponseFuture::inner(self.inner.call(request), pass),
            Decided::Refused(refusal) => ResponseFuture::refused(shared.answer(refusal, request)),
            Decided::Later(later) => {
                let not_ready_inner = self.inner.clone();
                // What the ready one has reserved is for others while this one waits.
                self.inner = not_ready_inner.clone();
                ResponseFuture::later(later, not_ready_inner, request, Arc::clone(shared))
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Limit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").field("inner", &self.inner).field("limits", &self.shared).finish()
    }
}
