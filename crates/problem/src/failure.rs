use std::{backtrace::Backtrace, borrow::Cow, error::Error, fmt, sync::Arc};

use buttress_core::{problem::Problem, value::Value};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::{BoxError, Category, Errors, IntoProblem, chain};

/// A request that failed: what the client is told, and what only the log is.
///
/// It is the error type of handlers. As an answer ([`into_http`](Self::into_http), or with the
/// feature `axum` by itself) it shows nothing of the cause, with a layer or without one; the cause
/// travels in the answer's extensions to the [`ProblemLayer`](crate::ProblemLayer), which logs it.
///
/// ```
/// use buttress_problem::Failure;
/// use bytes::Bytes;
/// use http::StatusCode;
///
/// let failure = "five".parse::<u8>().map_err(Failure::internal).unwrap_err();
/// let answer = failure.into_http::<Bytes>();
/// assert_eq!(answer.status(), 500);
/// assert_eq!(answer.body(), r#"{"title":"Internal Server Error","status":500}"#);
///
/// let failure = Failure::new(StatusCode::CONFLICT).with_detail("changed by someone else");
/// assert_eq!(failure.to_string(), "409 Conflict: changed by someone else");
/// ```
pub struct Failure(Box<Inner>);

struct Inner {
    problem: Problem,
    category: Option<Category>,
    headers: HeaderMap,
    public: bool,
    cause: Option<BoxError>,
    backtrace: Backtrace,
}

/// A failure on its way to the layer, in an answer's extensions.
#[derive(Clone)]
pub(crate) struct Carried(Arc<Inner>);

impl Failure {
    /// A failure with this status and no cause.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self::of(Problem::new(status))
    }

    /// 500, because of `cause`: for `map_err`.
    #[must_use]
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR).with_cause(cause)
    }

    /// As every failure begins. A backtrace is taken where the service is at fault and
    /// `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asks for it.
    fn of(problem: Problem) -> Self {
        let backtrace =
            if is_masked(problem.status()) { Backtrace::capture() } else { Backtrace::disabled() };
        Self(Box::new(Inner {
            problem,
            category: None,
            headers: HeaderMap::new(),
            public: false,
            cause: None,
            backtrace,
        }))
    }

    /// Adds the cause, for the log alone.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<BoxError>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Says more. Below 500 the client reads it.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.map(|problem| problem.with_detail(detail))
    }

    /// Names the kind of problem by a URI (the document's `type`).
    #[must_use]
    pub fn with_kind(self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.map(|problem| problem.with_kind(uri))
    }

    /// Sets the summary of the kind; of itself it is the status's reason phrase.
    #[must_use]
    pub fn with_title(self, title: &'static str) -> Self {
        self.map(|problem| problem.with_title(title))
    }

    /// Adds an extension member to the document.
    #[must_use]
    pub fn with_member(self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.map(|problem| problem.with_member(name, value))
    }

    /// Says what is wrong with which part of the request (the member `errors`).
    #[must_use]
    pub fn with_errors(self, errors: Errors) -> Self {
        self.with_member("errors", errors)
    }

    /// Sets another category than the status's.
    #[must_use]
    pub fn with_category(mut self, category: Category) -> Self {
        self.0.category = Some(category);
        self
    }

    /// Adds a header to the answer, such as `Retry-After`; the same name again adds a line.
    ///
    /// What the document says of itself stays: `content-type` and `content-length` are ignored.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            self.0.headers.append(name, value);
        }
        self
    }

    /// Shows detail, title and members to the client although the status is 500 or more: they were
    /// written for it. The cause stays with the log.
    ///
    /// ```
    /// use buttress_problem::Failure;
    /// use bytes::Bytes;
    /// use http::StatusCode;
    ///
    /// let noon = Failure::new(StatusCode::SERVICE_UNAVAILABLE).with_detail("back at noon").public();
    /// assert_eq!(
    ///     noon.into_http::<Bytes>().body(),
    ///     r#"{"title":"Service Unavailable","status":503,"detail":"back at noon"}"#,
    /// );
    /// ```
    #[must_use]
    pub fn public(mut self) -> Self {
        self.0.public = true;
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.problem.status()
    }

    /// What kind of failure it is; none, where the status is below 400 and nothing was set.
    #[must_use]
    pub fn category(&self) -> Option<Category> {
        self.0.category()
    }

    /// The whole document, before anything is masked.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// What only the log is told.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// The answer, in any body that can be made of bytes. The cause is not in it, but among its
    /// extensions, for the layer.
    #[must_use]
    pub fn into_http<B: From<Bytes>>(self) -> Response<B> {
        let mut response = self.0.in_production().for_request().into_http();
        response.headers_mut().extend(self.0.headers.clone());
        response.extensions_mut().insert(Carried(Arc::from(self.0)));
        response
    }

    fn map(mut self, change: impl FnOnce(Problem) -> Problem) -> Self {
        let problem = std::mem::replace(&mut self.0.problem, Problem::new(StatusCode::OK));
        self.0.problem = change(problem);
        self
    }
}

/// Whether it is the service's own fault, so that its client is told no more than that.
pub(crate) fn is_masked(status: StatusCode) -> bool {
    status.as_u16() >= 500
}

impl Inner {
    fn category(&self) -> Option<Category> {
        self.category.or_else(|| Category::of(self.problem.status()))
    }

    fn in_production(&self) -> Problem {
        if is_masked(self.problem.status()) && !self.public {
            return Problem::new(self.problem.status());
        }
        self.problem.clone()
    }

    fn in_development(&self) -> Problem {
        let mut problem = self.problem.clone();
        if let Some(cause) = self.cause.as_deref() {
            let chain: Vec<_> = chain::causes(cause).map(Value::from).collect();
            if problem.detail().is_none() {
                problem = problem.with_detail(cause.to_string());
            }
            problem = problem.with_member("chain", chain);
        }
        match self.backtrace() {
            Some(backtrace) => problem.with_member("backtrace", lines(&backtrace)),
            None => problem,
        }
    }

    fn backtrace(&self) -> Option<String> {
        captured(&self.backtrace)
    }
}

/// A backtrace as text, if there is one.
pub(crate) fn captured(backtrace: &Backtrace) -> Option<String> {
    use std::backtrace::BacktraceStatus::Captured;
    (backtrace.status() == Captured).then(|| backtrace.to_string())
}

/// A text as a list of its lines, which can be read in a document.
pub(crate) fn lines(text: &str) -> Value {
    Value::List(text.lines().map(|line| Value::from(line.trim().to_owned())).collect())
}

impl Carried {
    pub(crate) fn category(&self) -> Option<Category> {
        self.0.category()
    }

    /// The document for an answer that has this status by now. Where it is another than the
    /// failure's, someone has changed it on the way, and what was said is not said of it.
    pub(crate) fn document(&self, status: StatusCode, development: bool) -> Problem {
        if status != self.0.problem.status() {
            return Problem::new(status);
        }
        if development { self.0.in_development() } else { self.0.in_production() }
    }

    /// What the log is told: the detail, if the client is not told, and the causes.
    pub(crate) fn chain(&self) -> Option<String> {
        let causes = self.0.cause.as_deref().map(|cause| chain::one_line(cause));
        let detail = self.0.problem.detail();
        match (detail, causes) {
            // An application's error that is its own detail is not said twice.
            (Some(detail), Some(causes)) if causes.starts_with(detail) => Some(causes),
            (Some(detail), Some(causes)) => Some(format!("{detail}: {causes}")),
            (Some(detail), None) => Some(detail.to_owned()),
            (None, causes) => causes,
        }
    }

    pub(crate) fn backtrace(&self) -> Option<String> {
        self.0.backtrace()
    }

    pub(crate) fn has_cause(&self) -> bool {
        self.0.cause.is_some()
    }
}

impl<E: IntoProblem> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut failure = Self::of(error.to_problem());
        failure.0.category = error.category();
        failure.with_cause(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::of(problem)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status())?;
        match self.problem().detail() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("problem", &self.0.problem)
            .field("category", &self.category())
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Failure {
    fn into_response(self) -> axum_core::response::Response {
        self.into_http()
    }
}
