//! Any subset of the slots, filled in any order, runs in the one order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{convert::Infallible, time::Duration};

use buttress::{
    Compression, Cors, Csrf, RequestBody, Stack,
    client_ip::{ClientIp, Peer},
    context,
    headers::SecurityHeadersLayer,
    reject::Rejected,
    request_id::RequestIdLayer,
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

const APP: &str = "https://app.example.com";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    ClientIp,
    RequestId,
    Headers,
    Cors,
    Compression,
    Csrf,
    Timeout,
    BodyLimit,
}

const SLOTS: [Slot; 8] = [
    Slot::ClientIp,
    Slot::RequestId,
    Slot::Headers,
    Slot::Cors,
    Slot::Compression,
    Slot::Csrf,
    Slot::Timeout,
    Slot::BodyLimit,
];

fn fill(stack: Stack, slot: Slot) -> Stack {
    match slot {
        Slot::ClientIp => stack.client_ip(ClientIp::peer()),
        Slot::RequestId => stack.request_id(RequestIdLayer::new()),
        Slot::Headers => stack.headers(SecurityHeadersLayer::api()),
        Slot::Cors => stack.cors(Cors::allow([APP]).unwrap()),
        Slot::Compression => stack.compression(Compression::new()),
        Slot::Csrf => stack.csrf(Csrf::new()),
        Slot::Timeout => stack.timeout(Duration::from_secs(5)),
        Slot::BodyLimit => stack.body_limit(64),
    }
}

fn empty(stack: Stack, slot: Slot) -> Stack {
    match slot {
        Slot::ClientIp => stack.client_ip(None),
        Slot::RequestId => stack.request_id(None),
        Slot::Headers => stack.headers(None),
        Slot::Cors => stack.cors(None),
        Slot::Compression => stack.compression(None),
        Slot::Csrf => stack.csrf(None),
        Slot::Timeout => stack.timeout(None),
        Slot::BodyLimit => stack.body_limit(None),
    }
}

/// What the service saw of its context, in headers of its answer.
async fn service(
    request: Request<RequestBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let context = context::current();
    let mut response = Response::new(Full::new(Bytes::from(vec![b'a'; 4096])));
    if let Some(id) = context.as_ref().and_then(|context| context.request_id()) {
        response.headers_mut().insert("seen-id", id.clone());
    }
    if let Some(ip) = context.and_then(|context| context.client_ip()) {
        response.headers_mut().insert("seen-ip", ip.to_string().parse().unwrap());
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
}

async fn send(stack: &Stack, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Full::default()).unwrap();
    request.extensions_mut().insert(Peer([192, 0, 2, 4].into()));
    let response = stack.layer(service_fn(service)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        rejected: parts.extensions.get().copied(),
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// Every promise of the order that the filled slots make.
async fn check(stack: &Stack, filled: &[Slot]) {
    let has = |slot| filled.contains(&slot);
    let outside = |answer: &Answer| {
        assert_eq!(answer.headers.contains_key("x-request-id"), has(Slot::RequestId));
        assert_eq!(answer.headers.contains_key("x-content-type-options"), has(Slot::Headers));
        let cors = answer.headers.get("access-control-allow-origin");
        assert_eq!(cors.is_some_and(|origin| origin == APP), has(Slot::Cors), "{filled:?}");
    };

    // The service's own answer.
    let answer =
        send(stack, Method::GET, "/", &[("origin", APP), ("accept-encoding", "gzip")]).await;
    assert_eq!(answer.status, 200);
    outside(&answer);
    assert_eq!(answer.headers.get("seen-id"), answer.headers.get("x-request-id"));
    assert_eq!(answer.headers.contains_key("seen-ip"), has(Slot::ClientIp));
    assert_eq!(answer.headers.contains_key("content-encoding"), has(Slot::Compression));
    assert_eq!(answer.body.len() < 4096, has(Slot::Compression));

    // A preflight is answered by CORS, inside the id and the headers.
    let preflight = [("origin", APP), ("access-control-request-method", "POST")];
    let answer = send(stack, Method::OPTIONS, "/", &preflight).await;
    assert_eq!(answer.body.is_empty(), has(Slot::Cors));
    outside(&answer);

    // A cross-site post is refused where the page can still read why.
    let cross = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let answer = send(stack, Method::POST, "/", &cross).await;
    assert_eq!(answer.status == 403, has(Slot::Csrf));
    assert_eq!(answer.rejected.map(Rejected::layer), has(Slot::Csrf).then_some("csrf"));
    assert_eq!(answer.headers.contains_key("x-request-id"), has(Slot::RequestId));
    if has(Slot::Csrf) && has(Slot::RequestId) {
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    }
    // One from an origin that CORS lets in is not, so long as CORS is there.
    let answer =
        send(stack, Method::POST, "/", &[("origin", APP), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(answer.status == 403, has(Slot::Csrf) && !has(Slot::Cors), "{filled:?}");
    outside(&answer);

    // What the innermost slots refuse passes through all of the above.
    let answer = send(stack, Method::GET, "/slow", &[("origin", APP)]).await;
    assert_eq!(answer.status == 503, has(Slot::Timeout));
    assert_eq!(answer.rejected.map(Rejected::layer), has(Slot::Timeout).then_some("timeout"));
    outside(&answer);
    let large = [("origin", APP), ("content-length", "65")];
    let answer = send(stack, Method::GET, "/", &large).await;
    assert_eq!(answer.status == 413, has(Slot::BodyLimit));
    assert_eq!(answer.rejected.map(Rejected::layer), has(Slot::BodyLimit).then_some("body_limit"));
    outside(&answer);
}

#[tokio::test(start_paused = true)]
async fn every_subset_filled_in_either_order_keeps_every_promise() {
    for subset in 0..1_u32 << SLOTS.len() {
        let chosen = |slot: &Slot| subset & (1 << (*slot as u32)) != 0;
        let mut filled: Vec<Slot> = SLOTS.into_iter().filter(chosen).collect();
        for _ in 0..2 {
            let stack = filled.iter().fold(Stack::new(), |stack, slot| fill(stack, *slot));
            check(&stack, &filled).await;
            filled.reverse();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_rotation_of_all_slots_is_the_same_stack() {
    let mut order = SLOTS;
    for _ in 0..SLOTS.len() {
        let stack = order.iter().fold(Stack::new(), |stack, slot| fill(stack, *slot));
        check(&stack, &order).await;
        order.rotate_left(1);
    }
}

#[tokio::test(start_paused = true)]
async fn every_slot_of_the_production_stack_can_be_emptied() {
    let production = Stack::production(ClientIp::peer());
    let filled = [Slot::ClientIp, Slot::RequestId, Slot::Headers, Slot::Csrf, Slot::Timeout];
    // Its body limit is another than the one that `check` looks for.
    check(&production.clone().body_limit(None), &filled).await;
    for slot in filled {
        let rest: Vec<Slot> = filled.into_iter().filter(|other| *other != slot).collect();
        check(&empty(production.clone().body_limit(None), slot), &rest).await;
    }
    let bare = SLOTS.into_iter().fold(production, empty);
    check(&bare, &[]).await;
}
