//! A no, and what is told with it.

use std::{error::Error, fmt, time::Duration};

use buttress_core::reject::Rejection;
use http::StatusCode;

/// Who refuses, in [`Rejected`](buttress_core::reject::Rejected).
pub(crate) const LAYER: &str = "breaker";

/// A call that a circuit does not let through.
///
/// ```
/// use buttress_breaker::{Circuit, Policy};
///
/// let circuit = Circuit::new("smtp", Policy::new())?;
/// circuit.force_open();
/// let refused = circuit.acquire().unwrap_err();
/// assert_eq!(refused.reason(), "forced_open");
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    reason: Reason,
    retry_after: Option<Duration>,
}

/// Why, as one of a few fixed words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Open,
    HalfOpen,
    Ramp,
    ForcedOpen,
    BulkheadFull,
    BulkheadTimeout,
    NotReady,
}

impl Reason {
    /// Of a circuit.
    pub(crate) const OF_A_CIRCUIT: [Self; 4] =
        [Self::Open, Self::HalfOpen, Self::Ramp, Self::ForcedOpen];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Ramp => "ramp",
            Self::ForcedOpen => "forced_open",
            Self::BulkheadFull => "bulkhead_full",
            Self::BulkheadTimeout => "bulkhead_timeout",
            Self::NotReady => "not_ready",
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::Open => "calls of this service have failed, and are not made for a while",
            Self::HalfOpen => "it is being tried whether this service is back",
            Self::Ramp => "this service is back, and takes calls up little by little",
            Self::ForcedOpen => "this service has been switched off",
            Self::BulkheadFull => "too many calls are under way",
            Self::BulkheadTimeout => "too many calls were under way for too long",
            Self::NotReady => "the service takes no more calls for now",
        }
    }
}

impl Refused {
    /// When nothing better is known.
    pub(crate) const SOON: Duration = Duration::from_secs(1);

    pub(crate) const fn new(reason: Reason, retry_after: Option<Duration>) -> Self {
        Self { reason, retry_after }
    }

    pub(crate) const fn soon(reason: Reason) -> Self {
        Self::new(reason, Some(Self::SOON))
    }

    pub(crate) const fn why(self) -> Reason {
        self.reason
    }

    /// `open`, `half_open`, `ramp` or `forced_open`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.reason.as_str()
    }

    /// When to come back: when an open circuit's time is over, and else after 1 s. `None` where it
    /// is open by hand.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        self.retry_after
    }

    /// The refusal of a request: 503, or in gRPC UNAVAILABLE, by the layer `breaker`.
    pub fn rejection(self) -> Rejection {
        let rejection = Rejection::new(LAYER, self.reason(), StatusCode::SERVICE_UNAVAILABLE)
            .with_detail(self.reason.detail());
        match self.retry_after {
            Some(after) => rejection.with_retry_after(after),
            None => rejection,
        }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        refused.rejection()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.detail())
    }
}

impl Error for Refused {}
