//! The counters of one budget: a word or two, no lock, no clock.

use super::{Concurrency, MILLION, Quota};
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// In thousandths of a token.
const THOUSAND: u64 = 1_000;

/// What is left of a budget. All it counts is in the words themselves, so that no order between
/// them, or with anything else, matters.
#[derive(Debug)]
pub(crate) enum Pot {
    Unlimited,
    Ratio { saved: AtomicU64, deposit: u64, reserve: u64, max: u64 },
    Quota { tokens: AtomicU64, quota: Quota },
    Concurrency { active: AtomicU64, retries: AtomicU64, limits: Concurrency },
    Throttle { tokens: AtomicU64, success: u64, max: u64 },
}

/// What a retry has taken, and gives back when it is not sent, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount(u64);

impl Pot {
    pub(crate) fn ratio(deposit: u64, reserve: u64, max_saved: u64) -> Self {
        let (reserve, max) = (reserve * MILLION, max_saved.max(reserve) * MILLION);
        Self::Ratio { saved: AtomicU64::new(reserve), deposit, reserve, max }
    }

    pub(crate) fn quota(quota: Quota) -> Self {
        Self::Quota { tokens: AtomicU64::new(quota.capacity), quota }
    }

    pub(crate) fn concurrency(limits: Concurrency) -> Self {
        Self::Concurrency { active: AtomicU64::new(0), retries: AtomicU64::new(0), limits }
    }

    pub(crate) fn throttle(max: u64, success: u64) -> Self {
        let max = max * THOUSAND;
        Self::Throttle { tokens: AtomicU64::new(max), success, max }
    }

    /// Whether it counts what is under way.
    pub(crate) const fn counts_active(&self) -> bool {
        matches!(self, Self::Concurrency { .. })
    }

    /// A request begins.
    pub(crate) fn enter(&self) {
        if let Self::Concurrency { active, .. } = self {
            active.fetch_add(1, Relaxed);
        }
    }

    /// It has ended.
    pub(crate) fn leave(&self) {
        if let Self::Concurrency { active, .. } = self {
            active.fetch_sub(1, Relaxed);
        }
    }

    /// The first attempt of a request has ended, and well or not.
    #[inline]
    pub(crate) fn first_ended(&self, well: bool) {
        match self {
            Self::Ratio { saved, deposit, max, .. } => add(saved, *deposit, *max),
            Self::Quota { tokens, quota } if well => add(tokens, quota.success, quota.capacity),
            Self::Throttle { tokens, success, max } if well => add(tokens, *success, *max),
            _ => {}
        }
    }

    /// A retry has ended well.
    pub(crate) fn retry_succeeded(&self, paid: Amount) {
        match self {
            Self::Quota { tokens, quota } => add(tokens, paid.0, quota.capacity),
            Self::Throttle { tokens, success, max } => add(tokens, *success, *max),
            _ => {}
        }
    }

    /// An attempt has failed in a way that is worth a retry, or is told not to come back.
    pub(crate) fn failed(&self) {
        if let Self::Throttle { tokens, .. } = self {
            // The closure always has an answer, so this cannot fail.
            let _ = tokens
                .fetch_update(Relaxed, Relaxed, |tokens| Some(tokens.saturating_sub(THOUSAND)));
        }
    }

    /// Takes what a retry costs, if it is there.
    pub(crate) fn withdraw(&self, after_timeout: bool) -> Option<Amount> {
        match self {
            Self::Unlimited => Some(Amount(0)),
            Self::Ratio { saved, .. } => take(saved, MILLION),
            Self::Quota { tokens, quota } => {
                take(tokens, if after_timeout { quota.timeout_cost } else { quota.cost })
            }
            Self::Concurrency { active, retries, limits } => {
                let share = active.load(Relaxed).saturating_mul(limits.ratio) / MILLION;
                let most = share.max(limits.least);
                let more = |retries: u64| (retries < most).then_some(retries + 1);
                retries.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Amount(1))
            }
            Self::Throttle { tokens, max, .. } => {
                (tokens.load(Relaxed) > max / 2).then_some(Amount(0))
            }
        }
    }

    /// A retry that was paid for was not sent.
    pub(crate) fn refund(&self, paid: Amount) {
        match self {
            Self::Ratio { saved, max, .. } => add(saved, paid.0, *max),
            Self::Quota { tokens, quota } => add(tokens, paid.0, quota.capacity),
            Self::Unlimited | Self::Concurrency { .. } | Self::Throttle { .. } => {}
        }
    }

    /// A retry is under way no more, sent or not.
    pub(crate) fn over(&self) {
        if let Self::Concurrency { retries, .. } = self {
            retries.fetch_sub(1, Relaxed);
        }
    }

    /// Whether it says no more than a new one.
    pub(crate) fn is_at_rest(&self) -> bool {
        match self {
            Self::Unlimited => true,
            // A new one has its reserve; who has less must not get it by being forgotten. What was
            // saved up beyond it may go.
            Self::Ratio { saved, reserve, .. } => saved.load(Relaxed) >= *reserve,
            Self::Quota { tokens, quota } => tokens.load(Relaxed) == quota.capacity,
            Self::Concurrency { active, .. } => active.load(Relaxed) == 0,
            Self::Throttle { tokens, max, .. } => tokens.load(Relaxed) == *max,
        }
    }

    /// Whole retries, or tokens, that are left; of those under way, how many more there may be.
    pub(crate) fn left(&self) -> Option<u64> {
        Some(match self {
            Self::Unlimited => return None,
            Self::Ratio { saved, .. } => saved.load(Relaxed) / MILLION,
            Self::Quota { tokens, .. } => tokens.load(Relaxed),
            Self::Concurrency { active, retries, limits } => {
                let share = active.load(Relaxed).saturating_mul(limits.ratio) / MILLION;
                share.max(limits.least).saturating_sub(retries.load(Relaxed))
            }
            Self::Throttle { tokens, .. } => tokens.load(Relaxed) / THOUSAND,
        })
    }
}

/// Up to the most there can be. Where that is reached, nothing is written.
#[inline]
fn add(word: &AtomicU64, amount: u64, max: u64) {
    let _ = word.fetch_update(Relaxed, Relaxed, |before| {
        (before < max).then(|| before.saturating_add(amount).min(max))
    });
}

fn take(word: &AtomicU64, amount: u64) -> Option<Amount> {
    word.fetch_update(Relaxed, Relaxed, |before| before.checked_sub(amount))
        .ok()
        .map(|_| Amount(amount))
}
