//! What goes wrong, told to each in its own words: the log hears all of it, and the client what
//! concerns it. A problem layer of this family takes the place of this later.

use std::{any::Any, error::Error as StdError, panic::PanicHookInfo};

use axum::{
    body::Body,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{Response, StatusCode},
    response::IntoResponse,
};
use buttress::{context, problem::Problem};
use tower_http::catch_panic::ResponseForPanic;

type BoxError = Box<dyn StdError + Send + Sync>;

/// How a handler fails.
#[derive(Debug)]
pub(crate) enum Error {
    /// By the client's fault: it is told how.
    Client(Box<Problem>),
    /// By ours: the client is told the request's id.
    Internal(BoxError),
}

impl Error {
    pub(crate) fn client(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Client(Box::new(Problem::new(status).with_detail(detail.into())))
    }

    pub(crate) fn internal(error: impl Into<BoxError>) -> Self {
        Self::Internal(error.into())
    }

    /// An extractor's refusal. Some are the service's own mistakes, and none of the client's
    /// business.
    fn extractor(status: StatusCode, text: String) -> Self {
        if status.is_server_error() { Self::internal(text) } else { Self::client(status, text) }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response<Body> {
        let problem = match self {
            Self::Client(problem) => *problem,
            Self::Internal(error) => {
                tracing::error!(
                    request_id = request_id(),
                    error = chain(&*error),
                    "handler failed"
                );
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        problem.for_request().into_http()
    }
}

macro_rules! from_extractor {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for Error {
            fn from(rejection: $rejection) -> Self {
                Self::extractor(rejection.status(), rejection.body_text())
            }
        }
    )*};
}

from_extractor!(JsonRejection, PathRejection, QueryRejection);

/// Answers in the place of a handler that panicked. What it said is in the log by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaskPanic;

impl ResponseForPanic for MaskPanic {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, _: Box<dyn Any + Send>) -> Response<Body> {
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR).for_request();
        problem.into_http()
    }
}

/// The panic hook. It runs where the panic happened, so it knows the request.
pub(crate) fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload();
    let message = said.downcast_ref::<&str>().copied();
    let message = message.or_else(|| said.downcast_ref::<String>().map(String::as_str));
    let at = panic.location().map(tracing::field::display);
    tracing::error!(request_id = request_id(), error = message, at, "panicked");
}

/// The id of the current request, wherever the code is.
pub(crate) fn request_id() -> Option<String> {
    context::current()?.request_id_str().map(str::to_owned)
}

/// An error and what caused it, on one line.
fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
