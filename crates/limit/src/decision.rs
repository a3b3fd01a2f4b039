//! What a rule said.

use std::time::Duration;

/// What a rule says to a charge, in the words of redis-cell's `CL.THROTTLE`.
///
/// ```
/// use buttress_limit::{Limiter, MemoryStore, Rule, seconds};
///
/// let limiter = Limiter::new(MemoryStore::new()?, [Rule::general(), Rule::burst()])?;
/// let now = seconds(0);
/// let decision = (0..10).map(|_| limiter.check_at("ada", 1, now)).last().unwrap();
/// assert!(!decision.is_limited());
/// // The tightest of the rules.
/// assert_eq!((decision.rule(), decision.limit(), decision.remaining()), ("burst", 10, 0));
/// assert_eq!(decision.reset_after(), seconds(1));
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision<'a> {
    pub(crate) rule: &'a str,
    pub(crate) limited: bool,
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) next_unit: Duration,
    pub(crate) reset_after: Duration,
    pub(crate) source: Source,
}

/// Who has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A store in memory.
    #[default]
    Memory,
    /// Redis, asked for it.
    Redis,
    /// Units that were taken from Redis before.
    Lease,
    /// What Redis has said when it refused the same key before.
    DenyCache,
    /// The fall-back, while Redis does not answer.
    Fallback,
}

impl Source {
    /// In one word, as on metrics: `memory`, `redis`, `lease`, `deny_cache` or `fallback`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Lease => "lease",
            Self::DenyCache => "deny_cache",
            Self::Fallback => "fallback",
        }
    }
}

impl<'a> Decision<'a> {
    /// The rule that says so. Of several it is the one that refuses, for the longest if more than
    /// one do; else the one of which least is left.
    #[must_use]
    pub const fn rule(&self) -> &'a str {
        self.rule
    }

    /// Whether it refuses. Then nothing was charged.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// The most that can be left: the burst, or the window's quota.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many units are left now.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// How long until the same charge would be admitted, if nothing else is charged. `None` where
    /// it was not refused, or can never pass: it costs more than the limit.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// How long until there is one unit more; zero where none is missing.
    #[must_use]
    pub const fn next_unit(&self) -> Duration {
        self.next_unit
    }

    /// How long until all of the limit is there again.
    #[must_use]
    pub const fn reset_after(&self) -> Duration {
        self.reset_after
    }

    /// Who has decided.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}
