//! CSRF protection with answers of ours.

use std::fmt;

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{HeaderValue, Response, StatusCode};
use tower_http::csrf::{CsrfLayer, ProtectionError, ResponseForProtectionError};

use crate::origin::{self, ConfigError};

/// Turns cross-site requests away that a browser sends without its user wanting it.
///
/// The rule is tower-http's [`CsrfLayer`]: by `Sec-Fetch-Site` and `Origin`, without tokens. GET,
/// HEAD and OPTIONS pass, and so does whatever is no browser. Origins that [`Cors`](crate::Cors)
/// lets in are trusted here too: what one slot allows, the other does not refuse.
///
/// ```
/// use buttress::{Csrf, Stack};
///
/// let stack = Stack::new().csrf(Csrf::new().trust(["https://admin.example.com"])?);
/// # let _ = stack;
/// # Ok::<(), buttress::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Csrf {
    trusted: Vec<HeaderValue>,
}

impl Csrf {
    /// Trusts the service's own origin alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these origins as well.
    ///
    /// # Errors
    ///
    /// As [`Cors::allow`](crate::Cors::allow).
    pub fn trust<I>(mut self, origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.trusted.extend(origin::parse_all(origins)?);
        Ok(self)
    }

    /// The layer that trusts `more` beside its own.
    pub(crate) fn layer(&self, more: &[HeaderValue]) -> CsrfLayer<ProblemAnswer> {
        self.trusted
            .iter()
            .chain(more)
            .filter_map(|origin| origin.to_str().ok())
            .fold(CsrfLayer::new(), |layer, origin| {
                // Each was judged by `origin::parse`, which is the stricter of the two.
                layer.clone().add_trusted_origin(origin).unwrap_or(layer)
            })
            .with_rejection_response(ProblemAnswer)
    }
}

impl fmt::Display for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("own origin")?;
        for origin in &self.trusted {
            write!(f, ", {}", origin.to_str().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Answers as every rejection of the family does.
#[derive(Clone, Copy, Debug)]
pub struct ProblemAnswer;

impl<B> ResponseForProtectionError<ResponseBody<B>> for ProblemAnswer {
    fn response_for_protection_error(&mut self, _: ProtectionError) -> Response<ResponseBody<B>> {
        Rejection::new("csrf", "cross_origin", StatusCode::FORBIDDEN)
            .detail("this request came from a page of another origin")
            .respond(&DefaultResponder, Protocol::Http)
    }
}
