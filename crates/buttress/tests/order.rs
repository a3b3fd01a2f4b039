//! Any subset of the slots, filled in any order, runs in the one order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::LazyLock, time::Duration};

use buttress::{
    Compression, Cors, Csrf, RequestBody, Route, Stack,
    client_ip::{ClientIp, Peer},
    context::{self, RequestContext},
    headers::SecurityHeadersLayer,
    health::{HealthLayer, Registry},
    limit::{Key, LimitLayer, RequestHead, Rule, requests, seconds},
    log::AccessLog,
    metrics::HttpMetrics,
    problem::ProblemLayer,
    reject::Rejected,
    request_id::RequestIdLayer,
    sanitize::{Policy, SanitizeLayer},
    shutdown::{Plan, Shutdown},
    trace::Trace,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use lines::{Line, Lines};
use tower::{Layer, ServiceExt, service_fn};

mod lines;

const APP: &str = "https://app.example.com";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Health,
    Drain,
    ClientIp,
    Route,
    RequestId,
    Trace,
    Log,
    Metrics,
    Headers,
    Cors,
    Compression,
    Problem,
    Csrf,
    Limit,
    Timeout,
    BodyLimit,
    Sanitize,
}

const SLOTS: [Slot; 17] = [
    Slot::Health,
    Slot::Drain,
    Slot::ClientIp,
    Slot::Route,
    Slot::RequestId,
    Slot::Trace,
    Slot::Log,
    Slot::Metrics,
    Slot::Headers,
    Slot::Cors,
    Slot::Compression,
    Slot::Problem,
    Slot::Csrf,
    Slot::Limit,
    Slot::Timeout,
    Slot::BodyLimit,
    Slot::Sanitize,
];

/// Refuses what costs more than there ever is.
static LIMIT: LazyLock<LimitLayer> = LazyLock::new(|| {
    let rule = Rule::new("everybody", requests(1_000_000_000).per(seconds(1))).unwrap();
    let dear = |head: &RequestHead<'_>| if head.uri.path() == "/dear" { u64::MAX } else { 1 };
    LimitLayer::new(Key::everyone(), [rule]).unwrap().cost(dear)
});

fn fill(stack: Stack, slot: Slot, metrics: &HttpMetrics) -> Stack {
    match slot {
        Slot::Health => stack.health(HealthLayer::new(&Registry::new().split().0)),
        Slot::Drain => {
            let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
            shutdown.trigger();
            stack.drain(shutdown.layer())
        }
        Slot::ClientIp => stack.client_ip(ClientIp::peer()),
        Slot::Route => stack.route(Route::one_of(["/", "/livez", "/dear", "/slow", "/panic"])),
        Slot::RequestId => stack.request_id(RequestIdLayer::new()),
        Slot::Trace => stack.trace(Trace::propagate()),
        Slot::Log => stack.log(AccessLog::new()),
        Slot::Metrics => stack.metrics(metrics.clone()),
        Slot::Problem => stack.problem(ProblemLayer::new()),
        Slot::Headers => stack.headers(SecurityHeadersLayer::api()),
        Slot::Cors => stack.cors(Cors::allow([APP]).unwrap()),
        Slot::Compression => stack.compression(Compression::new()),
        Slot::Csrf => stack.csrf(Csrf::new()),
        Slot::Limit => stack.limit(LIMIT.clone()),
        Slot::Timeout => stack.timeout(Duration::from_secs(5)),
        Slot::BodyLimit => stack.body_limit(64),
        Slot::Sanitize => stack.sanitize(SanitizeLayer::new(Policy::strict_json())),
    }
}

fn empty(stack: Stack, slot: Slot) -> Stack {
    match slot {
        Slot::Health => stack.health(None),
        Slot::Drain => stack.drain(None),
        Slot::ClientIp => stack.client_ip(None),
        Slot::Route => stack.route(None),
        Slot::RequestId => stack.request_id(None),
        Slot::Trace => stack.trace(None),
        Slot::Log => stack.log(None),
        Slot::Metrics => stack.metrics(None),
        Slot::Problem => stack.problem(None),
        Slot::Headers => stack.headers(None),
        Slot::Cors => stack.cors(None),
        Slot::Compression => stack.compression(None),
        Slot::Csrf => stack.csrf(None),
        Slot::Limit => stack.limit(None),
        Slot::Timeout => stack.timeout(None),
        Slot::BodyLimit => stack.body_limit(None),
        Slot::Sanitize => stack.sanitize(None),
    }
}

/// What the service saw of its context, in headers of its answer.
async fn service(
    request: Request<RequestBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_ne!(request.uri().path(), "/panic", "hunter2");
    let context = context::current();
    let context = context.as_ref();
    let mut response = Response::new(Full::new(Bytes::from(vec![b'a'; 4096])));
    for (name, value) in [
        ("seen-id", context.and_then(|context| context.request_id_str()).map(str::to_owned)),
        ("seen-ip", context.and_then(RequestContext::client_ip).map(|ip| ip.to_string())),
        ("seen-route", context.and_then(|context| context.route()).map(str::to_owned)),
        ("seen-trace", context.and_then(|context| context.trace()).map(ToString::to_string)),
    ] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    if request.uri().path() == "/slow" {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    Ok(response)
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    rejected: Option<Rejected>,
    body: Bytes,
    /// The access lines that the request left.
    lines: Vec<Line>,
}

impl Answer {
    fn document(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn text(header: &HeaderValue) -> &str {
    header.to_str().unwrap()
}

/// How many `check` sends, but for the probe.
const REQUESTS: u64 = 10;

/// A stack, and where its log and its metrics can be read.
struct Subject {
    stack: Stack,
    metrics: HttpMetrics,
    lines: Lines,
}

impl Subject {
    /// The answer, or none where the service panicked and nobody caught it.
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Full::default()).unwrap();
        request.extensions_mut().insert(Peer([192, 0, 2, 4].into()));
        let call = self.stack.layer(service_fn(service)).oneshot(request);
        let response = AssertUnwindSafe(call).catch_unwind().await.ok()?.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(self.metrics.in_flight(), 0);
        Some(Answer {
            status: parts.status,
            headers: parts.headers,
            rejected: parts.extensions.get().copied(),
            body,
            lines: self.lines.take(),
        })
    }

    /// Every promise of the order that the filled slots make.
    async fn check(&self, filled: &[Slot]) {
        let has = |slot| filled.contains(&slot);
        let samples = || self.metrics.report().since_start().requests();
        let before = samples();
        // Whoever has answered, it is one line, which knows what there is to know.
        let watched = |answer: &Answer| {
            assert_eq!(answer.lines.len(), usize::from(has(Slot::Log)), "{filled:?}");
            let Some(line) = answer.lines.first() else { return };
            assert_eq!(line["status"], answer.status.as_str());
            assert_eq!(line["outcome"], "complete");
            let id = answer.headers.get("x-request-id").map(text);
            assert_eq!(line.get("request_id").map(String::as_str), id);
            assert_eq!(line.contains_key("client_ip"), has(Slot::ClientIp));
            assert_eq!(line.contains_key("route"), has(Slot::Route), "{line:?}");
            let rejected = answer.rejected.map(Rejected::reason);
            assert_eq!(line.get("reason").map(String::as_str), rejected);
            if let Some(rejected) = rejected {
                assert_eq!(line["error_type"], rejected);
            }
        };
        let outside = |answer: &Answer| {
            let closes = answer.headers.get("connection").is_some_and(|said| said == "close");
            assert_eq!(closes, has(Slot::Drain), "{filled:?}");
            assert_eq!(answer.headers.contains_key("x-request-id"), has(Slot::RequestId));
            assert_eq!(answer.headers.contains_key("x-content-type-options"), has(Slot::Headers));
            let cors = answer.headers.get("access-control-allow-origin");
            assert_eq!(cors.is_some_and(|origin| origin == APP), has(Slot::Cors), "{filled:?}");
            watched(answer);
        };

        // A probe is answered before anything else, and is nobody's business.
        let answer = self.send(Method::GET, "/livez", &[("origin", APP)]).await.unwrap();
        if has(Slot::Health) {
            assert_eq!(answer.body, r#"{"status":"pass"}"#);
            assert!(answer.lines.is_empty(), "{filled:?}");
            let ours = ["x-request-id", "connection", "x-frame-options", "ratelimit-policy"];
            assert!(ours.iter().all(|name| !answer.headers.contains_key(*name)), "{filled:?}");
        } else {
            outside(&answer);
        }
        let probes = u64::from(!has(Slot::Health));

        // The service's own answer.
        let accepts = [("origin", APP), ("accept-encoding", "gzip")];
        let answer = self.send(Method::GET, "/", &accepts).await.unwrap();
        assert_eq!(answer.status, 200);
        outside(&answer);
        assert_eq!(answer.headers.get("seen-id"), answer.headers.get("x-request-id"));
        assert_eq!(answer.headers.contains_key("seen-ip"), has(Slot::ClientIp));
        assert_eq!(answer.headers.contains_key("seen-route"), has(Slot::Route));
        assert_eq!(answer.headers.contains_key("seen-trace"), has(Slot::Trace));
        assert_eq!(answer.headers.contains_key("content-encoding"), has(Slot::Compression));
        assert_eq!(answer.body.len() < 4096, has(Slot::Compression));
        if has(Slot::Trace) && has(Slot::RequestId) {
            let id = text(&answer.headers["x-request-id"]).replace('-', "");
            assert!(text(&answer.headers["seen-trace"]).contains(&id));
        }

        // A preflight is answered by CORS, inside the id and the headers.
        let preflight = [("origin", APP), ("access-control-request-method", "POST")];
        let answer = self.send(Method::OPTIONS, "/", &preflight).await.unwrap();
        assert_eq!(answer.body.is_empty(), has(Slot::Cors));
        outside(&answer);

        // A cross-site post is refused where the page can still read why.
        let cross = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        let answer = self.send(Method::POST, "/", &cross).await.unwrap();
        assert_eq!(answer.status == 403, has(Slot::Csrf));
        assert_eq!(answer.rejected.map(Rejected::layer), has(Slot::Csrf).then_some("csrf"));
        assert_eq!(answer.headers.contains_key("x-request-id"), has(Slot::RequestId));
        watched(&answer);
        if has(Slot::Csrf) && has(Slot::RequestId) {
            assert_eq!(answer.document()["request_id"], text(&answer.headers["x-request-id"]));
        }
        // One from an origin that CORS lets in is not, so long as CORS is there.
        let own = [("origin", APP), ("sec-fetch-site", "cross-site")];
        let answer = self.send(Method::POST, "/", &own).await.unwrap();
        assert_eq!(answer.status == 403, has(Slot::Csrf) && !has(Slot::Cors), "{filled:?}");
        outside(&answer);

        // Who comes too often can read that, too.
        let answer = self.send(Method::GET, "/dear", &[("origin", APP)]).await.unwrap();
        assert_eq!(answer.status == 429, has(Slot::Limit));
        assert_eq!(
            answer.rejected.map(Rejected::reason),
            has(Slot::Limit).then_some("quota_exceeded")
        );
        assert_eq!(answer.headers.contains_key("ratelimit-policy"), has(Slot::Limit));
        outside(&answer);

        // What the innermost slots refuse passes through all of the above.
        let answer = self.send(Method::GET, "/slow", &[("origin", APP)]).await.unwrap();
        assert_eq!(answer.status == 503, has(Slot::Timeout));
        assert_eq!(answer.rejected.map(Rejected::layer), has(Slot::Timeout).then_some("timeout"));
        outside(&answer);
        let large = [("origin", APP), ("content-length", "65")];
        let answer = self.send(Method::GET, "/", &large).await.unwrap();
        assert_eq!(answer.status == 413, has(Slot::BodyLimit));
        let by = answer.rejected.map(Rejected::layer);
        assert_eq!(by, has(Slot::BodyLimit).then_some("body_limit"));
        outside(&answer);

        // A query that breaks a rule is refused when all of the others have let it in.
        let answer = self.send(Method::GET, "/?a=1&a=2", &[("origin", APP)]).await.unwrap();
        assert_eq!(answer.status == 400, has(Slot::Sanitize), "{filled:?}");
        let by = answer.rejected.map(Rejected::layer);
        assert_eq!(by, has(Slot::Sanitize).then_some("sanitize"));
        outside(&answer);
        let answer = self.send(Method::GET, "/?a=1&a=2", &large).await.unwrap();
        let by = has(Slot::Sanitize).then_some("sanitize");
        let by = if has(Slot::BodyLimit) { Some("body_limit") } else { by };
        assert_eq!(answer.rejected.map(Rejected::layer), by, "{filled:?}");
        outside(&answer);

        // So does the document that a panic becomes; it tells nothing of it.
        match self.send(Method::GET, "/panic", &[("origin", APP)]).await {
            None => {
                assert!(!has(Slot::Problem), "{filled:?}");
                let lines = self.lines.take();
                assert_eq!(lines.len(), usize::from(has(Slot::Log)));
                assert!(lines.iter().all(|line| line["outcome"] == "panic"));
            }
            Some(answer) => {
                assert!(has(Slot::Problem), "{filled:?}");
                assert_eq!(answer.status, 500);
                let document = answer.document();
                assert_eq!(document["title"], "Internal Server Error");
                let id = answer.headers.get("x-request-id").map(text);
                assert_eq!(document["request_id"].as_str(), id);
                assert!(!answer.body.windows(7).any(|bytes| bytes == b"hunter2"));
                assert!(answer.lines.iter().all(|line| line["error_type"] == "panic"));
                outside(&answer);
            }
        }
        let counted = if has(Slot::Metrics) { REQUESTS + probes } else { 0 };
        assert_eq!(samples() - before, counted, "{filled:?}");
    }
}

/// Checks a stack whose slots are filled in this order.
async fn check(slots: &[Slot], metrics: &HttpMetrics, lines: &Lines) {
    let stack = slots.iter().fold(Stack::new(), |stack, slot| fill(stack, *slot, metrics));
    Subject { stack, metrics: metrics.clone(), lines: lines.clone() }.check(slots).await;
}

/// Panics that are meant are not worth a line each.
fn quietly() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        if !said.is_some_and(|said| said.contains("hunter2")) {
            usual(panic);
        }
    }));
}

#[tokio::test(start_paused = true)]
async fn any_three_slots_filled_or_empty_in_either_order_keep_every_promise() {
    quietly();
    let (lines, _guard) = Lines::of("access");
    let metrics = HttpMetrics::server();
    // Slots meet in pairs: three of them show what a pair does with another one between.
    let all = (1_u32 << SLOTS.len()) - 1;
    let is_near_an_end = |of: &u32| of.count_ones() <= 3 || (of ^ all).count_ones() <= 3;
    for subset in (0..=all).filter(is_near_an_end) {
        let chosen = |slot: &Slot| subset & (1 << (*slot as u32)) != 0;
        let mut filled: Vec<Slot> = SLOTS.into_iter().filter(chosen).collect();
        // Of the one order in half of the cases, of the other in the rest.
        if subset.count_ones() % 2 == 0 {
            filled.reverse();
        }
        check(&filled, &metrics, &lines).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_rotation_of_all_slots_is_the_same_stack() {
    quietly();
    let (lines, _guard) = Lines::of("access");
    let metrics = HttpMetrics::server();
    let mut order = SLOTS;
    for _ in 0..SLOTS.len() {
        check(&order, &metrics, &lines).await;
        order.rotate_left(1);
        order.reverse();
        check(&order, &metrics, &lines).await;
        order.reverse();
    }
}

#[tokio::test(start_paused = true)]
async fn every_slot_of_the_production_stack_can_be_emptied() {
    quietly();
    let (lines, _guard) = Lines::of("access");
    let metrics = HttpMetrics::server();
    // Its body limit is another than the one that `check` looks for, and so is what it knows of
    // routes.
    let production =
        Stack::production(ClientIp::peer()).metrics(metrics.clone()).route(None).body_limit(None);
    let filled = [
        Slot::ClientIp,
        Slot::RequestId,
        Slot::Trace,
        Slot::Log,
        Slot::Metrics,
        Slot::Headers,
        Slot::Problem,
        Slot::Csrf,
        Slot::Timeout,
    ];
    let subject = |stack| Subject { stack, metrics: metrics.clone(), lines: lines.clone() };
    subject(production.clone()).check(&filled).await;
    for slot in filled {
        let rest: Vec<Slot> = filled.into_iter().filter(|other| *other != slot).collect();
        subject(empty(production.clone(), slot)).check(&rest).await;
    }
    let bare = SLOTS.into_iter().fold(production, empty);
    subject(bare).check(&[]).await;
}
