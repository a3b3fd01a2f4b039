//! The layer that finds a request's deadline out.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{Deadline, DeadlineHeader, DeadlineService};
use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// Gives each request a [`Deadline`], and an answer when it passes: 504, or `DEADLINE_EXCEEDED` in
/// gRPC.
///
/// On a server it goes outside of what does the work, and reads what the caller tells; around a
/// client it goes outside of [`RetryLayer`](crate::RetryLayer), takes the deadline of the request
/// that is being served, and [forwards](Self::forward) what is left of it. An answer that is ready
/// in time wins; its body is not bounded. A request that comes after its deadline goes no further.
///
/// ```
/// use buttress_retry::{DeadlineHeader, DeadlineLayer};
/// use std::time::Duration;
///
/// // What the caller says, but never more than 10 s; 2 s where it says nothing.
/// let layer = DeadlineLayer::new()
///     .header(DeadlineHeader::grpc())
///     .default_timeout(Duration::from_secs(2))?
///     .max_timeout(Duration::from_secs(10))?;
/// # Ok::<(), buttress_retry::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct DeadlineLayer {
    rules: Arc<Rules>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    headers: Vec<DeadlineHeader>,
    default: Option<Duration>,
    max: Option<Duration>,
    forward: Vec<DeadlineHeader>,
}

impl DeadlineLayer {
    /// Nothing is read, and nothing bounded, but by the deadline that there is already.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this header; said again, that one too. The earliest deadline counts.
    pub fn header(mut self, header: DeadlineHeader) -> Self {
        Arc::make_mut(&mut self.rules).headers.push(header);
        self
    }

    /// How long a request has that brings no deadline.
    ///
    /// # Errors
    /// When it is no time at all.
    pub fn default_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.rules).default = Some(some_time(timeout)?);
        Ok(self)
    }

    /// How long any request has at most.
    ///
    /// # Errors
    /// When it is no time at all.
    pub fn max_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.rules).max = Some(some_time(timeout)?);
        Ok(self)
    }

    /// Tells the inner service, in this header, how much is left: around a client.
    /// [`RetryLayer::deadline_header`](crate::RetryLayer::deadline_header) does so for each
    /// attempt anew.
    pub fn forward(mut self, header: DeadlineHeader) -> Self {
        Arc::make_mut(&mut self.rules).forward.push(header);
        self
    }
}

pub(crate) fn some_time(timeout: Duration) -> Result<Duration, ConfigError> {
    if timeout.is_zero() {
        return Err(ConfigError::new(Kind::Timeout, "a timeout must be longer than nothing"));
    }
    Ok(timeout)
}

impl Rules {
    /// The earliest that anybody says.
    pub(super) fn deadline<B>(&self, request: &http::Request<B>) -> Option<Deadline> {
        let told = self.headers.iter().filter_map(|header| header.read(request.headers())).min();
        let given = Deadline::earliest([
            told.map(Deadline::within),
            request.extensions().get().copied(),
            Deadline::current(),
        ]);
        let given = given.or_else(|| self.default.map(Deadline::within));
        Deadline::earliest([given, self.max.map(Deadline::within)])
    }

    pub(super) fn forward<B>(&self, request: &mut http::Request<B>, deadline: Deadline) {
        if self.forward.is_empty() {
            return;
        }
        let left = deadline.left();
        for header in &self.forward {
            header.write(request.headers_mut(), left);
        }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> DeadlineService<S> {
        DeadlineService::new(inner, Arc::clone(&self.rules))
    }
}
