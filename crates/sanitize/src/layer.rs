//! The layer and its verbs.

use std::{fmt, sync::Arc};

use buttress_core::reject::Reject;
use http::{HeaderValue, request::Parts};
use tower_layer::Layer;

use crate::{
    content_type::Kind, handle::SanitizeHandle, policy::Policy, service::Sanitize, shared::Shared,
};

/// Up to here a body of known length is judged before the handler is called.
const CHECK_FIRST: u64 = 64 * 1024;

/// Refuses requests that break a [`Policy`], before or while the handler reads them.
///
/// A clone, and every service that it makes, shares the counts. See the [crate](crate) for where
/// it goes in a stack.
///
/// ```
/// use buttress_sanitize::{Kind, Policy, SanitizeLayer};
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let layer = SanitizeLayer::new(Policy::strict_json()).accept([Kind::Json]);
/// let service = layer.layer(service_fn(|_: Request<_>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("never called")))
/// }));
/// let request = Request::post("/users")
///     .header("content-type", "application/json")
///     .body(Full::<Bytes>::from(r#"{"role": "user", "role": "admin"}"#))
///     .unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 400);
/// let body = response.into_body().collect().await.unwrap().to_bytes();
/// assert_eq!(
///     body,
///     r#"{"title":"Bad Request","status":400,"errors":[{"detail":"the key is there twice","pointer":"/role","in":"body","rule":"duplicate_key"}]}"#
/// );
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct SanitizeLayer {
    shared: Arc<Shared>,
}

impl SanitizeLayer {
    /// Judges by this policy, and takes JSON and forms.
    pub fn new(policy: Policy) -> Self {
        let shared = Shared {
            name: "http",
            policy,
            accepts: Vec::new(),
            accept: HeaderValue::from_static(""),
            check_first: CHECK_FIRST,
            body_timeout: None,
            report_only: false,
            share_policy: false,
            skip: None,
            responder: None,
            counts: Arc::default(),
        };
        Self { shared: Arc::new(shared) }.accept([Kind::Json, Kind::Form])
    }

    /// What its metrics call it, in the label `guard`; the default is `http`. Guards on one page of
    /// metrics have different names.
    pub fn name(self, name: &'static str) -> Self {
        self.with(|shared| shared.name = name)
    }

    /// Which kinds of bodies are taken; the default is JSON and forms. Others are answered 415,
    /// with what is taken in `Accept`.
    ///
    /// A handler that reads JSON whatever the content type says takes JSON alone,
    /// `accept([Kind::Json])`: a JSON text that is declared to be a form is judged as a form.
    ///
    /// Nobody looks into [`Kind::Multipart`] and [`Kind::Other`]: of them the bytes are counted.
    /// [`Kind::Other`] is also a body of which nothing is declared.
    ///
    /// A body of [`Kind::Grpc`] is left alone, since it is a stream of messages that has no size
    /// and may stay open for days; its path is judged. So it is for services that speak gRPC, and
    /// where nobody reads JSON whatever the content type says.
    pub fn accept(self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.with(|shared| {
            shared.accepts.clear();
            for kind in kinds {
                if !shared.accepts.contains(&kind) {
                    shared.accepts.push(kind);
                }
            }
            let names: Vec<_> = shared.accepts.iter().map(|kind| kind.media_type()).collect();
            // They are constants, and visible ASCII.
            shared.accept = HeaderValue::try_from(names.join(", "))
                .unwrap_or(HeaderValue::from_static("application/json"));
        })
    }

    /// Up to how many bytes a body of known length is judged before the handler is called, for
    /// JSON and forms; the default is 64 KiB, and 0 is never. A longer one, and one of unknown
    /// length, is judged while the handler reads it.
    ///
    /// Such a body is held in memory, as much of it as has come.
    pub fn check_first(self, bytes: u64) -> Self {
        self.with(|shared| shared.check_first = bytes)
    }

    /// How long a body may keep its reader waiting in all; after that it ends, and the answer is
    /// 408. Without this there is no limit of time.
    ///
    /// What is counted is the time in which somebody reads and nothing comes: neither what the
    /// handler does in between, nor a body that is not read. A client that sends a byte a second
    /// has its time in all, and not anew with each byte.
    ///
    /// It needs tokio's timer at run time, from the first wait on.
    #[cfg(feature = "tokio")]
    pub fn body_timeout(self, most: std::time::Duration) -> Self {
        self.with(|shared| shared.body_timeout = Some(most))
    }

    /// Puts the policy into the request's extensions, where the extractors (feature `axum`) look
    /// for theirs: then both judge by the same.
    pub fn share_policy(self) -> Self {
        self.with(|shared| shared.share_policy = true)
    }

    /// Leaves requests alone of which this is true: an upload with a layer of its own, say.
    ///
    /// ```
    /// use buttress_sanitize::{Policy, SanitizeLayer};
    ///
    /// let layer = SanitizeLayer::new(Policy::strict_json())
    ///     .skip_if(|head| head.uri.path() == "/upload");
    /// ```
    pub fn skip_if<F>(self, skip: F) -> Self
    where
        F: Fn(&Parts) -> bool + Send + Sync + 'static,
    {
        self.with(|shared| shared.skip = Some(Arc::new(skip)))
    }

    /// Refuses nothing: what would be refused is counted and logged, and passes as it is, unless
    /// something else refuses it. Nothing is stripped, and no content type is rewritten but to its
    /// canonical form. For a look at what a service is sent before it is guarded.
    pub fn report_only(self) -> Self {
        self.with(|shared| shared.report_only = true)
    }

    /// Puts refusals into words of one's own; see [`Reject`].
    pub fn responder(self, responder: impl Reject + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.responder = Some(Arc::new(responder)))
    }

    /// Reads what the layer has done, also after it went into a service.
    #[must_use]
    pub fn handle(&self) -> SanitizeHandle {
        SanitizeHandle::new(Arc::clone(&self.shared))
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl<S> Layer<S> for SanitizeLayer {
    type Service = Sanitize<S>;

    fn layer(&self, inner: S) -> Sanitize<S> {
        Sanitize::new(inner, Arc::clone(&self.shared))
    }
}

/// What is in force, in one line.
impl fmt::Display for SanitizeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &self.shared;
        let accept = shared.accept.to_str().unwrap_or_default();
        write!(f, "{accept}, at most {} bytes", shared.policy.limits.body)?;
        if let Some(most) = shared.body_timeout {
            write!(f, " in {most:?}")?;
        }
        if shared.report_only {
            f.write_str(", only reported")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SanitizeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SanitizeLayer").field(&self.shared).finish()
    }
}
