//! What clients see.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use buttress_core::{
    body::ResponseBody,
    client_ip::{ClientIp, Peer},
    context::RequestContext,
    reject::Rejected,
    source::Metrics,
};
use buttress_limit::{
    Charge, Key, LegacyReset, Limit, LimitLayer, MemoryStore, Missing, Quota, Rule, minutes,
    requests, seconds,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneService};

type Answer = Response<ResponseBody<Empty<Bytes>>>;

fn rule(name: &'static str, quota: Quota) -> Rule {
    Rule::new(name, quota).unwrap()
}

fn few(n: u64) -> [Rule; 1] {
    [rule("few", requests(n).per(minutes(15)))]
}

fn header(name: &'static str) -> Key {
    Key::header(HeaderName::from_static(name))
}

type Inner = BoxCloneService<Request<()>, Response<Empty<Bytes>>, Infallible>;

fn serve(layer: &LimitLayer) -> Limit<Inner> {
    serve_with(layer, |_| StatusCode::OK)
}

fn serve_with(
    layer: &LimitLayer,
    status: impl Fn(&Request<()>) -> StatusCode + Clone + Send + 'static,
) -> Limit<Inner> {
    layer.layer(BoxCloneService::new(service_fn(move |request: Request<()>| {
        let status = status(&request);
        async move {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = status;
            Ok(response)
        }
    })))
}

async fn send(service: &Limit<Inner>, request: Request<()>) -> Answer {
    service.clone().oneshot(request).await.unwrap()
}

fn get() -> Request<()> {
    Request::new(())
}

fn from(peer: &str) -> Request<()> {
    let peer: IpAddr = peer.parse().unwrap();
    Request::builder().extension(Peer(peer)).body(()).unwrap()
}

fn with(name: &'static str, value: &str) -> Request<()> {
    Request::builder().header(name, value).body(()).unwrap()
}

async fn json(response: Answer) -> serde_json::Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_refusal_says_which_rule_and_when_to_come_back() {
    let rules = [Rule::general(), rule("few", requests(2).per(seconds(20)))];
    let service = serve(&LimitLayer::new(Key::everyone(), rules).unwrap());
    let first = send(&service, get()).await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["ratelimit"], r#""few";r=1;t=10"#);
    assert_eq!(first.headers()["ratelimit-policy"], r#""general";q=100;w=900, "few";q=2;w=20"#);
    assert!(!first.headers().contains_key("retry-after"));

    let _ = send(&service, get()).await;
    let refused = send(&service, get()).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "10");
    assert_eq!(refused.headers()["ratelimit"], r#""few";r=0;t=10"#);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let rejected = refused.extensions().get::<Rejected>().unwrap();
    assert_eq!((rejected.layer(), rejected.reason()), ("limit", "quota_exceeded"));
    let document = json(refused).await;
    assert_eq!(document["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(document["violated-policies"], serde_json::json!(["few"]));
}

#[tokio::test]
async fn a_grpc_call_is_refused_in_its_own_words() {
    let service = serve(&LimitLayer::new(Key::everyone(), few(1)).unwrap());
    let call = || with("content-type", "application/grpc+proto");
    let _ = send(&service, call()).await;
    let refused = send(&service, call()).await;
    assert_eq!(refused.status(), 200);
    // RESOURCE_EXHAUSTED
    assert_eq!(refused.headers()["grpc-status"], "8");
    let pushback = refused.headers()["grpc-retry-pushback-ms"].to_str().unwrap();
    let pushback: u64 = pushback.parse().unwrap();
    assert!((899_000..=900_000).contains(&pushback), "{pushback}");
}

#[tokio::test]
async fn headers_of_all_rules_and_of_old() {
    let rules =
        || [Rule::general(), Rule::burst(), rule("trial", requests(1).per(minutes(1))).shadow()];
    let layer = || LimitLayer::new(Key::everyone(), rules()).unwrap();
    let all = send(&serve(&layer().headers_of_all_rules()), get()).await;
    assert_eq!(all.headers()["ratelimit"], r#""burst";r=9;t=1, "general";r=99;t=9"#);

    let old = send(&serve(&layer().legacy_headers(LegacyReset::Delta)), get()).await;
    assert_eq!(old.headers()["x-ratelimit-limit"], "10");
    assert_eq!(old.headers()["x-ratelimit-remaining"], "9");
    assert_eq!(old.headers()["x-ratelimit-reset"], "1");
    let epoch = send(&serve(&layer().legacy_headers(LegacyReset::Epoch)), get()).await;
    let reset: u64 = epoch.headers()["x-ratelimit-reset"].to_str().unwrap().parse().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(reset.abs_diff(now) <= 3, "{reset} {now}");

    let none = send(&serve(&layer().without_headers()), get()).await;
    assert!(none.headers().is_empty());
}

#[tokio::test]
async fn an_inner_limits_headers_stay() {
    let inner = serve(&LimitLayer::new(Key::everyone(), few(5)).unwrap());
    let outer = LimitLayer::new(Key::everyone(), [Rule::general()]).unwrap().layer(inner);
    let answer = outer.oneshot(get()).await.unwrap();
    let lines: Vec<_> = answer.headers().get_all("ratelimit").iter().collect();
    assert_eq!(lines, [r#""few";r=4;t=180"#, r#""general";r=99;t=9"#]);
}

#[tokio::test]
async fn of_six_wrong_passwords_at_once_five_are_tried() {
    let tried = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tried);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let open = Arc::clone(&gate);
    let login = service_fn(move |_: Request<()>| {
        let (tried, gate) = (Arc::clone(&counter), Arc::clone(&gate));
        async move {
            tried.fetch_add(1, SeqCst);
            let _permit = gate.acquire().await;
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok::<_, Infallible>(response)
        }
    });
    let service = LimitLayer::new(Key::everyone(), [Rule::auth()]).unwrap().layer(login);
    let calls = (0..6).map(|_| tokio::spawn(service.clone().oneshot(get())));
    let calls: Vec<_> = calls.collect();
    open.add_permits(6);
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap().unwrap().status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    assert_eq!(tried.load(SeqCst), 5);
}

#[tokio::test]
async fn a_right_password_gets_its_charge_back() {
    let layer = LimitLayer::new(Key::everyone(), [Rule::auth()]).unwrap();
    let handle = layer.handle();
    let service = serve_with(&layer, |request| {
        let right = request.headers().get("password").is_some_and(|word| word == "lovelace");
        if right { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    });
    for _ in 0..20 {
        let answer = send(&service, with("password", "lovelace")).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["ratelimit"]),
            (200, &http::HeaderValue::from_static(r#""auth";r=5;t=0"#))
        );
    }
    assert_eq!(
        send(&service, with("password", "guess")).await.headers()["ratelimit"],
        r#""auth";r=4;t=180"#
    );
    assert_eq!(send(&service, with("password", "lovelace")).await.status(), 200);
    assert_eq!(handle.peek(&get())[0].remaining(), 4);
    assert_eq!(handle.stats().refunded, 21);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_get_its_charge_back() {
    let layer = LimitLayer::new(Key::everyone(), [Rule::auth()]).unwrap();
    let handle = layer.handle();
    let hung = service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let mut service = layer.layer(hung);
    for left in (0..5).rev() {
        drop(service.call(get()));
        assert_eq!(handle.peek(&get())[0].remaining(), left);
    }
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_a_failure_and_comes_out_as_it_is() {
    let layer = LimitLayer::new(Key::everyone(), [Rule::auth()]).unwrap();
    let handle = layer.handle();
    let broken = service_fn(|_: Request<()>| async { Err::<Response<Empty<Bytes>>, _>("broken") });
    assert_eq!(layer.layer(broken).oneshot(get()).await.unwrap_err(), "broken");
    assert_eq!(handle.peek(&get())[0].remaining(), 4);
}

#[tokio::test]
async fn no_header_of_a_stranger_changes_its_key() {
    let key = Key::client_ip(ClientIp::behind(["10.0.0.0/8"]).unwrap());
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "x-client-ip"] {
        let service = serve(&LimitLayer::new(key.clone(), few(1)).unwrap());
        let spoofed = |address: &str| {
            let mut request = from("192.0.2.1");
            request.headers_mut().insert(name, address.parse().unwrap());
            request
        };
        assert_eq!(send(&service, spoofed("203.0.113.1")).await.status(), 200);
        assert_eq!(send(&service, spoofed("203.0.113.2")).await.status(), 429, "{name}");
    }
}

#[tokio::test]
async fn who_is_one_client_and_who_are_two() {
    let cases = [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("64:ff9b::192.0.2.1", "192.0.2.1", true),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:1::1", "2001:db8:0:ff::1", true),
        ("2001:db8:0:1::1", "2001:db8:0:100::1", false),
        ("2001:db8::1", "2001:db9::1", false),
    ];
    for (one, other, same) in cases {
        let service = serve(&LimitLayer::new(Key::peer(), few(1)).unwrap());
        assert_eq!(send(&service, from(one)).await.status(), 200);
        let status = if same { 429 } else { 200 };
        assert_eq!(send(&service, from(other)).await.status(), status, "{one} {other}");
    }
    // One address each.
    let key = Key::peer().ipv6_prefix(128).unwrap();
    let service = serve(&LimitLayer::new(key, few(1)).unwrap());
    assert_eq!(send(&service, from("2001:db8::1")).await.status(), 200);
    assert_eq!(send(&service, from("2001:db8::2")).await.status(), 200);
    assert_eq!(send(&service, from("2001:db8::2")).await.status(), 429);
}

#[tokio::test]
async fn a_ladder_holds_at_each_rung() {
    let key = Key::peer().ipv6_ladder([(64, 1), (56, 2), (48, 3)]).unwrap();
    let service = serve(&LimitLayer::new(key, few(2)).unwrap());
    let steps = [
        // A /64 has the quota,
        ("2001:db8:0:1::1", 200),
        ("2001:db8:0:1::2", 200),
        ("2001:db8:0:1::3", 429),
        // its /56 twice that,
        ("2001:db8:0:2::1", 200),
        ("2001:db8:0:3::1", 200),
        ("2001:db8:0:4::1", 429),
        // and their /48 three times.
        ("2001:db8:0:101::1", 200),
        ("2001:db8:0:201::1", 200),
        ("2001:db8:0:301::1", 429),
        ("2001:db8:1:1::1", 200),
        // IPv4 has no rungs.
        ("192.0.2.1", 200),
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
    ];
    for (step, (peer, status)) in steps.into_iter().enumerate() {
        assert_eq!(send(&service, from(peer)).await.status(), status, "{step}: {peer}");
    }
}

#[tokio::test]
async fn parts_of_a_key_do_not_run_into_one_another() {
    let key = header("a").and(header("b"));
    let service = serve(&LimitLayer::new(key, few(1)).unwrap());
    let of = |a: &str, b: &str| Request::builder().header("a", a).header("b", b).body(()).unwrap();
    assert_eq!(send(&service, of("ab", "c")).await.status(), 200);
    assert_eq!(send(&service, of("a", "bc")).await.status(), 200);
    assert_eq!(send(&service, of("a", "bc")).await.status(), 429);
}

#[tokio::test]
async fn a_second_line_of_a_header_makes_another_key_and_none_is_missing() {
    let service = serve(&LimitLayer::new(header("a"), few(1)).unwrap());
    let two = || Request::builder().header("a", "1").header("a", "2").body(()).unwrap();
    assert_eq!(send(&service, with("a", "1")).await.status(), 200);
    assert_eq!(send(&service, two()).await.status(), 200);
    assert_eq!(send(&service, two()).await.status(), 429);
}

#[tokio::test]
async fn lines_of_one_header_are_not_those_of_the_next() {
    let service = serve(&LimitLayer::new(header("a").and(header("b")), few(1)).unwrap());
    let of = |a: &[&str], b: &[&str]| {
        let mut request = get();
        for (name, lines) in [("a", a), ("b", b)] {
            for line in lines {
                request.headers_mut().append(name, line.parse().unwrap());
            }
        }
        request
    };
    assert_eq!(send(&service, of(&["1", "2"], &["3"])).await.status(), 200);
    assert_eq!(send(&service, of(&["1"], &["2", "3"])).await.status(), 200);
    assert_eq!(send(&service, of(&["1"], &["2", "3"])).await.status(), 429);

    let words = Key::from_fn(|head, key| {
        head.headers.get_all("a").iter().for_each(|word| key.write(word));
    });
    let service = serve(&LimitLayer::new(words.and(header("b")), few(1)).unwrap());
    assert_eq!(send(&service, of(&["1", "2"], &["3"])).await.status(), 200);
    assert_eq!(send(&service, of(&["1"], &["2", "3"])).await.status(), 200);
}

#[tokio::test]
async fn what_to_do_without_a_key_is_decided() {
    for (missing, first, second) in
        [(Missing::Deny, 403, 403), (Missing::Share, 200, 429), (Missing::Allow, 200, 200)]
    {
        let service = serve(&LimitLayer::new(header("a").missing(missing), few(1)).unwrap());
        let answer = send(&service, get()).await;
        assert_eq!(answer.status(), first);
        if missing == Missing::Deny {
            assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "missing_key");
        }
        assert_eq!(send(&service, get()).await.status(), second, "{missing:?}");
        assert_eq!(send(&service, with("a", "1")).await.status(), 200);
        // An empty one is there.
        assert_eq!(send(&service, with("a", "")).await.status(), 200);
        assert_eq!(send(&service, with("a", "")).await.status(), 429);
    }
}

#[tokio::test]
async fn keys_of_the_context() {
    let principal = |name: &'static str, route: &'static str| {
        let context = RequestContext::new();
        context.set_principal(name.into());
        context.set_route(route.into());
        context.set_client_ip("192.0.2.1".parse().unwrap());
        context
    };
    let layer =
        LimitLayer::new(Key::principal().and(Key::route()).and(Key::client()), few(1)).unwrap();
    let mut service = serve(&layer);
    let mut status = async |name, route| {
        let call = principal(name, route).scope(|| service.call(get()));
        call.await.unwrap().status().as_u16()
    };
    assert_eq!(status("ada", "/a").await, 200);
    assert_eq!(status("ada", "/b").await, 200);
    assert_eq!(status("bob", "/a").await, 200);
    assert_eq!(status("ada", "/a").await, 429);
}

#[tokio::test]
async fn lists_go_before_the_count_and_denial_before_all() {
    let layer = LimitLayer::new(Key::peer(), few(1))
        .unwrap()
        .allow_networks(ClientIp::peer(), ["192.0.2.0/24"])
        .unwrap()
        .allow_if(|head| head.uri.path() == "/health")
        .deny_networks(ClientIp::peer(), ["192.0.2.66"])
        .unwrap()
        .deny_if(|head| head.headers.contains_key("x-bad"));
    let handle = layer.handle();
    let service = serve(&layer);
    for _ in 0..3 {
        assert_eq!(send(&service, from("192.0.2.1")).await.status(), 200);
        assert_eq!(send(&service, from("192.0.2.66")).await.status(), 403);
    }
    let mut health = from("198.51.100.1");
    *health.uri_mut() = "/health".parse().unwrap();
    assert_eq!(send(&service, health).await.status(), 200);
    let mut bad = from("192.0.2.1");
    bad.headers_mut().insert("x-bad", "1".parse().unwrap());
    assert_eq!(send(&service, bad).await.status(), 403);
    let stats = handle.stats();
    assert_eq!((stats.allowed, stats.denied, stats.admitted), (4, 4, 0));
}

#[tokio::test]
async fn a_tier_has_rules_of_its_own_and_keeps_the_debt() {
    let of = |n| rule("api", requests(n).per(minutes(15)));
    let layer = LimitLayer::new(Key::everyone(), [of(10)])
        .unwrap()
        .tier("paid", [of(100)])
        .unwrap()
        .tier_by(|head| head.headers.contains_key("paid").then_some("paid"));
    let service = serve(&layer);
    for _ in 0..5 {
        let _ = send(&service, get()).await;
    }
    let paid = send(&service, with("paid", "1")).await;
    assert_eq!(paid.headers()["ratelimit"], r#""api";r=49;t=9"#);
    assert_eq!(paid.headers()["ratelimit-policy"], r#""api";q=100;w=900"#);
    let free = send(&service, get()).await;
    assert_eq!(free.headers()["ratelimit"], r#""api";r=3;t=9"#);
}

#[tokio::test]
async fn a_request_costs_what_is_said_of_it() {
    let layer = LimitLayer::new(Key::everyone(), few(10)).unwrap().cost(|head| {
        let cost = head.headers.get("cost").and_then(|cost| cost.to_str().ok()?.parse().ok());
        cost.unwrap_or(1)
    });
    let service = serve(&layer);
    assert_eq!(send(&service, with("cost", "7")).await.headers()["ratelimit"], r#""few";r=3;t=90"#);
    assert_eq!(send(&service, with("cost", "0")).await.headers()["ratelimit"], r#""few";r=3;t=90"#);
    let refused = send(&service, with("cost", "5")).await;
    assert_eq!(refused.headers()["retry-after"], "180");
    let never = send(&service, with("cost", "11")).await;
    assert_eq!(never.status(), 429);
    assert!(!never.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn what_is_charged_later_counts_for_the_next() {
    let layer = LimitLayer::new(Key::everyone(), few(10)).unwrap().charge_later();
    let service = serve_with(&layer, |request| {
        let charge = request.extensions().get::<Charge>().unwrap();
        charge.charge(15);
        charge.refund(2);
        StatusCode::OK
    });
    assert_eq!(send(&service, get()).await.status(), 200);
    // 14 are owed, of 10: five until one is free.
    assert_eq!(send(&service, get()).await.headers()["retry-after"], "450");
}

#[tokio::test]
async fn two_layers_over_one_store_share_what_has_one_name() {
    let store = MemoryStore::with_capacity(1 << 8).unwrap();
    let layer = || LimitLayer::with_store(store.clone(), Key::everyone(), few(2)).unwrap();
    assert_eq!(send(&serve(&layer()), get()).await.status(), 200);
    assert_eq!(send(&serve(&layer()), get()).await.status(), 200);
    assert_eq!(send(&serve(&layer()), get()).await.status(), 429);
}

#[tokio::test]
async fn the_handle_steers_and_tells() {
    let layer = LimitLayer::new(Key::everyone(), few(1)).unwrap();
    let handle = layer.handle();
    let service = serve(&layer);
    assert_eq!(send(&service, get()).await.status(), 200);
    assert_eq!(send(&service, get()).await.status(), 429);
    assert!(handle.peek(&get())[0].is_limited());
    assert!(handle.reset(&get()));
    assert_eq!(send(&service, get()).await.status(), 200);
    let stats = handle.stats();
    assert_eq!((stats.admitted, stats.refused), (2, 1));
    let mut seen = Vec::new();
    handle.collect(&mut |sample| {
        seen.push((sample.name.to_owned(), sample.labels.len(), sample.value));
    });
    assert!(seen.contains(&("limit_requests_total".to_owned(), 2, 2.0)), "{seen:?}");
    assert!(seen.contains(&("limit_refusals_total".to_owned(), 4, 1.0)), "{seen:?}");
    // Those of one name stand together.
    let mut names: Vec<_> = seen.iter().map(|(name, ..)| name).collect();
    names.dedup();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[cfg(feature = "slow-down")]
mod slow_down {
    use super::*;
    use buttress_limit::SlowDown;
    use futures_util::FutureExt;
    use std::time::Duration;
    use tokio::time::Instant;

    fn layer(max_waiting: usize) -> LimitLayer {
        let slow = SlowDown::new(2, Duration::from_secs(1), Duration::from_secs(3)).unwrap();
        LimitLayer::new(Key::everyone(), few(100)).unwrap().slow_down(slow.max_waiting(max_waiting))
    }

    #[tokio::test(start_paused = true)]
    async fn each_further_request_waits_longer_up_to_the_maximum() {
        let service = serve(&layer(10));
        for wait in [0, 0, 1, 2, 3, 3] {
            let begun = Instant::now();
            assert_eq!(send(&service, get()).await.status(), 200);
            // Timers are a millisecond late.
            assert_eq!(begun.elapsed().as_secs(), wait);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_wait_than_may_and_who_leaves_is_gone() {
        let layer = layer(2);
        let handle = layer.handle();
        let mut service = serve(&layer);
        let _ = send(&service, get()).await;
        let _ = send(&service, get()).await;
        let mut first = Box::pin(service.call(get()));
        let second = service.call(get());
        assert!((&mut first).now_or_never().is_none());
        assert_eq!(handle.stats().waiting, 2);
        let before = handle.peek(&get())[0].remaining();
        let refused = send(&service, get()).await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.extensions().get::<Rejected>().unwrap().reason(), "too_many_waiting");
        assert_eq!(handle.peek(&get())[0].remaining(), before);

        drop(second);
        assert_eq!(handle.stats().waiting, 1);
        assert_eq!(first.await.unwrap().status(), 200);
        assert_eq!(handle.stats().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_holds_no_inner_permit() {
        let inner = tower::limit::ConcurrencyLimit::new(
            service_fn(|_: Request<()>| async {
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }),
            1,
        );
        let mut service = layer(10).layer(inner);
        for _ in 0..2 {
            let _ = service.ready().await.unwrap().call(get()).await.unwrap();
        }
        let waiting = tokio::spawn(service.ready().await.unwrap().call(get()));
        tokio::task::yield_now().await;
        let mut other = service.clone();
        assert!(std::future::poll_fn(|cx| other.poll_ready(cx)).now_or_never().is_some());
        drop(other);
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    }

    #[test]
    fn a_delay_that_cannot_be_is_refused() {
        let [none, one, two] = [0, 1, 2].map(Duration::from_secs);
        assert!(SlowDown::new(1, none, one).is_err());
        assert!(SlowDown::new(1, two, one).is_err());
    }
}

#[cfg(feature = "governor")]
mod governor_adapters {
    use super::*;
    use governor::RateLimiter;
    use std::num::NonZeroU32;

    fn an_hour(n: u32) -> governor::Quota {
        governor::Quota::per_hour(NonZeroU32::new(n).unwrap())
    }

    #[tokio::test]
    async fn a_governor_limiter_is_a_rule_and_no_other_is_charged_for_its_no() {
        let layer = LimitLayer::new(header("user"), few(10))
            .unwrap()
            .governor("steady", Arc::new(RateLimiter::keyed(an_hour(2))))
            .unwrap();
        let handle = layer.handle();
        let service = serve(&layer);
        for _ in 0..2 {
            assert_eq!(send(&service, with("user", "ada")).await.status(), 200);
        }
        let refused = send(&service, with("user", "ada")).await;
        assert_eq!(refused.status(), 429);
        let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1_790..=1_800).contains(&after), "{after}");
        assert_eq!(json(refused).await["violated-policies"], serde_json::json!(["steady"]));
        assert_eq!(handle.peek(&with("user", "ada"))[0].remaining(), 8);
        assert_eq!(send(&service, with("user", "bob")).await.status(), 200);
    }

    #[test]
    fn a_governor_limiter_over_the_table_decides_as_over_its_own_store() {
        let store = MemoryStore::with_capacity(1 << 10).unwrap();
        let ours = buttress_limit::governor::keyed(&store, "a", an_hour(20)).unwrap();
        let theirs = RateLimiter::hashmap(an_hour(20));
        for step in 0..300_u32 {
            let key = step * step % 11;
            let (ours, theirs) = (ours.check_key(&key), theirs.check_key(&key));
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{step}");
        }
    }

    #[test]
    fn a_flood_of_keys_ends_in_a_cell_that_is_shared() {
        let store = MemoryStore::with_capacity(16).unwrap();
        let limiter = buttress_limit::governor::keyed(&store, "a", an_hour(1)).unwrap();
        let admitted = (0..10_000).filter(|key| limiter.check_key(key).is_ok()).count();
        assert!((16..64).contains(&admitted), "{admitted}");
    }
}
