//! One span for each exchange, which ends once, however it ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test is meant to panic"
)]

use std::{
    collections::{BTreeMap, HashSet},
    convert::Infallible,
    future::{Future, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::Barrier,
    task::{Context, Poll, Waker},
    thread,
};

use buttress_conformance::{End, ProbeBody};
use buttress_core::context;
use buttress_trace::{OutboundLayer, RequestIdGenerator, Trace, TraceLayer};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower::{Layer, Service, service_fn};

fn recording() -> (InMemorySpanExporter, SdkTracerProvider) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(RequestIdGenerator::new())
        .with_simple_exporter(exporter.clone())
        .build();
    (exporter, provider)
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key.as_str() == name)?;
    Some(pair.value.as_str().into_owned())
}

/// `error.type`; a status that is an error has one, and no other has.
fn error(span: &SpanData) -> Option<String> {
    let error = attribute(span, "error.type");
    let status = if error.is_some() { Status::error("") } else { Status::Unset };
    assert_eq!(span.status, status, "{span:?}");
    error
}

/// How the service of one exchange goes on after it has once waited.
#[derive(Clone, Copy, Debug)]
enum Way {
    Text,
    Empty,
    Status(u16),
    Trailers,
    BodyError,
    BodyPanic,
    Fails,
    Panics,
}

/// A body that waits once before each frame.
struct Frames {
    way: Way,
    sent: u8,
    waited: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.waited = !self.waited;
        if self.waited {
            return Poll::Pending;
        }
        self.sent += 1;
        Poll::Ready(match (self.sent, self.way) {
            (1 | 2, Way::Text) | (1, _) => Some(Ok(Frame::data(Bytes::from_static(b"text")))),
            (2, Way::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            (2, Way::BodyError) => Some(Err("broken")),
            (2, Way::BodyPanic) => resume_unwind(Box::new("quietly")),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.way, Way::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

async fn serve(request: Request<Way>) -> Result<Response<Frames>, &'static str> {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
    let way = request.into_body();
    let status = match way {
        Way::Fails => return Err("no answer"),
        Way::Panics => resume_unwind(Box::new("quietly")),
        Way::Status(status) => StatusCode::from_u16(status).unwrap(),
        _ => StatusCode::OK,
    };
    context::current().unwrap().set_route("/{way}".into());
    let body = Frames { way, sent: 0, waited: false };
    Ok(Response::builder().status(status).body(body).unwrap())
}

/// How far the client goes along.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaves {
    BeforeThePoll,
    BeforeTheHead,
    BeforeTheBody,
    InTheBody,
    Never,
}

const MIX: [(Way, &str, Option<&str>); 12] = [
    (Way::Text, "GET", None),
    (Way::Text, "HEAD", None),
    (Way::Empty, "GET", None),
    (Way::Status(204), "DELETE", None),
    (Way::Status(304), "GET", None),
    (Way::Status(404), "GET", None),
    (Way::Status(503), "GET", Some("503")),
    (Way::Trailers, "POST", None),
    (Way::BodyError, "GET", Some("body_error")),
    (Way::BodyPanic, "GET", Some("panic")),
    (Way::Fails, "GET", Some("service_error")),
    (Way::Panics, "GET", Some("panic")),
];

fn nth(n: usize) -> (Way, &'static str, Option<&'static str>, Leaves) {
    let (way, method, error) = MIX[n % MIX.len()];
    // A third of each kind.
    let leaves = match n / MIX.len() % 12 {
        0 => Leaves::BeforeThePoll,
        1 => Leaves::BeforeTheHead,
        2 => Leaves::BeforeTheBody,
        3 => Leaves::InTheBody,
        _ => Leaves::Never,
    };
    let has_head = !matches!(way, Way::Fails | Way::Panics);
    let has_body =
        has_head && !matches!(way, Way::Empty | Way::Status(204 | 304)) && method != "HEAD";
    let error = match leaves {
        Leaves::BeforeThePoll | Leaves::BeforeTheHead => Some("client_gone"),
        Leaves::BeforeTheBody | Leaves::InTheBody if has_body => {
            error.filter(|error| *error == "503").or(Some("client_gone"))
        }
        _ => error,
    };
    (way, method, error, leaves)
}

/// Polls until there is something, or a panic.
fn finish<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> thread::Result<T> {
    let mut cx = Context::from_waker(Waker::noop());
    catch_unwind(AssertUnwindSafe(|| {
        loop {
            if let Poll::Ready(value) = poll(&mut cx) {
                return value;
            }
        }
    }))
}

const THREADS: usize = 4;
const EXCHANGES: usize = 10_000;

#[test]
fn ten_thousand_mixed_exchanges_at_once_a_third_of_them_cancelled_have_one_span_each() {
    let (exporter, provider) = recording();
    let layer = TraceLayer::new(Trace::otel(&provider));
    let all_in_flight = Barrier::new(THREADS);
    let part = |thread: usize| {
        let mut service = layer.layer(service_fn(serve));
        let mut calls = Vec::new();
        for n in (thread..EXCHANGES).step_by(THREADS) {
            let (way, method, _, leaves) = nth(n);
            let request = Request::builder().method(method).uri(format!("/{n}")).body(way);
            let mut call = Box::pin(service.call(request.unwrap()));
            if leaves != Leaves::BeforeThePoll {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(call.as_mut().poll(&mut cx).is_pending());
            }
            calls.push((call, leaves));
        }
        all_in_flight.wait();
        assert!(exporter.get_finished_spans().unwrap().is_empty());
        all_in_flight.wait();
        let mut bodies = Vec::new();
        for (mut call, leaves) in calls {
            if matches!(leaves, Leaves::BeforeThePoll | Leaves::BeforeTheHead) {
                continue;
            }
            if let Ok(Ok(response)) = finish(|cx| call.as_mut().poll(cx)) {
                bodies.push((response.into_body(), leaves));
            }
        }
        for (body, leaves) in bodies {
            let mut body = pin!(body);
            while leaves != Leaves::BeforeTheBody
                // A server asks no body that says it is at its end.
                && !body.is_end_stream()
                && let Ok(Some(Ok(_))) = finish(|cx| body.as_mut().poll_frame(cx))
                && leaves != Leaves::InTheBody
            {}
        }
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || part(thread));
        }
    });

    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), EXCHANGES);
    let ids: HashSet<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
    assert_eq!(ids.len(), EXCHANGES);
    let by_path: BTreeMap<usize, &SpanData> = spans
        .iter()
        .map(|span| (attribute(span, "url.path").unwrap()[1..].parse().unwrap(), span))
        .collect();
    assert_eq!(by_path.len(), EXCHANGES, "each request has its own");
    for (n, span) in by_path {
        let (way, method, expected, leaves) = nth(n);
        assert_eq!(error(span).as_deref(), expected, "{way:?} {leaves:?}");
        let routed = span.name == format!("{method} /{{way}}");
        assert!(routed || span.name == method, "{}", span.name);
    }
}

#[test]
fn the_ends_that_every_layer_must_know() {
    for end in End::ALL {
        let (exporter, provider) = recording();
        let layer = TraceLayer::new(Trace::otel(&provider));
        end.reach(&layer, Request::new(ProbeBody::new())).unwrap();
        let spans = exporter.get_finished_spans().unwrap();
        let expected = match end {
            End::BodyError => Some("body_error"),
            End::BodyDropped | End::FutureDropped => Some("client_gone"),
            End::ServiceError => Some("service_error"),
            _ => None,
        };
        let errors: Vec<_> = spans.iter().map(error).collect();
        assert_eq!(errors, [expected.map(str::to_owned)], "{end:?}");

        let (exporter, provider) = recording();
        end.reach(&OutboundLayer::otel(&provider), Request::new(ProbeBody::new())).unwrap();
        let spans = exporter.get_finished_spans().unwrap();
        let expected = match end {
            End::BodyError => Some("body_error"),
            End::FutureDropped => Some("cancelled"),
            End::ServiceError => Some("service_error"),
            // The one who called was content with what it had.
            _ => None,
        };
        let errors: Vec<_> = spans.iter().map(error).collect();
        assert_eq!(errors, [expected.map(str::to_owned)], "{end:?}");
    }
}

#[test]
fn a_panic_in_the_call_itself_ends_the_span() {
    fn panic(_: Request<()>) -> std::future::Ready<Result<Response<String>, Infallible>> {
        resume_unwind(Box::new("quietly"))
    }
    let (exporter, provider) = recording();
    let mut server = TraceLayer::new(Trace::otel(&provider)).layer(service_fn(panic));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(server.call(Request::new(()))))).is_err());
    let mut client = OutboundLayer::otel(&provider).layer(service_fn(panic));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(client.call(Request::new(()))))).is_err());
    let spans = exporter.get_finished_spans().unwrap();
    let seen: Vec<_> = spans.iter().map(|span| (span.span_kind.clone(), error(span))).collect();
    let panicked = Some("panic".to_owned());
    assert_eq!(seen, [(SpanKind::Server, panicked.clone()), (SpanKind::Client, panicked)]);
    assert!(!opentelemetry::trace::TraceContextExt::has_active_span(
        &opentelemetry::Context::current()
    ));
    assert!(context::current().is_none());
}

#[test]
fn retries_inside_of_one_request_have_a_span_and_an_id_each() {
    let (exporter, provider) = recording();
    let client = OutboundLayer::otel(&provider).layer(service_fn(|call: Request<()>| {
        let sent = call.headers()["traceparent"].to_str().unwrap().to_owned();
        ready(Ok::<_, Infallible>(Response::builder().status(503).body(sent).unwrap()))
    }));
    let mut sent = Vec::new();
    for _ in 0..3 {
        // What a retry sends is the call as it was.
        let mut attempt = pin!(client.clone().call(Request::get("/").body(()).unwrap()));
        let response = finish(|cx| attempt.as_mut().poll(cx)).unwrap().unwrap();
        let mut body = pin!(response.into_body());
        let frame = finish(|cx| body.as_mut().poll_frame(cx)).unwrap().unwrap().unwrap();
        sent.push(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap());
    }
    let spans = exporter.get_finished_spans().unwrap();
    let recorded: Vec<_> = spans
        .iter()
        .map(|span| {
            let context = &span.span_context;
            assert_eq!(error(span).as_deref(), Some("503"));
            format!("00-{}-{}-01", context.trace_id(), context.span_id())
        })
        .collect();
    assert_eq!(sent, recorded);
    let ids: HashSet<_> = recorded.into_iter().collect();
    assert_eq!(ids.len(), 3);
}
