//! The log of changes. Alone in its process: which callsites are live is known to all threads.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod common;

use std::sync::{Arc, Mutex};

use buttress_health::{Entry, Registry};
use common::{Script, after_runs};

#[tokio::test(start_paused = true)]
async fn each_change_is_one_line_and_the_cause_is_in_it() {
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
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || to.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (health, runner) =
        Registry::new().check(Entry::critical(Script::new("db", "PPFFFFP"))).unwrap().split();
    tokio::spawn(runner.run());
    after_runs(&health, "db", 9).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
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
