//! The layer that lets only so many calls be under way.

#[cfg(feature = "wait")]
use std::time::Duration;
use std::{borrow::Cow, fmt, sync::Arc};

use buttress_core::{
    reject::Reject,
    source::{Metrics, Sample},
};
use tower_layer::Layer;

mod body;
mod future;
mod gradient;
mod seats;
mod service;
#[cfg(feature = "wait")]
mod turn;
#[cfg(not(feature = "wait"))]
#[path = "bulkhead/turn_off.rs"]
mod turn;

pub use self::{body::BulkheadBody, future::BulkheadFuture, gradient::Gradient, service::Bulkhead};
use self::{gradient::Adaptive, seats::Seats};
use crate::error::{ConfigError, ConfigErrorKind as Kind};
#[cfg(feature = "wait")]
use crate::policy::time;

/// Lets only so many calls be under way at once, each to the end of its answer's body.
///
/// What comes beyond is refused with 503 and the reason `bulkhead_full`; or, with `wait` (feature
/// `wait`), so many wait for so long, first come, first served, and what waited too long is refused
/// as `bulkhead_timeout`. One who waits holds no inner service. A clone, and every service that it
/// makes, shares the seats.
///
/// ```
/// use buttress_breaker::BulkheadLayer;
///
/// let layer = BulkheadLayer::new("reports", 32)?;
/// assert_eq!(layer.handle().limit(), 32);
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct BulkheadLayer {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    name: Cow<'static, str>,
    seats: Seats,
    adaptive: Option<Adaptive>,
    wait: turn::Wait,
    responder: Option<Arc<dyn Reject + Send + Sync>>,
}

const MAX_SEATS: usize = 1 << 24;

impl BulkheadLayer {
    /// So many at once, 1 to 16,777,216. The name is a label of its metrics.
    ///
    /// # Errors
    /// When there is no seat, or too many.
    pub fn new(name: impl Into<Cow<'static, str>>, seats: usize) -> Result<Self, ConfigError> {
        Ok(Self::of(name.into(), count("a bulkhead", seats)?, None))
    }

    /// As many at once as the time that they take shows to be good; see [`Gradient`].
    ///
    /// # Errors
    /// When its limits cannot be right.
    pub fn adaptive(
        name: impl Into<Cow<'static, str>>,
        gradient: Gradient,
    ) -> Result<Self, ConfigError> {
        let (first, adaptive) = gradient.check()?;
        Ok(Self::of(name.into(), first, Some(adaptive)))
    }

    fn of(name: Cow<'static, str>, seats: u32, adaptive: Option<Adaptive>) -> Self {
        let shared = Shared {
            name,
            seats: Seats::new(seats),
            adaptive,
            wait: turn::Wait::default(),
            responder: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Lets so many wait for a seat, each for so long at most. None wait by default.
    ///
    /// ```
    /// use buttress_breaker::BulkheadLayer;
    /// use std::time::Duration;
    ///
    /// let layer = BulkheadLayer::new("reports", 32)?.wait(100, Duration::from_millis(250))?;
    /// # Ok::<(), buttress_breaker::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When nobody may wait, or too many, or for no time.
    #[cfg(feature = "wait")]
    pub fn wait(self, waiting: usize, at_most: Duration) -> Result<Self, ConfigError> {
        let waiting = count("a queue", waiting)?;
        time("the time to wait", at_most)?;
        Ok(self.with(|shared| shared.wait = turn::Wait::new(waiting, at_most)))
    }

    /// Puts refusals into words of one's own; see [`Reject`].
    pub fn responder(self, responder: impl Reject + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.responder = Some(Arc::new(responder)))
    }

    /// Reads the layer when it has gone into a service. Take it last: it does not see what a later
    /// verb changes.
    #[must_use]
    pub fn handle(&self) -> BulkheadHandle {
        BulkheadHandle { shared: Arc::clone(&self.shared) }
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let old = &*self.shared;
        let mut shared = Shared {
            name: old.name.clone(),
            seats: Seats::new(old.seats.limit()),
            adaptive: old.adaptive.as_ref().map(Adaptive::fresh),
            wait: old.wait,
            responder: old.responder.clone(),
        };
        change(&mut shared);
        Self { shared: Arc::new(shared) }
    }
}

fn count(what: &str, count: usize) -> Result<u32, ConfigError> {
    match u32::try_from(count) {
        Ok(seats) if (1..=MAX_SEATS).contains(&count) => Ok(seats),
        _ => {
            let message = format!("{what} for {count}: there must be from 1 to {MAX_SEATS}");
            Err(ConfigError::new(Kind::Capacity, message))
        }
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = Bulkhead<S>;

    fn layer(&self, inner: S) -> Bulkhead<S> {
        Bulkhead::new(inner, Arc::clone(&self.shared))
    }
}

impl fmt::Debug for BulkheadLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadLayer").field("bulkhead", &self.shared).finish()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("name", &self.name)
            .field("limit", &self.seats.limit())
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// Reads a [`BulkheadLayer`]: how many are in it, and the numbers for a metrics page.
///
/// ```
/// use buttress_breaker::BulkheadLayer;
///
/// let handle = BulkheadLayer::new("reports", 32)?.handle();
/// assert_eq!((handle.in_flight(), handle.waiting(), handle.refused()), (0, 0, 0));
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadHandle {
    shared: Arc<Shared>,
}

impl BulkheadHandle {
    /// Calls that are under way, to the end of their answers' bodies.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.seats.taken()
    }

    /// Calls that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.seats.waiting()
    }

    /// How many may be under way, now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.shared.seats.limit() as usize
    }

    /// Calls that were refused since it was made, at once or after they had waited.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.seats.refused()
    }
}

impl Metrics for BulkheadHandle {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let labels = [("bulkhead", &*self.shared.name)];
        let help = "Calls that are under way.";
        let in_flight = self.in_flight() as f64;
        each(Sample::gauge("bulkhead_in_flight_calls", help, in_flight).labels(&labels));
        let help = "How many calls may be under way.";
        each(Sample::gauge("bulkhead_limit_calls", help, self.limit() as f64).labels(&labels));
        let help = "Calls that wait for a seat.";
        each(Sample::gauge("bulkhead_waiting_calls", help, self.waiting() as f64).labels(&labels));
        let help = "Calls that were refused.";
        let refused = self.refused() as f64;
        each(Sample::counter("bulkhead_refusals_total", help, refused).labels(&labels));
    }
}
