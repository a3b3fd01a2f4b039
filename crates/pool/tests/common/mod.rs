//! What the tests have in common.

use std::{cell::RefCell, io, sync::Once, time::Duration};

use buttress_core::source::{Metrics, Sample};
use tokio::time::{Instant, sleep};

#[cfg(feature = "postgres")]
pub mod table;

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Everything that this thread logs from its beginning on. The subscriber is everybody's: with one
/// for each thread, what is of interest to none of them yet is not heard by the next one.
pub struct Log {
    begin: usize,
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn new() -> Self {
        static ONCE: Once = Once::new();

        ONCE.call_once(|| {
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::TRACE)
                .with_writer(|| Lines)
                .init();
        });
        Self { begin: LINES.with_borrow(Vec::len) }
    }

    pub fn text(&self) -> String {
        let new = LINES.with_borrow(|lines| lines.get(self.begin..).unwrap().to_vec());
        String::from_utf8(new).unwrap()
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
