//! The one word that says what a circuit does with a call.

use std::fmt;

use crate::clock::Nanos;

/// What a circuit does with calls.
///
/// ```
/// use buttress_breaker::{Circuit, Policy, State};
///
/// let circuit = Circuit::new("smtp", Policy::new())?;
/// assert_eq!(circuit.state(), State::Closed);
/// circuit.force_open();
/// assert_eq!(circuit.state().as_str(), "forced_open");
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused until its time is over; the next one then is a probe.
    Open,
    /// A few probes pass, and everything else is refused.
    HalfOpen,
    /// The probes were good: a growing share of the calls passes.
    Ramp,
    /// Everything is refused, by hand.
    ForcedOpen,
    /// Everything passes, by hand.
    ForcedClosed,
    /// Everything passes, and what would have opened it is counted.
    MetricsOnly,
    /// Everything passes, and nothing is counted.
    Disabled,
}

impl State {
    pub(crate) const ALL: [Self; 8] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::Ramp,
        Self::ForcedOpen,
        Self::ForcedClosed,
        Self::MetricsOnly,
        Self::Disabled,
    ];

    /// A fixed word, for a log field or a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Ramp => "ramp",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::MetricsOnly => "metrics_only",
            Self::Disabled => "disabled",
        }
    }

    /// Whether it refuses calls because the other side failed.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::Open | Self::HalfOpen)
    }

    const fn bits(self) -> u64 {
        match self {
            Self::Closed => 0,
            Self::Open => 1,
            Self::HalfOpen => 2,
            Self::Ramp => 3,
            Self::ForcedOpen => 4,
            Self::ForcedClosed => 5,
            Self::MetricsOnly => 6,
            Self::Disabled => 7,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The state (3 bits), the generation (21 bits) and, where it is open, until when (40 bits of
/// milliseconds: 34 years).
///
/// A generation is a stretch of time whose results belong together. Every change of what is counted
/// begins a new one, so that a result from before can be told. It takes two million changes for a
/// number to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const UNTIL_BITS: u32 = 40;
const GENERATION_BITS: u32 = 21;
const UNTIL_MAX: u64 = (1 << UNTIL_BITS) - 1;
const GENERATION_MAX: u64 = (1 << GENERATION_BITS) - 1;
const MILLI: Nanos = 1_000_000;

impl Word {
    /// Closed, in its first generation.
    pub(crate) const NEW: Self = Self(0);

    #[inline]
    pub(crate) const fn of(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The next generation, in this state. Until when is cut to a millisecond, so that five seconds
    /// are never told as six.
    pub(crate) fn next(self, state: State, until: Nanos) -> Self {
        let generation = (u64::from(self.generation()) + 1) & GENERATION_MAX;
        let until = (until / MILLI).min(UNTIL_MAX);
        Self(state.bits() << (UNTIL_BITS + GENERATION_BITS) | generation << UNTIL_BITS | until)
    }

    /// Another state in the same generation.
    pub(crate) const fn with(self, state: State) -> Self {
        let below = (1 << (UNTIL_BITS + GENERATION_BITS)) - 1;
        Self(state.bits() << (UNTIL_BITS + GENERATION_BITS) | self.0 & below)
    }

    #[inline]
    pub(crate) const fn is_closed(self) -> bool {
        self.0 >> (UNTIL_BITS + GENERATION_BITS) == 0
    }

    pub(crate) const fn state(self) -> State {
        match self.0 >> (UNTIL_BITS + GENERATION_BITS) {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::Ramp,
            4 => State::ForcedOpen,
            5 => State::ForcedClosed,
            6 => State::MetricsOnly,
            _ => State::Disabled,
        }
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> UNTIL_BITS & GENERATION_MAX) as u32
    }

    pub(crate) const fn until(self) -> Nanos {
        (self.0 & UNTIL_MAX) * MILLI
    }
}
