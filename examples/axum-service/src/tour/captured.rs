//! The service's log, kept so that the tour can show the real lines.

use std::{io, time::Duration};

use tokio::{sync::watch, time::timeout};
use tracing_subscriber::fmt::MakeWriter;

/// A line is written when an answer's last byte is out: a moment after the client has it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes what the subscriber writes. A clone writes to the same place.
#[derive(Clone, Debug)]
pub(super) struct Captured(watch::Sender<String>);

impl Captured {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(String::new()))
    }

    /// The first line that has all of these in it, once it is there.
    pub(super) async fn line(&self, parts: &[&str]) -> Option<String> {
        let find = |log: &str| {
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        let mut log = self.0.subscribe();
        let found = log.wait_for(|log| find(log).is_some());
        let log = timeout(PATIENCE, found).await.ok()?.ok()?;
        find(&log)
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The subscriber writes whole lines.
        self.0.send_modify(|log| log.push_str(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
