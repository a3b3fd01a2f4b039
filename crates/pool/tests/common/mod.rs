//! What the tests have in common.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_core::source::{Metrics, Sample};
use tokio::time::{Instant, sleep};
use tracing::subscriber::DefaultGuard;

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Everything that this thread logs while it lives.
pub struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn new() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines that have this in them.
    pub fn lines(&self, part: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

/// Until it is so, for ten seconds at most.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(ms(10)).await;
    }
}

/// The present value, by the metric's name and one label's value.
pub fn metric(source: &impl Metrics, name: &str, label: &str) -> f64 {
    let mut found = None;
    source.collect(&mut |sample: Sample<'_>| {
        if sample.name == name && sample.labels.iter().any(|(_, value)| *value == label) {
            assert_eq!(found.replace(sample.value), None, "{name} {label} twice");
        }
    });
    found.unwrap_or_else(|| panic!("no {name} {label}"))
}
