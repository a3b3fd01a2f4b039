//! What is watched, and what is known of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use buttress_core::{
    lifecycle::{Lifecycle, State},
    source::{Metrics, Sample},
};
use tokio::time::Instant;

use crate::{
    cell::{Cell, Reading},
    entry::{Entry, check_name},
    error::{ConfigError, ConfigErrorKind as Kind},
    heartbeat::Heartbeat,
    log,
    runner::Runner,
    status::Status,
};

const CONCURRENCY: usize = 8;

/// Collects what is to be watched; [`split`](Self::split) makes the two halves of it.
///
/// ```
/// use buttress_core::{lifecycle::Lifecycle, source::CheckReport};
/// use buttress_health::{Entry, FnCheck, Registry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), buttress_health::ConfigError> {
/// let lifecycle = Lifecycle::new();
/// let (health, runner) = Registry::new()
///     .lifecycle(&lifecycle)
///     .check(Entry::critical(FnCheck::new("queue", || async { Ok(CheckReport::ok()) })))?
///     .split();
/// tokio::spawn(runner.run());
/// # let _ = health;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Registry {
    cells: Vec<Cell>,
    heartbeats: Vec<Heartbeat>,
    lifecycle: Option<Lifecycle>,
    concurrency: usize,
    version: Option<String>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Nothing to watch yet.
    pub const fn new() -> Self {
        Self {
            cells: Vec::new(),
            heartbeats: Vec::new(),
            lifecycle: None,
            concurrency: CONCURRENCY,
            version: None,
        }
    }

    /// Watches a check.
    ///
    /// # Errors
    /// If its name is taken, empty, longer than 64 bytes or not to be printed.
    pub fn check(mut self, entry: Entry) -> Result<Self, ConfigError> {
        let name = entry.check.name().to_owned();
        self.check_new(&name)?;
        self.cells.push(Cell::new(entry, name));
        Ok(self)
    }

    /// Watches a task of this process, for liveness.
    ///
    /// # Errors
    /// If its name is taken.
    pub fn heartbeat(mut self, heartbeat: &Heartbeat) -> Result<Self, ConfigError> {
        self.check_new(heartbeat.name())?;
        self.heartbeats.push(heartbeat.clone());
        Ok(self)
    }

    /// Follows the service's life: it has started once the state is `Running`, and is not ready
    /// any more from `Draining` on. Without it, the service has started as soon as its critical
    /// checks have been up.
    pub fn lifecycle(self, lifecycle: &Lifecycle) -> Self {
        Self { lifecycle: Some(lifecycle.clone()), ..self }
    }

    /// How many critical checks may run at once, and how many optional ones beside them; 8 of each
    /// by default. The optional ones have their own places, so that those that hang do not keep a
    /// critical one waiting until its last result is stale.
    ///
    /// # Errors
    /// If it is zero.
    pub fn concurrency(self, checks: usize) -> Result<Self, ConfigError> {
        if checks == 0 || checks > tokio::sync::Semaphore::MAX_PERMITS {
            return Err(ConfigError::new(Kind::Count, "at least one check runs at once"));
        }
        Ok(Self { concurrency: checks, ..self })
    }

    /// The service's version, for the details.
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// What answers, and what looks.
    #[must_use = "nothing is looked at until the runner runs"]
    pub fn split(self) -> (Health, Runner) {
        let health = Health(Arc::new(Shared {
            cells: self.cells,
            heartbeats: self.heartbeats,
            lifecycle: self.lifecycle,
            version: self.version,
            start: Instant::now(),
            started: AtomicBool::new(false),
        }));
        let runner = Runner::new(health.clone(), self.concurrency);
        (health, runner)
    }

    fn check_new(&self, name: &str) -> Result<(), ConfigError> {
        check_name(name)?;
        let mut cells = self.cells.iter().map(Cell::name);
        let mut heartbeats = self.heartbeats.iter().map(Heartbeat::name);
        if cells.any(|other| other == name) || heartbeats.any(|other| other == name) {
            return Err(ConfigError::new(Kind::Name, format!("{name}: the name is taken")));
        }
        Ok(())
    }
}

/// What is known: a handle that every request reads, and that calls nobody.
///
/// It is a [`Metrics`] source too: `health_status`, `health_live`, `health_ready`, and for each
/// check `health_check_status`, `health_check_duration_seconds`, `health_check_runs_total`,
/// `health_check_failures_total` and `health_check_transitions_total`.
#[derive(Clone)]
pub struct Health(Arc<Shared>);

struct Shared {
    cells: Vec<Cell>,
    heartbeats: Vec<Heartbeat>,
    lifecycle: Option<Lifecycle>,
    version: Option<String>,
    start: Instant,
    /// Set once and never taken back.
    started: AtomicBool,
}

impl Health {
    /// The whole: the worst of its checks, of which an optional one makes it degraded at most.
    #[must_use]
    pub fn overall(&self) -> Status {
        let now = self.now();
        worst(self.0.cells.iter().map(|cell| (cell.entry.critical, read(cell, now).status)))
    }

    /// Whether new requests should come here: started, not draining, and the whole is up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_started() && !self.is_draining() && self.overall().is_up()
    }

    /// Whether every [`Heartbeat`] goes on. What drains lets its tasks end, and is alive.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.is_draining() || self.0.heartbeats.iter().filter(|beat| beat.look()).count() == 0
    }

    /// Whether the service has ever been up: its life was `Running`, and each critical check was
    /// up at that time. It stays true.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.started.load(Ordering::Acquire) || self.starts(self.overall())
    }

    /// Whether it has started, now that the whole is so.
    pub(crate) fn starts(&self, overall: Status) -> bool {
        let started = self.0.started.load(Ordering::Acquire)
            || self.state() == State::Running && overall.is_up();
        if started {
            self.0.started.store(true, Ordering::Release);
        }
        started
    }

    /// How one check is; `None` if there is none of this name.
    #[must_use]
    pub fn status_of(&self, check: &str) -> Option<Status> {
        let cell = self.0.cells.iter().find(|cell| cell.name() == check)?;
        Some(read(cell, self.now()).status)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state() >= State::Draining
    }

    pub(crate) fn state(&self) -> State {
        self.0.lifecycle.as_ref().map_or(State::Running, Lifecycle::state)
    }

    pub(crate) fn lifecycle(&self) -> Option<&Lifecycle> {
        self.0.lifecycle.as_ref()
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.0.cells
    }

    pub(crate) fn heartbeats(&self) -> &[Heartbeat] {
        &self.0.heartbeats
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.0.version.as_deref()
    }

    /// The time since the registry was made.
    pub(crate) fn now(&self) -> Duration {
        self.0.start.elapsed()
    }
}

/// Reads a check; who is the first to find it stale says so in the log.
pub(crate) fn read(cell: &Cell, now: Duration) -> Reading {
    let reading = cell.read(now);
    if let Some(before) = cell.notice(reading) {
        log::changed(cell.name(), Some(before), reading.status, reading.unknown, None);
    }
    reading
}

/// Of whether each is critical, and how it is.
pub(crate) fn worst(all: impl Iterator<Item = (bool, Status)>) -> Status {
    all.map(|(critical, status)| if critical { status } else { status.min(Status::Degraded) })
        .max()
        .unwrap_or(Status::Healthy)
}

impl Metrics for Health {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        const STATUS: &str = "0 healthy, 1 degraded, 2 unavailable, 3 unhealthy.";
        each(Sample::gauge("health_status", STATUS, number(self.overall())));
        let flag = |is| if is { 1.0 } else { 0.0 };
        each(Sample::gauge("health_live", "Whether no task is silent.", flag(self.is_live())));
        each(Sample::gauge("health_ready", "Whether requests may come.", flag(self.is_ready())));
        let now = self.now();
        let cells = self.cells();
        for cell in cells {
            let status = number(read(cell, now).status);
            let labels = [("check", cell.name())];
            each(Sample::gauge("health_check_status", STATUS, status).labels(&labels));
        }
        let details: Vec<_> =
            cells.iter().map(|cell| (cell.name(), cell.snapshot(now).1)).collect();
        for (name, details) in &details {
            let took = details.took.as_secs_f64();
            let help = "How long the last look took.";
            let sample = Sample::gauge("health_check_duration_seconds", help, took);
            each(sample.labels(&[("check", name)]));
        }
        for (name, details) in &details {
            let sample = Sample::counter("health_check_runs_total", "Looks.", float(details.runs));
            each(sample.labels(&[("check", name)]));
        }
        for (name, details) in &details {
            let failures = float(details.failures);
            let sample =
                Sample::counter("health_check_failures_total", "Looks that failed.", failures);
            each(sample.labels(&[("check", name)]));
        }
        for cell in cells {
            let help = "Changes of the status.";
            let changes = float(cell.changes());
            let sample = Sample::counter("health_check_transitions_total", help, changes);
            each(sample.labels(&[("check", cell.name())]));
        }
    }
}

fn number(status: Status) -> f64 {
    match status {
        Status::Healthy => 0.0,
        Status::Degraded => 1.0,
        Status::Unavailable => 2.0,
        Status::Unhealthy => 3.0,
    }
}

/// Exact up to 2^53, and a count does not get there.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("overall", &self.overall())
            .field("state", &self.state())
            .field("checks", &self.0.cells.len())
            .finish_non_exhaustive()
    }
}
