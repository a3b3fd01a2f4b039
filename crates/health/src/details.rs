//! All that is known, at one moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use buttress_core::{lifecycle::State, value::Value};

use crate::{
    cell::Cell,
    heartbeat::Heartbeat,
    registry::{Health, read, worst},
    status::Status,
};

/// Everything at one moment, so that no part of a page belies another.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) overall: Status,
    pub(crate) ready: bool,
    pub(crate) live: bool,
    pub(crate) started: bool,
    pub(crate) system: [(&'static str, Value); 7],
    /// Whether each is silent.
    pub(crate) heartbeats: Vec<(String, bool)>,
    pub(crate) rows: Vec<Row>,
}

/// One check, for those who may see details.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) critical: bool,
    pub(crate) reason: Option<&'static str>,
    pub(crate) took_ms: f64,
    pub(crate) last_check: Option<String>,
    pub(crate) last_success: Option<String>,
    pub(crate) last_failure: Option<String>,
    pub(crate) consecutive_failures: u32,
    pub(crate) data: Vec<(String, Value)>,
}

impl View {
    pub(crate) fn of(health: &Health) -> Self {
        let (now, state) = (health.now(), health.state());
        let rows: Vec<Row> = health.cells().iter().map(|cell| Row::new(cell, now)).collect();
        let overall = worst(rows.iter().map(|row| (row.critical, row.status)));
        let started = health.starts(overall);
        let is_draining = state >= State::Draining;
        // What ends while the service drains is no news.
        let look = if is_draining { Heartbeat::is_silent } else { Heartbeat::look };
        let heartbeats = health.heartbeats().iter();
        let heartbeats: Vec<_> =
            heartbeats.map(|beat| (beat.name().to_owned(), look(beat))).collect();
        Self {
            overall,
            ready: started && !is_draining && overall.is_up(),
            live: is_draining || heartbeats.iter().all(|(_, is_silent)| !is_silent),
            started,
            system: system(health, now, state),
            heartbeats,
            rows,
        }
    }

    pub(crate) fn into_json(self) -> String {
        let heartbeats = self.heartbeats.into_iter().map(|(name, is_silent)| {
            (name, Value::from(if is_silent { "silent" } else { "alive" }))
        });
        Value::object([
            ("status", Value::from(self.overall.word())),
            ("overall", self.overall.name().into()),
            ("ready", self.ready.into()),
            ("live", self.live.into()),
            ("started", self.started.into()),
            ("system", Value::object(self.system)),
            ("heartbeats", Value::object(heartbeats)),
            ("checks", Value::object(self.rows.into_iter().map(Row::into_value))),
        ])
        .to_json()
    }
}

impl Row {
    fn new(cell: &Cell, now: Duration) -> Self {
        // For the line in the log, if it grew stale.
        read(cell, now);
        let (reading, details) = cell.snapshot(now);
        Self {
            name: cell.name().to_owned(),
            status: reading.status,
            critical: cell.entry.critical,
            reason: reading.unknown.or(details.reason),
            took_ms: details.took.as_secs_f64() * 1_000.0,
            last_check: details.last_check.map(date),
            last_success: details.last_success.map(date),
            last_failure: details.last_failure.map(date),
            consecutive_failures: details.consecutive_failures,
            data: details.data,
        }
    }

    fn into_value(self) -> (String, Value) {
        let value = Value::object([
            ("status", Value::from(self.status.name())),
            ("critical", self.critical.into()),
            ("reason", self.reason.into()),
            ("responseTimeMs", self.took_ms.into()),
            ("lastCheck", self.last_check.into()),
            ("lastSuccess", self.last_success.into()),
            ("lastFailure", self.last_failure.into()),
            ("consecutiveFailures", self.consecutive_failures.into()),
            ("data", Value::object(self.data)),
        ]);
        (self.name, value)
    }
}

/// What is said of the service itself.
fn system(health: &Health, now: Duration, state: State) -> [(&'static str, Value); 7] {
    let state = match state {
        State::Starting => "starting",
        State::Running => "running",
        State::Draining => "draining",
        _ => "stopping",
    };
    // With the group's quota and the set of processors that it is bound to.
    let parallelism = std::thread::available_parallelism().ok();
    [
        ("version", health.version().map(str::to_owned).into()),
        ("state", state.into()),
        ("uptimeSeconds", now.as_secs().into()),
        ("pid", std::process::id().into()),
        ("os", std::env::consts::OS.into()),
        ("arch", std::env::consts::ARCH.into()),
        ("parallelism", parallelism.map(std::num::NonZero::get).into()),
    ]
}

/// RFC 3339, in UTC and whole seconds.
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The proleptic Gregorian calendar in eras of 400 years that begin in March, so that a leap
    // day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_that_of_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
