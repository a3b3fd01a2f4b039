//! A log that can be read, and a client that reads every byte.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses a part of it; a test is meant to panic"
)]

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tracing::{
    Dispatch, Event, Level, Subscriber, field::Visit, level_filters::LevelFilter,
    subscriber::DefaultGuard,
};
use tracing_subscriber::{layer::Context, prelude::*, registry::LookupSpan};

/// What must be nowhere but in the log.
pub(crate) const SECRET: &str = "api key hunter2";

/// The events of the targets `problem` and `panic`.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Line>>>);

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) span: Option<&'static str>,
    fields: Vec<(&'static str, String)>,
}

/// To be called before the layer is, in every test of a binary that listens in one of them.
///
/// As long as tracing knows of one subscriber alone, a callsite that is first seen in a thread
/// without it is off for all threads; so there are always two.
pub(crate) fn init() {
    static ALWAYS: OnceLock<[Dispatch; 2]> = OnceLock::new();
    ALWAYS.get_or_init(|| [(); 2].map(|()| Dispatch::new(tracing_subscriber::registry())));
}

impl Log {
    /// Listens in this thread until the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        Self::listen_from(LevelFilter::TRACE)
    }

    /// The same, to what is at least so severe.
    pub(crate) fn listen_from(level: LevelFilter) -> (Self, DefaultGuard) {
        init();
        let log = Self::default();
        let guard = tracing_subscriber::registry().with(log.clone()).with(level).set_default();
        (log, guard)
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// The only line.
    pub(crate) fn line(&self) -> Line {
        let lines = self.lines();
        let [line] = lines.as_slice() else { panic!("one line, not {lines:?}") };
        line.clone()
    }

    /// The only line since the last one was taken.
    pub(crate) fn take_line(&self) -> Line {
        let line = self.line();
        self.0.lock().unwrap().clear();
        line
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        if ["problem", "panic"].contains(&target) {
            let span = context.event_span(event).map(|span| span.name());
            let mut line = Line { level, target, span, fields: Vec::new() };
            event.record(&mut line);
            self.0.lock().unwrap().push(line);
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

impl Line {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(other, _)| *other == name);
        field.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// All that comes back over a connection of its own, head and body.
pub(crate) async fn fetch(address: SocketAddr, path: &str) -> String {
    fetch_past(address, path, "HTTP/1.1", || ()).await
}

/// The same, with something to do once so much has come.
pub(crate) async fn fetch_past(
    address: SocketAddr,
    path: &str,
    so_far: &str,
    then: impl FnOnce(),
) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(so_far) {
        assert!(connection.read_buf(&mut answer).await.unwrap() > 0, "closed too early");
    }
    then();
    // A connection that was reset has ended too.
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}
