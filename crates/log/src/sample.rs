//! Which requests are told of, where not all are.

use std::hash::{Hash, Hasher};

use buttress_core::context::{self, RequestContext};
use tracing::{Level, Metadata, Subscriber};
use tracing_core::Interest;
use tracing_subscriber::layer::{Context, Filter};

use crate::access::{ConfigError, ConfigErrorKind, EVENT};

/// The target of events that are never sampled: `tracing::info!(target: "audit", …)`.
const AUDIT: &str = "audit";

/// The share of requests that are told of: a verdict on each, the same wherever it is asked for.
///
/// It is drawn from the trace's id alone, the last 7 bytes of which are random (W3C Trace Context
/// level 2, §3.2.2.3): a trace is kept where they are at least `(1 - rate) · 2⁵⁶`, as
/// OpenTelemetry's consistent sampling has it. So all services that a trace passes come to the
/// same verdict, and what a lower rate keeps, a higher rate keeps too. Without a trace the
/// request's id is hashed; without either, when it began.
///
/// As a filter it leaves out what requests that are not kept say at INFO and below, and lets pass:
/// `WARN` and `ERROR`, whatever is said outside of requests, the lines of
/// [`AccessLog`](crate::AccessLog), which decides for itself, and the target `audit`.
///
/// ```
/// use buttress_log::{AccessLog, Sampling};
/// use tracing_subscriber::prelude::*;
///
/// let rate = 0.1;
/// let access = AccessLog::new().sample(rate)?;
/// let layer = tracing_subscriber::fmt::layer().with_filter(Sampling::new(rate)?);
/// let subscriber = tracing_subscriber::registry().with(layer);
/// # tracing::subscriber::with_default(subscriber, || {
/// tracing::info!("as one in ten of the requests' own");
/// tracing::info!(target: "audit", user = "u_1", "always");
/// # });
/// # let _ = access;
/// # Ok::<(), buttress_log::ConfigError>(())
/// ```
///
/// A request that turns out to be slow or to fail has its access line in any case; what it said
/// at INFO on its way is gone by then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    rate: f64,
    /// The least of [`NUMBERS`] numbers that is kept.
    least: u64,
}

const RANDOM_BITS: u32 = 56;
const NUMBERS: u64 = 1 << RANDOM_BITS;

impl Sampling {
    pub(crate) const ALL: Self = Self { rate: 1.0, least: 0 };

    /// Keeps this share of the requests: more than 0, and at most 1, which is all. The least that
    /// can be kept is one of 2⁵⁶.
    ///
    /// # Errors
    /// Where the rate is anything else.
    pub fn new(rate: f64) -> Result<Self, ConfigError> {
        if !(rate > 0.0 && rate <= 1.0) {
            let message = format!("sample rate {rate}: more than 0 and at most 1");
            return Err(ConfigError::new(ConfigErrorKind::InvalidRate, message));
        }
        // Counted from the kept ones: `1 - rate` would round a small rate away.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to 2^56"
        )]
        let kept = (rate * NUMBERS as f64).round() as u64;
        Ok(Self { rate, least: NUMBERS - kept.max(1) })
    }

    /// The share.
    #[must_use]
    pub const fn rate(self) -> f64 {
        self.rate
    }

    /// The verdict on a request.
    #[must_use]
    pub fn keeps(self, request: &RequestContext) -> bool {
        self.least == 0 || number_of(request).is_none_or(|number| number >= self.least)
    }

    /// What a line says that was kept by chance.
    pub(crate) fn stamp(self) -> Option<f64> {
        (self.rate < 1.0).then_some(self.rate)
    }
}

/// Whether an event is kept that is sent now, on this thread.
pub(crate) fn keeps(sampling: Sampling, event: &Metadata<'_>) -> bool {
    is_always_kept(event) || context::current().is_none_or(|request| sampling.keeps(&request))
}

fn is_always_kept(metadata: &Metadata<'_>) -> bool {
    !metadata.is_event()
        || *metadata.level() <= Level::WARN
        || metadata.target() == AUDIT
        || metadata.name() == EVENT
}

impl<S: Subscriber> Filter<S> for Sampling {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        keeps(*self, metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.least == 0 || is_always_kept(metadata) {
            Interest::always()
        } else {
            Interest::sometimes()
        }
    }
}

/// Of 56 bits, the same for all that is of one trace.
fn number_of(request: &RequestContext) -> Option<u64> {
    if let Some(trace) = request.trace() {
        let [.., a, b, c, d, e, f, g] = *trace.trace_id();
        return Some(u64::from_be_bytes([0, a, b, c, d, e, f, g]));
    }
    let mut hasher = Mixed::new();
    if let Some(id) = request.request_id() {
        hasher.write(id.as_bytes());
    } else {
        request.started()?.hash(&mut hasher);
    }
    Some(hasher.finish() >> (u64::BITS - RANDOM_BITS))
}

/// FNV-1a, with the last step of `SplitMix64` so that the high bits are as good as the low ones.
/// The standard library's hasher may change with its version, and services differ in theirs.
struct Mixed(u64);

impl Mixed {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests;
