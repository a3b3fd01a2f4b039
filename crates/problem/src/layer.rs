use std::fmt;

use tower_layer::Layer;

use crate::Problems;

/// Makes every failure a problem document that leaks nothing, and logs what it was.
///
/// ```
/// use buttress_problem::{Failure, ProblemLayer};
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service = ProblemLayer::new().layer(service_fn(|_: Request<()>| async {
///     let key: Result<Response<Full<Bytes>>, _> = Err("no row for api key hunter2");
///     Ok::<_, std::convert::Infallible>(key.unwrap_or_else(|e| Failure::internal(e).into_http()))
/// }));
/// let response = service.oneshot(Request::new(())).await.unwrap();
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// let body = response.into_body().collect().await.unwrap().to_bytes();
/// assert_eq!(body, r#"{"title":"Internal Server Error","status":500}"#);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ProblemLayer {
    settings: Option<Settings>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) development: bool,
    pub(crate) keep_json: bool,
}

impl ProblemLayer {
    /// As in production: of a failure of its own the service tells the status, and no more.
    pub const fn new() -> Self {
        Self { settings: Some(Settings { development: false, keep_json: false }) }
    }

    /// A layer that does nothing, at the price of a branch: for a slot that is empty.
    ///
    /// It stays as it is whatever is set on it.
    pub const fn disabled() -> Self {
        Self { settings: None }
    }

    /// Shows it all to the client: detail, title and members of what is 500 and up, the chain of
    /// causes (`chain`), what a panic said and where (`detail`, `at`), and backtraces
    /// (`backtrace`) where `RUST_BACKTRACE` asks for them. Bodies of 500 and up are treated like
    /// those below. The log has the backtraces too.
    pub const fn development(mut self) -> Self {
        if let Some(settings) = &mut self.settings {
            settings.development = true;
        }
        self
    }

    /// Leaves JSON (`application/json`, `*+json`) of 500 and up as the service wrote it. Default
    /// false: it is replaced by a document.
    ///
    /// For an API with error bodies of its own format, which then has to see to it by itself that
    /// they tell nothing of the inside.
    pub const fn keep_json(mut self, keep: bool) -> Self {
        if let Some(settings) = &mut self.settings {
            settings.keep_json = keep;
        }
        self
    }
}

impl Default for ProblemLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ProblemLayer {
    type Service = Problems<S>;

    fn layer(&self, inner: S) -> Problems<S> {
        Problems::new(inner, self.settings)
    }
}

/// What is in force, in one line.
impl fmt::Display for ProblemLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.settings {
            None => "off",
            Some(Settings { development: true, .. }) => {
                "development: details, causes and panics are shown"
            }
            Some(Settings { keep_json: true, .. }) => "5xx masked, but for JSON; panics caught",
            Some(_) => "5xx masked, panics caught",
        })
    }
}
