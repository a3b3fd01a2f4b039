//! The message of a line.

use std::fmt;

use http::{Method, StatusCode};

use buttress_core::observe::Outcome;

/// `GET /users/{id} 200`: of few words, so that lines can be grouped by it. What a client makes up
/// is not among them.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    method: &'a str,
    route: &'a str,
    end: &'a str,
}

impl<'a> Message<'a> {
    pub(super) fn new(
        method: &'a Method,
        route: Option<&'a str>,
        status: Option<&'a StatusCode>,
        outcome: Outcome,
    ) -> Self {
        let method = match *method {
            Method::GET
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::HEAD
            | Method::OPTIONS
            | Method::CONNECT
            | Method::PATCH
            | Method::TRACE => method.as_str(),
            _ => "_OTHER",
        };
        let end = status.map_or(outcome.as_str(), StatusCode::as_str);
        Self { method, route: route.unwrap_or("-"), end }
    }

    /// The texts that it is made of: two words of ours around the route.
    pub(crate) const fn words(&self) -> [&'a str; 3] {
        [self.method, self.route, self.end]
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [method, route, end] = self.words();
        write!(f, "{method} {route} {end}")
    }
}
