//! What an exporter is given of spans that have secrets in them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use buttress_redact::{Censor, Rules};
use buttress_testkit::otlp::Collector;
use buttress_trace::{RedactExporter, Trace, TraceLayer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry::{
    Array, Context, InstrumentationScope, KeyValue, Value,
    trace::{
        Link, Span, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, Tracer,
        TracerProvider,
    },
};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData, SpanExporter},
};
use tower::{Layer, ServiceExt, service_fn};

const SECRET: &str = "hunter2-hunter2-hunter2";
const CARD: i64 = 4_111_111_111_111_111;

/// What is sent of a span with this attribute.
fn sent_of(rules: &Rules, key: &'static str, value: impl Into<Value>) -> Option<Value> {
    let sent = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(RedactExporter::new(sent.clone()).rules(rules.clone()))
        .build();
    let mut span = provider.tracer("test").start("test");
    span.set_attribute(KeyValue::new(key, value));
    span.end();
    let span = sent.get_finished_spans().unwrap().pop().unwrap();
    span.attributes.into_iter().map(|pair| pair.value).next()
}

fn linked(attributes: Vec<KeyValue>) -> Link {
    let (trace, span) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([2; 8]));
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, Default::default());
    Link::new(context, attributes, 0)
}

#[test]
fn no_part_of_a_span_takes_a_secret_out() {
    let sent = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_resource(
            Resource::builder().with_attribute(KeyValue::new("db.password", SECRET)).build(),
        )
        .with_simple_exporter(RedactExporter::new(sent.clone()))
        .build();
    let tracer = provider.tracer("test");
    let mut span = tracer
        .span_builder(format!("GET https://ada:{SECRET}@shop.example/"))
        .with_links(vec![linked(vec![KeyValue::new("session", SECRET)])])
        .with_attributes([KeyValue::new("user.password", SECRET), KeyValue::new("page", 2)])
        .start(&tracer);
    span.set_attribute(KeyValue::new("http.request.header.authorization", SECRET));
    span.set_attribute(KeyValue::new("note", format!("Authorization: Bearer {SECRET}")));
    span.set_attribute(KeyValue::new("paid_with", CARD));
    let tokens = vec![SECRET.into(), SECRET.into()];
    span.set_attribute(KeyValue::new("tokens", Value::Array(Array::String(tokens))));
    span.add_event(
        format!("postgres://app:{SECRET}@db/main"),
        vec![KeyValue::new("api_key", SECRET)],
    );
    span.add_link(
        linked(vec![KeyValue::new("cookie", SECRET)]).span_context,
        vec![KeyValue::new("x-csrf", SECRET)],
    );
    span.set_status(Status::error(format!("https://ada:{SECRET}@shop.example/ is away")));
    span.end();

    let spans = sent.get_finished_spans().unwrap();
    let all = format!("{spans:?}");
    assert!(!all.contains(SECRET) && !all.contains("4111"), "{all}");
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(span.name, "GET https://ada:[REDACTED]@shop.example/");
    assert_eq!(span.status, Status::error("https://ada:[REDACTED]@shop.example/ is away"));
    assert_eq!(span.links.len(), 2);
    let attributes: Vec<_> =
        span.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    assert_eq!(
        attributes,
        [
            "user.password=[REDACTED]",
            "page=2",
            "http.request.header.authorization=[REDACTED]",
            "note=Authorization: Bearer [REDACTED]",
            "paid_with=[REDACTED]",
            "tokens=[\"[REDACTED]\",\"[REDACTED]\"]",
        ]
    );
}

/// A resource is not kept by the exporter in memory.
#[derive(Clone, Debug, Default)]
struct Kept {
    resource: Arc<Mutex<Option<Resource>>>,
    told: Arc<Mutex<Vec<&'static str>>>,
}

impl SpanExporter for Kept {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Err(OTelSdkError::InternalFailure("full".to_owned()))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        assert_eq!(timeout, Duration::from_secs(9));
        self.told.lock().unwrap().push("shutdown");
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.told.lock().unwrap().push("flush");
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        *self.resource.lock().unwrap() = Some(resource.clone());
    }
}

#[test]
fn a_resource_is_redacted_and_otherwise_what_it_was() {
    let kept = Kept::default();
    let mut exporter = RedactExporter::new(kept.clone());
    let attributes = [KeyValue::new("service.name", "shop"), KeyValue::new("db.password", SECRET)];
    let schema = "https://opentelemetry.io/schemas/1.38.0";
    exporter.set_resource(&Resource::builder_empty().with_schema_url(attributes, schema).build());
    let resource = kept.resource.lock().unwrap().clone().unwrap();
    assert_eq!(resource.get(&"service.name".into()).unwrap().as_str(), "shop");
    assert_eq!(resource.get(&"db.password".into()).unwrap().as_str(), "[REDACTED]");
    assert_eq!((resource.len(), resource.schema_url()), (2, Some(schema)));
}

#[tokio::test]
async fn what_the_exporter_is_told_and_says_goes_through() {
    let kept = Kept::default();
    let exporter = RedactExporter::new(kept.clone());
    exporter.force_flush().unwrap();
    exporter.shutdown_with_timeout(Duration::from_secs(9)).unwrap();
    assert_eq!(*kept.told.lock().unwrap(), ["flush", "shutdown"]);
    assert!(exporter.export(Vec::new()).await.is_err());
    assert!(exporter.inner().resource.lock().unwrap().is_none());
}

#[test]
fn a_urls_credentials_go_and_its_query_is_censored_pair_by_pair() {
    let cases = [
        ("url.query", "page=2&token=hunter2", "page=2&token=[REDACTED]"),
        ("url.query", "next=1#2", "next=1#2"),
        ("url.full", "https://shop.example/a?page=2", "https://shop.example/a?page=2"),
        (
            "url.full",
            "https://shop.example/?sig=hunter2#x",
            "https://shop.example/?sig=[REDACTED]#x",
        ),
        ("url.full", "https://shop.example#token=hunter2", "https://shop.example#token=[REDACTED]"),
        ("url.full", "https://ada:hunter2@shop.example", "https://REDACTED:REDACTED@shop.example"),
        ("url.full", "https://hunter2@[::1]:80/a@b", "https://REDACTED:REDACTED@[::1]:80/a@b"),
        (
            "url.full",
            "https://a:b@hunter2@shop.example/",
            "https://REDACTED:REDACTED@shop.example/",
        ),
        ("url.full", "//ada:hunter2@shop.example", "//ada:hunter2@shop.example"),
        (
            "http.url",
            "http://shop.example/?p%61ssword=hunter2",
            "http://shop.example/?p%61ssword=[REDACTED]",
        ),
        ("http.target", "/a@b?secret=hunter2&x", "/a@b?secret=[REDACTED]&x"),
        ("url.full", "", ""),
    ];
    for (key, value, expected) in cases {
        let sent = sent_of(&Rules::new(), key, value).unwrap();
        assert_eq!(sent.as_str(), expected, "{key}={value}");
    }
    // Credentials of a URL are no matter of rules.
    let sent = sent_of(&Rules::none(), "url.full", "https://ada:hunter2@shop.example/?token=1");
    assert_eq!(sent.unwrap().as_str(), "https://REDACTED:REDACTED@shop.example/?token=1");
}

#[test]
fn a_censor_removes_hashes_or_keeps_an_end() {
    let rules = Rules::new()
        .redact_key_with("gone", Censor::remove())
        .and_then(|rules| rules.redact_key_with("iban", Censor::keep_last(2)))
        .unwrap();
    assert_eq!(sent_of(&rules, "gone", "x"), None);
    assert_eq!(sent_of(&rules, "iban", 123_456), Some("[..56]".into()));
    let list = Value::Array(vec![123_456_i64, 654_321].into());
    let kept = vec!["[..56]".into(), "[..21]".into()];
    assert_eq!(sent_of(&rules, "iban", list), Some(Value::Array(Array::String(kept))));
}

#[test]
fn what_is_clear_keeps_its_type() {
    let clear = [
        Value::from(true),
        Value::from(-4_111_111_111_111_111_i64),
        Value::from(42),
        Value::from(0.5),
        Value::from("text"),
        Value::Array(vec![true].into()),
        Value::Array(vec![1_i64].into()),
        Value::Array(vec![0.5].into()),
        Value::Array(Array::String(vec!["text".into()])),
    ];
    for value in clear {
        assert_eq!(sent_of(&Rules::new(), "plain", value.clone()), Some(value));
    }
    for card in [
        Value::from(CARD),
        Value::from(4_111_111_111_111_111.0),
        Value::Array(vec![CARD].into()),
        Value::Array(vec![4_111_111_111_111_111.0].into()),
        Value::Array(Array::String(vec!["4111 1111 1111 1111".into()])),
    ] {
        let sent = sent_of(&Rules::new(), "plain", card).unwrap();
        assert!(sent.as_str().contains("[REDACTED]") && !sent.as_str().contains("111"), "{sent}");
    }
}

#[test]
fn attributes_of_the_conventions_stay() {
    for key in [
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "url.path",
        "client.address",
        "server.address",
        "error.type",
        "request_id",
        "user_agent.original",
        "db.query.text",
        "gen_ai.usage.input_tokens",
        "exception.stacktrace",
        "code.function.name",
        "thread.id",
    ] {
        assert_eq!(sent_of(&Rules::new(), key, "x"), Some("x".into()), "{key}");
    }
}

/// A handler that puts secrets on the request's own span.
#[tokio::test]
async fn what_a_handler_adds_to_the_requests_span_is_redacted() {
    let sent = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(RedactExporter::new(sent.clone()))
        .build();
    let service =
        TraceLayer::new(Trace::otel(&provider)).layer(service_fn(|_: Request<()>| async {
            let current = Context::current();
            current.span().set_attribute(KeyValue::new("password", SECRET));
            current.span().add_event_with_timestamp(
                "login",
                SystemTime::now(),
                vec![KeyValue::new("form", format!("{{\"password\":\"{SECRET}\"}}"))],
            );
            Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::default()))
        }));
    service.oneshot(Request::new(())).await.unwrap().into_body().collect().await.unwrap();
    let spans = sent.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    assert!(!format!("{spans:?}").contains(SECRET), "{spans:?}");
    let scope: &InstrumentationScope = &spans.first().unwrap().instrumentation_scope;
    assert_eq!(scope.name(), "buttress-trace");
}

/// Through a gRPC exporter to a collector: what it is sent is what anybody is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_receives_no_secret() {
    let collector = Collector::start().await.unwrap();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(collector.endpoint())
        .with_timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(RedactExporter::new(exporter)).build();
    let mut span = provider.tracer("test").start("pay");
    span.set_attribute(KeyValue::new("api_key", SECRET));
    span.add_event("refused", vec![KeyValue::new("card", CARD)]);
    span.end();
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    let sent = format!("{spans:?}");
    assert!(
        !sent.contains(SECRET) && !sent.contains("4111") && sent.contains("[REDACTED]"),
        "{sent}"
    );
}
