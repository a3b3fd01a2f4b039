//! The log of changes. Alone in its process: which callsites are live is known to all threads.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod common;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_core::{
    lifecycle::{Lifecycle, State},
    source::CheckError,
};
use buttress_health::{Entry, FnCheck, HealthLayer, Heartbeat, Registry};
use common::{Script, after_runs, get, probes};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Of this thread, until the guard is dropped.
    fn taken() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || to.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_is_one_line_and_the_cause_is_in_it() {
    let (lines, _guard) = Lines::taken();
    let (health, runner) =
        Registry::new().check(Entry::critical(Script::new("db", "PPFFFFP"))).unwrap().split();
    tokio::spawn(runner.run());
    after_runs(&health, "db", 9).await;
    let text = lines.text();
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        ("INFO", r#"from="pending" to="healthy""#),
        ("WARN", r#"from="healthy" to="degraded""#),
        ("ERROR", r#"from="degraded" to="unhealthy""#),
        ("INFO", r#"from="unhealthy" to="healthy""#),
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, (level, change)) in lines.iter().zip(expected) {
        assert!(line.contains(level) && line.contains(change), "{line}");
        assert_eq!(line.contains(common::PLANTED), level != "INFO", "{line}");
    }
}

/// A 503 without a line in the log is a riddle.
#[tokio::test(start_paused = true)]
async fn what_grows_stale_is_one_line_however_often_it_is_read() {
    let (lines, _guard) = Lines::taken();
    let (health, runner) =
        Registry::new().check(Entry::critical(Script::new("db", "P"))).unwrap().split();
    let runner = tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    runner.abort();
    tokio::time::sleep(Duration::from_secs(60)).await;
    for _ in 0..3 {
        assert_eq!(get(&probes(&health), "/health").await.status, 503);
        assert_eq!(get(&probes(&health), "/ready").await.status, 503);
    }
    let text = lines.text();
    let stale: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(stale.len(), 1, "{text}");
    for part in [r#"check="db""#, r#"from="healthy" to="unavailable""#, r#"reason="stale""#] {
        assert!(stale[0].contains(part), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_falls_silent_is_one_line_for_each_silence() {
    let (lines, _guard) = Lines::taken();
    let beat = Heartbeat::new("outbox", Duration::from_secs(10)).unwrap();
    let (health, _runner) = Registry::new().heartbeat(&beat).unwrap().split();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(11)).await;
        for _ in 0..3 {
            assert_eq!(get(&probes(&health), "/livez").await.status, 503);
        }
        beat.beat();
        assert_eq!(get(&probes(&health), "/livez").await.status, 200);
    }
    let text = lines.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for (line, level) in lines.iter().zip(["ERROR", "INFO", "ERROR", "INFO"]) {
        assert!(line.contains(level) && line.contains(r#"heartbeat="outbox""#), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_while_draining_is_no_line() {
    let (lines, _guard) = Lines::taken();
    let (lifecycle, beat) =
        (Lifecycle::new(), Heartbeat::new("outbox", Duration::from_secs(10)).unwrap());
    let (health, _runner) = Registry::new().lifecycle(&lifecycle).heartbeat(&beat).unwrap().split();
    lifecycle.advance(State::Draining);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let service = HealthLayer::new(&health).status_for_anyone().into_service();
    for path in ["/livez", "/status"] {
        assert_eq!(get(&service, path).await.status, 200, "{path}");
    }
    assert_eq!(lines.text(), "");
}

/// What a driver says first is often no more than that there was an error.
#[tokio::test(start_paused = true)]
async fn a_cause_is_told_with_its_own_causes() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no session")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let (lines, _guard) = Lines::taken();
    let check = FnCheck::new("db", || async {
        Err(CheckError::failed("down").because(Outer(std::io::Error::other("reset by peer"))))
    });
    let (health, runner) = Registry::new().check(Entry::critical(check)).unwrap().split();
    tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    assert!(lines.text().contains(r#"cause="no session: reset by peer""#), "{}", lines.text());
}
