//! What the log is told.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_shutdown::{Plan, Shutdown};
use tokio::io::duplex;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

type Fields = BTreeMap<&'static str, String>;

/// Keeps the events of the crate.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(Level, Fields)>>>);

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("buttress_shutdown")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Read(Fields);
        impl Visit for Read {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
        }
        let mut read = Read(Fields::new());
        event.record(&mut read);
        self.0.lock().unwrap().push((*event.metadata().level(), read.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn the_report_is_one_structured_event() {
    let kept = Kept::default();
    let _guard = tracing::subscriber::set_default(kept.clone());
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    shutdown.spawn("outbox", |_| std::future::pending());
    let time = Duration::from_millis(500);
    shutdown.phase("postgres", time, async { Err("no route to host") }).unwrap();
    shutdown.phase("rabbitmq", time, async {}).unwrap();
    let (_peer, io) = duplex(8);
    let _connection = shutdown.connection(io);
    shutdown.trigger();
    shutdown.wait().await;

    let kept = kept.0.lock().unwrap();
    let of = |message: &str| kept.iter().filter(|(_, fields)| fields["message"] == message).count();
    assert_eq!((of("shutting down"), of("shut down"), kept.len()), (1, 1, 2), "{kept:?}");
    let (level, fields) = kept.last().unwrap();
    assert_eq!(*level, Level::ERROR, "something was not done");
    for (name, value) in [
        ("cause", "requested"),
        ("took_ms", "6000"),
        ("drained", "0"),
        ("killed", "1"),
        ("unanswered", "0"),
        ("aborted", "[\"outbox\"]"),
        ("panicked", "[]"),
        ("phases", "postgres failed (no route to host) 0 ms, rabbitmq done 0 ms"),
        ("code", "1"),
    ] {
        assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clean_shutdown_is_no_error() {
    let kept = Kept::default();
    let _guard = tracing::subscriber::set_default(kept.clone());
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    shutdown.trigger();
    shutdown.wait().await;
    assert!(kept.0.lock().unwrap().iter().all(|(level, _)| *level == Level::INFO));
}
