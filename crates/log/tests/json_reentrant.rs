//! A value that logs while it is logged.

mod output;

use std::fmt;

use buttress_log::{JsonLayer, Sink};
use tracing_subscriber::prelude::*;

struct Logs;

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!(inner = true, "from inside");
        f.write_str("shown")
    }
}

/// Alone in its process: only a global subscriber is asked again while it is at work.
#[test]
fn a_value_that_logs_does_not_mix_lines() {
    let output = output::Output::default();
    let (writer, guard) = Sink::to(output.clone()).open().unwrap();
    let subscriber = tracing_subscriber::registry().with(JsonLayer::new(writer));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::info!(before = 1, value = %Logs, after = 2, "outer");
    assert!(guard.flush(output::WAIT));
    let text = output.text();
    let lines: Vec<_> = text.lines().map(output::parsed).collect();
    let [inner, outer] = &lines[..] else { panic!("{text}") };
    assert_eq!((&inner["message"], &inner["inner"]), (&"from inside".into(), &true.into()));
    assert_eq!(
        (&outer["value"], &outer["before"], &outer["after"]),
        (&"shown".into(), &1.into(), &2.into())
    );

    // A span's fields are kept for the lines in it: also for one that is written meanwhile.
    let span = tracing::info_span!("span", early = %Logs, late = tracing::field::Empty);
    span.in_scope(|| {
        span.record("late", tracing::field::display(Logs));
        tracing::info!("last");
    });
    assert!(guard.flush(output::WAIT));
    let text = output.text();
    let last = output::parsed(text.lines().last().unwrap());
    let spans = serde_json::json!([{"name": "span", "early": "shown", "late": "shown"}]);
    assert_eq!(last["spans"], spans, "{text}");
}
