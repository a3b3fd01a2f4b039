//! Which lines are written.

use tracing_core::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Of what this crate says itself.
const TARGET: &str = "buttress_log";

/// The least severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What happens.
    Info,
    /// What should not happen, and does no harm yet.
    Warn,
    /// What failed.
    Error,
    /// What the process does not survive: `error!(fatal = true, …)`.
    Fatal,
    /// Nothing.
    Off,
}

impl LogLevel {
    const ALL: [(&'static str, Self); 7] = [
        ("trace", Self::Trace),
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("fatal", Self::Fatal),
        ("off", Self::Off),
    ];

    /// The level of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let named = Self::ALL.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, level)| *level)
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error | Self::Fatal => LevelFilter::ERROR,
            Self::Off => LevelFilter::OFF,
        }
    }
}

/// What the layers are given.
#[derive(Clone, Debug)]
pub(super) struct Threshold {
    pub(super) targets: Targets,
    pub(super) fatal_only: bool,
    /// Debug lines were asked for, and are not written.
    raised: bool,
}

impl Threshold {
    pub(super) fn of(level: LogLevel, targets: Option<Targets>) -> Self {
        let fatal_only = targets.is_none() && level == LogLevel::Fatal;
        let targets = targets.unwrap_or_else(|| Targets::new().with_default(level.filter()));
        Self { targets, fatal_only, raised: false }
    }

    /// Nothing below info.
    pub(super) fn without_debug(self) -> Self {
        let allowed = |level: LevelFilter| level.min(LevelFilter::INFO);
        let default = self.targets.default_level();
        let raised = self.targets.iter().map(|(_, level)| level).chain(default);
        let raised = raised.into_iter().any(|level| level != allowed(level));
        let mut targets = Targets::new();
        targets
            .extend(self.targets.iter().map(|(target, level)| (target.to_owned(), allowed(level))));
        if let Some(default) = default {
            targets = targets.with_default(allowed(default));
        }
        // Whoever asks for some targets alone is to read of it too.
        if raised && self.targets.iter().all(|(target, _)| target != TARGET) {
            targets = targets.with_target(TARGET, LevelFilter::WARN);
        }
        Self { targets, raised, ..self }
    }

    /// Says what was not done as it was asked.
    pub(super) fn warn(&self) {
        if self.raised {
            tracing::warn!(
                target: TARGET,
                "levels below info are off in production unless ALLOW_DEBUG=true"
            );
        }
    }
}
