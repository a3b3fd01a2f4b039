//! What is logged of an id that was refused: enough to find its sender, and nothing that harms.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex},
};

use buttress_core::context;
use buttress_request_id::{
    Accept, Generator, RequestIdLayer, X_CORRELATION_ID, X_REQUEST_ID, is_valid,
};
use http::{HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{layer::Context, prelude::*};

/// The fields of each event, and the request's id where it was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

#[derive(Debug, Default)]
struct Line {
    fields: Vec<(&'static str, String)>,
    level: Option<Level>,
    request_id: Option<HeaderValue>,
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line {
            level: Some(*event.metadata().level()),
            request_id: context::current().and_then(|request| request.request_id().cloned()),
            ..Line::default()
        };
        event.record(&mut line);
        self.0.lock().unwrap().push(line);
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
    fn field(&self, name: &str) -> &str {
        &self.fields.iter().find(|(other, _)| *other == name).unwrap().1
    }
}

/// Sends the lines as `x-request-id`, and gives the log and the echo.
async fn sent(layer: RequestIdLayer, lines: &[&[u8]]) -> (Vec<Line>, HeaderValue) {
    let log = Log::default();
    let _logging = tracing_subscriber::registry().with(log.clone()).set_default();
    let service =
        layer.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) }));
    let mut request = Request::new(());
    for line in lines {
        request.headers_mut().append(X_REQUEST_ID, HeaderValue::from_bytes(line).unwrap());
    }
    let echoed = service.oneshot(request).await.unwrap().headers()[X_REQUEST_ID].clone();
    let lines = std::mem::take(&mut *log.0.lock().unwrap());
    (lines, echoed)
}

#[tokio::test]
async fn an_attack_on_the_log_stays_one_harmless_line() {
    let attacks: [&[u8]; 5] = [
        br#"a" level=error msg="root logged in"#,
        br#"{"level":"info"},"#,
        b"caf\xc3\xa9\xe2\x80\xa8\x9b2J\xff",
        b"a\tb",
        &[b'<'; 4_000],
    ];
    for attack in attacks {
        let (lines, echoed) = sent(RequestIdLayer::new(), &[attack]).await;
        assert!(is_valid(echoed.as_bytes()));
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line.level, Some(Level::DEBUG));
        assert_eq!(line.request_id.as_ref(), Some(&echoed));
        assert_eq!(line.field("reason"), "invalid");
        assert_eq!(line.field("header"), "x-request-id");
        let shown = line.field("request_id_rejected");
        assert!(shown.len() <= 64, "{shown}");
        assert!(shown.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{shown}");
        let quotes = shown.match_indices('"').map(|(at, _)| at);
        assert!(quotes.into_iter().all(|at| shown.get(at - 1..at) == Some("\\")), "{shown}");
    }
}

#[tokio::test]
async fn the_reason_is_told() {
    let (lines, _) = sent(RequestIdLayer::new(), &[b"one", b"two"]).await;
    assert_eq!(lines[0].field("reason"), "repeated");
    assert_eq!(lines[0].field("request_id_rejected"), "one");
    let (lines, _) = sent(RequestIdLayer::new().accept(Accept::Never), &[b"one"]).await;
    assert_eq!(lines[0].field("reason"), "untrusted");
}

#[tokio::test]
async fn an_id_that_is_taken_is_no_news() {
    let (lines, echoed) = sent(RequestIdLayer::new(), &[b"fine"]).await;
    assert_eq!(echoed, "fine");
    assert!(lines.is_empty(), "{lines:?}");
}

#[tokio::test]
async fn an_id_that_a_layer_further_out_made_is_no_news_to_one_that_accepts_none() {
    let log = Log::default();
    let _logging = tracing_subscriber::registry().with(log.clone()).set_default();
    let inner = RequestIdLayer::new().also_read([X_CORRELATION_ID]).accept(Accept::Never);
    let service =
        RequestIdLayer::new().layer(inner.layer(service_fn(|request: Request<()>| async move {
            assert!(!request.headers().contains_key(X_CORRELATION_ID));
            let seen = request.headers()[X_REQUEST_ID].clone();
            Ok::<_, Infallible>(Response::builder().header("x-seen", seen).body(()).unwrap())
        })));
    let mut request = Request::new(());
    request.headers_mut().insert(X_CORRELATION_ID, HeaderValue::from_static("theirs"));
    let response = service.oneshot(request).await.unwrap();
    let headers = response.headers();
    assert_eq!(headers[X_REQUEST_ID], headers["x-seen"]);
    let lines = log.0.lock().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].field("header"), "x-correlation-id");
    assert_eq!(lines[0].request_id.as_ref(), Some(&headers[X_REQUEST_ID]));
}

#[tokio::test]
async fn a_broken_generator_is_told_once() {
    let layer = RequestIdLayer::new().generator(Generator::custom(|| "two words"));
    let (lines, echoed) = sent(layer.clone(), &[]).await;
    assert_eq!(echoed.len(), 36);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].level, Some(Level::WARN));
    let (lines, _) = sent(layer, &[]).await;
    assert!(lines.is_empty(), "{lines:?}");
}
