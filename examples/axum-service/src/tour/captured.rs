//! The service's log, kept so that the tour can show the real lines.

use std::{io, time::Duration};

use buttress::log::{InitError, Setup, Sink};
use serde_json::Value;
use tokio::{sync::watch, time::timeout};

/// A line is written when an answer's last byte is out: a moment after the client has it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes what is logged. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub(super) struct Captured(watch::Sender<String>);

/// A line of the log.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) text: String,
    json: Value,
}

impl Captured {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(String::new()))
    }

    /// The service's own logging, in JSON, with the refused ids in it.
    pub(super) fn setup(&self) -> Result<Setup, InitError> {
        let vars = |name: &str| match name {
            "LOG_FORMAT" => Some("json".into()),
            "RUST_LOG" => Some("info,buttress_request_id=debug".into()),
            "ALLOW_DEBUG" => Some("true".into()),
            _ => None,
        };
        Setup::new().service("example-axum").sink(Sink::to(self.clone())).vars(vars)
    }

    /// The first line that has all of these in it, once it is there.
    pub(super) async fn line(&self, parts: &[&str]) -> Option<Line> {
        let find = |log: &str| {
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(Line::new)
        };
        let mut log = self.0.subscribe();
        let found = log.wait_for(|log| find(log).is_some());
        let log = timeout(PATIENCE, found).await.ok()?.ok()?;
        find(&log)
    }

    /// All that was logged so far.
    pub(super) fn all(&self) -> Vec<Line> {
        self.0.borrow().lines().map(Line::new).collect()
    }
}

impl Line {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), json: serde_json::from_str(text).unwrap_or_default() }
    }

    /// Whether a line has this in it.
    pub(super) fn has(part: &str) -> impl Fn(&Self) -> bool {
        move |line| line.text.contains(part)
    }

    /// A field, or null.
    pub(super) fn field(&self, name: &str) -> &Value {
        self.json.get(name).unwrap_or(&Value::Null)
    }

    /// A field's text, or nothing.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_default()
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The log writes whole lines.
        self.0.send_modify(|log| log.push_str(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
