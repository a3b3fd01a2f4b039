//! How many retries there may be, so that a failing backend is not buried under them.

use std::sync::Arc;

#[cfg(not(loom))]
pub(crate) use self::keyed::Budgets;
pub(crate) use self::{pot::Pot, token::Token};
use crate::error::{ConfigError, ConfigErrorKind as Kind};

#[cfg(not(loom))]
mod keyed;
mod pot;
#[cfg(all(test, not(loom)))]
mod tests;
mod token;

#[cfg(loom)]
pub mod model;

/// A ratio is counted in millionths, so that 0.6 is 0.6.
const MILLION: u64 = 1_000_000;
const DEFAULT_RESERVE: u32 = 10;
/// What a quiet hour may save up, in retries.
const DEFAULT_MAX_SAVED: u32 = 1_000;
/// The AWS SDKs' "standard" mode: tokens in the bucket, for a retry, for one after a timeout, and
/// back for a first attempt that went well (aws-smithy-runtime 1.x, `TokenBucket`).
const QUOTA: Quota = Quota { capacity: 500, cost: 5, timeout_cost: 10, success: 1 };
const DEFAULT_HOSTS: usize = 1_024;

/// How many retries a layer may send, over all its requests.
///
/// Without a budget, three attempts at each of three layers make 27 requests of one, just when the
/// backend can bear them least; with 20 % at each they are 1.73. A layer's services share its
/// budget, and so do its hedges. A token is taken when a retry is about to be sent, and given back
/// when it is not.
///
/// | | a retry costs | what pays |
/// |---|---|---|
/// | [`ratio`](Self::ratio) | 1 | each request, by the ratio; from the start a reserve |
/// | [`quota`](Self::quota) | 5 of 500, 10 after a timeout | a retry that went well gives its own back, a first attempt 1 |
/// | [`concurrency`](Self::concurrency) | a place among those under way | requests under way |
/// | [`throttle`](Self::throttle) | nothing, but a failure costs 1, and above half of the tokens must be there | each success, by the ratio |
///
/// ```
/// use buttress_retry::{Budget, RetryLayer};
///
/// // One retry for ten requests, for each host by itself.
/// let budget = Budget::ratio(0.1).reserve(5).per_host();
/// let layer = RetryLayer::http().budget(budget)?;
/// # Ok::<(), buttress_retry::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Budget {
    policy: Policy,
    hosts: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Unlimited,
    Ratio { ratio: f64, reserve: u32, max_saved: u32 },
    Quota(Quota),
    Concurrency { ratio: f64, least: u32 },
    Throttle { max: u32, ratio: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) capacity: u64,
    pub(crate) cost: u64,
    pub(crate) timeout_cost: u64,
    pub(crate) success: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Concurrency {
    /// In millionths.
    pub(crate) ratio: u64,
    pub(crate) least: u64,
}

impl Budget {
    /// So many retries for each request, over time: 0.2 is one for five. Each request pays when
    /// its first attempt has ended, however it did.
    pub const fn ratio(ratio: f64) -> Self {
        let (reserve, max_saved) = (DEFAULT_RESERVE, DEFAULT_MAX_SAVED);
        Self::of(Policy::Ratio { ratio, reserve, max_saved })
    }

    /// The retry quota of the AWS SDKs: 500 tokens, of which a retry takes 5, one after a timeout
    /// 10; a retry that goes well gives its own back, a first attempt that does, 1.
    pub const fn quota() -> Self {
        Self::of(Policy::Quota(QUOTA))
    }

    /// Envoy's retry budget: retries under way are at most this share of the requests under way,
    /// and at least 3 may be.
    pub const fn concurrency(ratio: f64) -> Self {
        Self::of(Policy::Concurrency { ratio, least: 3 })
    }

    /// gRPC's retry throttling (gRFC A6): `max` tokens at most, of which each failure takes 1 and
    /// each success gives back `ratio` (three decimals count); a retry needs more than half of
    /// them to be there.
    pub const fn throttle(max: u32, ratio: f64) -> Self {
        Self::of(Policy::Throttle { max, ratio })
    }

    /// As many as there are attempts: for what is bounded by other means.
    pub const fn unlimited() -> Self {
        Self::of(Policy::Unlimited)
    }

    /// Retries that are there from the start, of a [`ratio`](Self::ratio) (the default is 10); of
    /// [`concurrency`](Self::concurrency), how many may always be under way (3).
    pub const fn reserve(mut self, retries: u32) -> Self {
        match &mut self.policy {
            Policy::Ratio { reserve, .. } => *reserve = retries,
            Policy::Concurrency { least, .. } => *least = retries,
            Policy::Unlimited | Policy::Quota(_) | Policy::Throttle { .. } => {}
        }
        self
    }

    /// The most retries that requests can have paid for in advance, of a [`ratio`](Self::ratio);
    /// the default is 1,000. It bounds the wave of retries after a long quiet time.
    pub const fn max_saved(mut self, retries: u32) -> Self {
        if let Policy::Ratio { max_saved, .. } = &mut self.policy {
            *max_saved = retries;
        }
        self
    }

    /// A budget for each host that requests go to, so that one that fails does not use up what
    /// others may need. 1,024 are kept; see [`per_host_up_to`](Self::per_host_up_to).
    pub const fn per_host(self) -> Self {
        self.per_host_up_to(DEFAULT_HOSTS)
    }

    /// As [`per_host`](Self::per_host), for so many hosts. When there are more, one that is not in
    /// use makes room; where all are, those beyond share one budget.
    pub const fn per_host_up_to(mut self, hosts: usize) -> Self {
        self.hosts = Some(hosts);
        self
    }

    const fn of(policy: Policy) -> Self {
        Self { policy, hosts: None }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let refused = |message: String| Err(ConfigError::new(Kind::Budget, message));
        match self.policy {
            Policy::Ratio { ratio, .. } | Policy::Concurrency { ratio, .. }
                if !(0.0..=1_000.0).contains(&ratio) =>
            {
                refused(format!("a ratio of {ratio} is not one of 0 to 1000"))
            }
            Policy::Ratio { max_saved: 0, .. } => {
                refused("where nothing can be saved, nothing can be paid".to_owned())
            }
            // The bounds are gRFC A6's.
            Policy::Throttle { max, .. } if !(1..=1_000).contains(&max) => {
                refused(format!("{max} tokens are not 1 to 1000"))
            }
            Policy::Throttle { ratio, .. } if !(0.001..=1_000.0).contains(&ratio) => {
                refused(format!("a ratio of {ratio} is not one of 0.001 to 1000"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) const fn hosts(&self) -> Option<usize> {
        self.hosts
    }

    pub(crate) fn pot(&self) -> Arc<Pot> {
        Arc::new(match self.policy {
            Policy::Unlimited => Pot::Unlimited,
            Policy::Ratio { ratio, reserve, max_saved } => {
                Pot::ratio(units(ratio, MILLION), reserve.into(), max_saved.into())
            }
            Policy::Quota(quota) => Pot::quota(quota),
            Policy::Concurrency { ratio, least } => {
                Pot::concurrency(Concurrency { ratio: units(ratio, MILLION), least: least.into() })
            }
            Policy::Throttle { max, ratio } => Pot::throttle(max.into(), units(ratio, 1_000)),
        })
    }
}

/// 20 % of the requests, and 10 from the start.
impl Default for Budget {
    fn default() -> Self {
        Self::ratio(0.2)
    }
}

/// Rounded to the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is from 0 to 1,000 times one"
)]
fn units(ratio: f64, of_one: u64) -> u64 {
    (ratio * of_one as f64).round() as u64
}
