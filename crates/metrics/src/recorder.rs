//! Everything that was counted.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use http::StatusCode;

use crate::{
    exemplar::Ids,
    in_flight::Gauges,
    labels::{ErrorType, Labels, OTHER, Place, Scheme},
    names::{Name, Names, hash},
    operations::Operations,
    otel::Instruments,
    series::{Measured, Series},
    settings::{Kind, Settings},
    table::Table,
    window::{Slice, Window},
};

/// How many series a meter has; what would be one more counts in one that says
/// `otel.metric.overflow` (the default cardinality limit of the OpenTelemetry metrics SDK).
pub const MAX_SERIES: usize = 2_000;

/// How many words `error.type` may have; the rest is `_OTHER`.
const MAX_ERROR_WORDS: usize = 255;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

pub(crate) struct Recorder {
    pub(crate) settings: Settings,
    started: Instant,
    pub(crate) window: Window,
    pub(crate) gauges: Gauges,
    pub(crate) names: Names,
    pub(crate) operations: Operations,
    errors: Table<(usize, &'static str)>,
    seed: u64,
    series: Table<Box<Series>>,
    overflow: Series,
    instruments: Instruments,
}

impl Recorder {
    pub(crate) fn new(settings: Settings) -> Self {
        let gauges = match settings.kind {
            Kind::Server => settings.methods.len() * Scheme::ALL.len(),
            Kind::Client => MAX_SERIES + 2,
        };
        Self {
            started: Instant::now(),
            window: Window::new(settings.window),
            gauges: Gauges::new(gauges),
            names: Names::new(MAX_SERIES),
            operations: Operations::default(),
            errors: Table::new(MAX_ERROR_WORDS),
            seed: RandomState::new().hash_one(0),
            series: Table::new(MAX_SERIES),
            overflow: Series::new(None, settings.exemplars),
            instruments: settings.export.instruments(settings.kind),
            settings,
        }
    }

    /// This recorder's time at an instant, in nanoseconds.
    #[inline]
    pub(crate) fn at(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.started))
    }

    /// Counts one exchange that ended at `now`.
    #[inline]
    pub(crate) fn record(
        &self,
        labels: Labels,
        name: &Name,
        measured: Measured,
        now: u64,
        ids: impl Fn() -> Ids,
    ) {
        let slice = self.window.slice(now);
        let series = self.series_of(labels);
        series.record(measured, slice, now / NANOS_PER_SECOND, &ids);
        name.latency.record(measured.nanos, slice, &ids);
        self.instruments.record(&series.exported, measured, || self.attributes_of(series));
    }

    #[inline]
    fn series_of(&self, labels: Labels) -> &Series {
        if labels.place == Place::OVERFLOW {
            return &self.overflow;
        }
        let make = |_| Box::new(Series::new(Some(labels), self.settings.exemplars));
        self.series.find_or_add(labels.key(), |_| true, make).map_or(&self.overflow, AsRef::as_ref)
    }

    /// `error.type` of a word. One that would read like another series' is that: a status, or
    /// what stands for too many words; and an empty one would read like none.
    pub(crate) fn error_word(&self, word: &'static str) -> ErrorType {
        match word {
            "" | OTHER => return ErrorType::word(MAX_ERROR_WORDS),
            _ if word.len() == 3 => {
                if let Ok(status) = StatusCode::from_bytes(word.as_bytes()) {
                    return ErrorType::status(status);
                }
            }
            _ => {}
        }
        let key = hash(self.seed, word.as_bytes());
        let found = self.errors.find_or_add(key, |(_, known)| *known == word, |at| (at, word));
        ErrorType::word(found.map_or(MAX_ERROR_WORDS, |(at, _)| *at))
    }

    pub(crate) fn error_name(&self, error: ErrorType) -> Option<String> {
        if let Some(status) = error.as_status() {
            return Some(status.to_string());
        }
        let word = self.errors.nth(error.as_word()?);
        Some(word.map_or(OTHER, |(_, word)| word).to_owned())
    }

    /// In the order in which they came up, and the overflow last if anything is in it.
    pub(crate) fn series(&self) -> impl Iterator<Item = &Series> {
        let overflow = (self.overflow.count() > 0).then_some(&self.overflow);
        self.series.iter().map(AsRef::as_ref).chain(overflow)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.gauges.iter().map(|(_, value)| value).sum()
    }

    pub(crate) fn first_slice(&self, now: u64) -> Slice {
        self.window.first(now)
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
