//! An access line that is written while another one is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod output;

use std::{
    convert::Infallible,
    future::ready,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use buttress_core::context;
use buttress_log::{AccessLog, JsonLayer, Schema, Sink};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Empty;
use serde_json::Value as Json;
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Event, Subscriber};
use tracing_subscriber::{layer, prelude::*, registry::LookupSpan};

/// Serves one request at once.
fn serve(path: &str, whose: &'static str) {
    let service = AccessLog::new().layer().layer(service_fn(|_: Request<()>| {
        context::current().unwrap().add("whose", whose);
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    }));
    let request = Request::get(path).body(()).unwrap();
    drop(service.oneshot(request).now_or_never().unwrap());
}

/// Serves a request of its own when it hears of the first one.
struct Asks(AtomicBool);

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Asks {
    fn on_event(&self, _: &Event<'_>, _: layer::Context<'_, S>) {
        if !self.0.swap(true, Relaxed) {
            serve("/inner", "inner");
        }
    }
}

/// Alone in its process: only a global subscriber is asked again while it is at work.
#[test]
fn one_that_is_written_within_another_is_its_own() {
    let output = output::Output::default();
    let (writer, guard) = Sink::to(output.clone()).open().unwrap();
    let layer = JsonLayer::new(writer).schema(Schema::otel());
    let subscriber = tracing_subscriber::registry().with(Asks(AtomicBool::new(false))).with(layer);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    serve("/outer", "outer");
    assert!(guard.flush(output::WAIT));
    let text = output.text();
    let told: Vec<_> = text
        .lines()
        .map(|line| {
            let line = output::parsed(line);
            let attributes = &line["Attributes"];
            (attributes["url.path"].clone(), attributes["whose"].clone())
        })
        .collect();
    let expected = [("/inner", "inner"), ("/outer", "outer")];
    assert_eq!(told, expected.map(|(path, whose)| (Json::from(path), Json::from(whose))));
}
