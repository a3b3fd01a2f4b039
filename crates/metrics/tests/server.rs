//! What a server's exchanges are counted as.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod support;

use std::{
    convert::Infallible,
    future::{pending, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use buttress_core::{
    context,
    reject::{DefaultResponder, Protocol, Rejection},
};
use buttress_metrics::{HttpMetrics, Scheme};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::join_all, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use support::{counts, one};
use tower::{Layer, Service, ServiceExt, service_fn};

type AnyBody = BoxBody<Bytes, io::Error>;

fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> AnyBody {
    BodyExt::boxed(StreamBody::new(stream::iter(frames)))
}

fn data(bytes: &'static [u8]) -> io::Result<Frame<Bytes>> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}

fn full(bytes: &'static [u8]) -> AnyBody {
    Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed()
}

fn answer(status: u16, body: AnyBody) -> Response<AnyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// Serves `response` to `request`, to the end of its body.
async fn exchange(metrics: &HttpMetrics, request: Request<()>, response: Response<AnyBody>) {
    let mut response = Some(response);
    let service = metrics.layer().layer(service_fn(move |_: Request<()>| {
        ready(Ok::<_, Infallible>(response.take().unwrap()))
    }));
    let response = service.oneshot(request).await.unwrap();
    let _ = response.into_body().collect().await;
}

fn get(path: &str) -> Request<()> {
    Request::get(path).body(()).unwrap()
}

#[tokio::test]
async fn each_label_follows_its_rule() {
    let of = |method: &str, uri: &str, version| {
        Request::builder().method(method).uri(uri).version(version).body(()).unwrap()
    };
    let post_2 = of("POST", "https://a.example/", Version::HTTP_2);
    for (request, status, expected) in [
        (get("/"), 200, r#"GET http 1.1 200"#),
        (post_2, 201, r#"POST https 2 201"#),
        (of("QUERY", "/", Version::HTTP_10), 204, "QUERY http 1.0 204"),
        (of("get", "/", Version::HTTP_3), 304, "_OTHER http 3 304"),
        (of("BREW", "ftp://x/", Version::HTTP_09), 418, "_OTHER http 0.9 418"),
        (get("/"), 404, "GET http 1.1 404"),
        (get("/"), 500, "GET http 1.1 500 error=500"),
        (get("/"), 503, "GET http 1.1 503 error=503"),
    ] {
        let metrics = HttpMetrics::server();
        exchange(&metrics, request, answer(status, full(b"x"))).await;
        assert_eq!(one(&metrics), expected);
    }
}

#[tokio::test]
async fn a_scheme_that_is_set_is_every_requests() {
    let metrics = HttpMetrics::server().scheme(Scheme::Https);
    exchange(&metrics, get("http://a.example/"), answer(200, full(b""))).await;
    assert_eq!(one(&metrics), "GET https 1.1 200");
}

#[tokio::test]
async fn known_methods_are_a_full_override() {
    let metrics = HttpMetrics::server().known_methods("PURGE").unwrap();
    for method in ["PURGE", "GET"] {
        let request = Request::builder().method(method).body(()).unwrap();
        exchange(&metrics, request, answer(200, full(b""))).await;
    }
    assert_eq!(
        counts(&metrics),
        [("PURGE http 1.1 200".into(), 1), ("_OTHER http 1.1 200".into(), 1)]
    );
}

#[tokio::test]
async fn the_contexts_route_goes_before_the_routers() {
    #[derive(Clone)]
    struct Matched(&'static str);

    let metrics = HttpMetrics::server()
        .route_from(|extensions| extensions.get::<Matched>().map(|matched| matched.0));
    for (matched, late, expected, count) in [
        (Some("/outer/{*rest}"), Some("/outer/{id}"), "GET http route=/outer/{id} 1.1 200", 1),
        (Some("/outer/{*rest}"), None, "GET http route=/outer/{*rest} 1.1 200", 1),
        (None, Some("/late"), "GET http route=/late 1.1 200", 1),
        (None, None, "GET http 1.1 200", 1),
        // To Prometheus an empty label is none: it must not be a series of its own.
        (Some(""), None, "GET http 1.1 200", 2),
        (None, Some(""), "GET http 1.1 200", 3),
    ] {
        let before = counts(&metrics);
        let mut request = get("/outer/7");
        if let Some(matched) = matched {
            request.extensions_mut().insert(Matched(matched));
        }
        let service = metrics.layer().layer(service_fn(move |_: Request<()>| {
            if let Some(late) = late {
                context::current().unwrap().set_route(late.into());
            }
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        }));
        drop(service.oneshot(request).await.unwrap());
        let mut after = counts(&metrics);
        after.retain(|series| !before.contains(series));
        assert_eq!(after, [(expected.to_owned(), count)]);
    }
}

#[tokio::test]
async fn the_kind_of_an_error_is_the_most_telling_one() {
    let rejection = || {
        Rejection::new("limit", "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
            .with_detail("a message that is no label")
            .respond::<_, Full<Bytes>>(&DefaultResponder, Protocol::Http)
    };
    for (known, rejected, status, expected) in [
        (None, false, 429, "GET http 1.1 429"),
        (None, true, 429, "GET http 1.1 429 error=quota_exceeded"),
        (Some("timeout"), true, 429, "GET http 1.1 429 error=timeout"),
        (Some("timeout"), false, 504, "GET http 1.1 504 error=timeout"),
        (None, false, 504, "GET http 1.1 504 error=504"),
    ] {
        let metrics = HttpMetrics::server();
        let service = metrics.layer().layer(service_fn(move |_: Request<()>| {
            if let Some(kind) = known {
                context::current().unwrap().set_error_type(kind);
            }
            let mut response = rejection();
            if !rejected {
                response.extensions_mut().clear();
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
            }
            ready(Ok::<_, Infallible>(response))
        }));
        let _ = service.oneshot(get("/")).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(one(&metrics), expected);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_add_one_series_each_kind() {
    let metrics = HttpMetrics::server();
    exchange(&metrics, get("/"), answer(200, full(b""))).await;
    for number in 0..1_000_u64 {
        let path = format!("/{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        exchange(&metrics, get(&path), answer(404, full(b"no"))).await;
    }
    for number in 0..50 {
        let request = Request::builder().method(&*format!("M{number}")).body(()).unwrap();
        exchange(&metrics, request, answer(405, full(b"no"))).await;
    }
    let expected =
        [("GET http 1.1 200", 1), ("GET http 1.1 404", 1_000), ("_OTHER http 1.1 405", 50)];
    assert_eq!(counts(&metrics), expected.map(|(labels, count)| (labels.to_owned(), count)));
}

#[tokio::test]
async fn each_end_is_one_sample_and_the_gauge_goes_back() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    let broken = || Err(io::ErrorKind::ConnectionReset.into());
    for (method, status, body, expected) in [
        (Method::GET, 200, frames(vec![data(b"ab"), data(b"c")]), "GET http 1.1 200"),
        (Method::GET, 200, frames(vec![data(b"ab"), trailers()]), "GET http 1.1 200"),
        (Method::HEAD, 200, full(b"not sent"), "HEAD http 1.1 200"),
        (Method::GET, 204, full(b"not sent"), "GET http 1.1 204"),
        (Method::GET, 304, full(b""), "GET http 1.1 304"),
        (
            Method::GET,
            200,
            frames(vec![data(b"ab"), broken()]),
            "GET http 1.1 200 error=body_error",
        ),
        (Method::GET, 500, frames(vec![broken()]), "GET http 1.1 500 error=500"),
    ] {
        let metrics = HttpMetrics::server();
        let request = Request::builder().method(method).body(()).unwrap();
        exchange(&metrics, request, answer(status, body)).await;
        assert_eq!(one(&metrics), expected);
        assert_eq!(metrics.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_has_no_status() {
    let metrics = HttpMetrics::server();
    let service = metrics
        .layer()
        .layer(service_fn(|_: Request<()>| pending::<Result<Response<AnyBody>, Infallible>>()));
    {
        let mut call = Box::pin(service.oneshot(get("/")));
        assert!(call.as_mut().now_or_never().is_none());
        assert_eq!((metrics.in_flight(), counts(&metrics).len()), (1, 0));
    }
    assert_eq!(metrics.in_flight(), 0);
    assert_eq!(one(&metrics), "GET http 1.1 error=client_gone");
}

#[tokio::test]
async fn a_client_that_leaves_mid_body_keeps_its_status() {
    let metrics = HttpMetrics::server();
    let service = metrics.layer().layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(frames(vec![data(b"ab"), data(b"c")]))))
    }));
    let response = service.oneshot(get("/")).await.unwrap();
    {
        let mut body = Box::pin(response.into_body());
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(metrics.in_flight(), 1);
    }
    assert_eq!(metrics.in_flight(), 0);
    assert_eq!(one(&metrics), "GET http 1.1 200 error=client_gone");
}

#[tokio::test]
async fn panics_and_errors_of_the_service_are_kinds_of_their_own() {
    let metrics = HttpMetrics::server();
    let in_call =
        service_fn(|_: Request<()>| -> std::future::Ready<Result<Response<AnyBody>, Infallible>> {
            panic!("in call")
        });
    let mut in_call = metrics.layer().layer(in_call);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(in_call.call(get("/"))))).is_err());

    let in_future = service_fn(|_: Request<()>| async {
        if true {
            panic!("in the future");
        }
        Ok::<_, Infallible>(Response::new(full(b"")))
    });
    let in_future = metrics.layer().layer(in_future).oneshot(get("/"));
    assert!(AssertUnwindSafe(in_future).catch_unwind().await.is_err());
    assert_eq!(counts(&metrics), [("GET http 1.1 error=panic".to_owned(), 2)]);

    let metrics = HttpMetrics::server();
    let service = metrics.layer().layer(service_fn(|_: Request<()>| {
        let panics = stream::iter([()]).map(|()| panic!("in the body"));
        let body: AnyBody =
            BodyExt::boxed(StreamBody::new(stream::iter([data(b"ab")]).chain(panics)));
        ready(Ok::<_, Infallible>(Response::new(body)))
    }));
    let response = service.oneshot(get("/")).await.unwrap();
    assert!(AssertUnwindSafe(response.into_body().collect()).catch_unwind().await.is_err());
    assert_eq!(one(&metrics), "GET http 1.1 200 error=panic");

    let metrics = HttpMetrics::server();
    let fails = service_fn(|_: Request<()>| ready(Err::<Response<AnyBody>, _>("no answer")));
    assert!(metrics.layer().layer(fails).oneshot(get("/")).await.is_err());
    assert_eq!(one(&metrics), "GET http 1.1 error=service_error");
    assert_eq!(metrics.in_flight(), 0);
}

#[tokio::test]
async fn the_size_of_a_request_is_what_its_head_says() {
    for (version, length, chunked, expected) in [
        (Version::HTTP_11, Some("300"), false, Some(300.0)),
        (Version::HTTP_2, Some("7"), false, Some(7.0)),
        (Version::HTTP_11, None, false, Some(0.0)),
        (Version::HTTP_11, None, true, None),
        (Version::HTTP_2, None, false, None),
        (Version::HTTP_11, Some("many"), false, None),
        (Version::HTTP_11, Some("1125899906842623"), false, Some(1_125_899_906_842_623.0)),
        (Version::HTTP_11, Some("1125899906842624"), false, None),
        (Version::HTTP_11, Some("18446744073709551615"), false, None),
    ] {
        let metrics = HttpMetrics::server();
        let mut request = Request::post("/").version(version);
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        if chunked {
            request = request.header("transfer-encoding", "chunked");
        }
        exchange(&metrics, request.body(()).unwrap(), answer(200, full(b"hello"))).await;
        let page = support::page(&metrics);
        let sum = |name: &str| page.iter().find(|line| line.name == name).map(|line| line.value);
        assert_eq!(sum("http_server_request_body_size_bytes_sum"), expected, "{version:?}");
        assert_eq!(sum("http_server_response_body_size_bytes_sum"), Some(5.0));
    }
}

/// All at once, in several tasks, with a third of them dropped at one of two moments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_at_once_are_ten_thousand_samples() {
    const REQUESTS: usize = 10_000;
    let metrics = HttpMetrics::server();
    let service = metrics.layer().layer(service_fn(|request: Request<()>| async move {
        let number: usize = request.uri().path().trim_start_matches('/').parse().unwrap();
        tokio::task::yield_now().await;
        match number % 6 {
            // Cancelled before the head.
            0 => pending().await,
            1 => Ok(answer(500, full(b"no"))),
            2 => Err(io::Error::other("no answer")),
            4 => Ok(answer(200, frames(vec![data(b"a"), Ok(Frame::trailers(HeaderMap::new()))]))),
            _ => Ok(answer(200, frames(vec![data(b"a"), data(b"b")]))),
        }
    }));
    let tasks = (0..REQUESTS).map(|number| {
        let call = service.clone().oneshot(get(&format!("/{number}")));
        tokio::spawn(async move {
            let mut call = Box::pin(call);
            if number % 6 == 0 {
                for _ in 0..3 {
                    assert!(call.as_mut().now_or_never().is_none());
                    tokio::task::yield_now().await;
                }
                return;
            }
            let Ok(response) = call.await else { return };
            let mut body = Box::pin(response.into_body());
            assert!(body.frame().await.unwrap().is_ok());
            // Cancelled in the body.
            if number % 6 != 3 {
                while let Some(Ok(_)) = body.frame().await {}
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(metrics.in_flight(), 0);
    let report = metrics.report();
    for period in [report.since_start(), report.window()] {
        assert_eq!(period.requests(), REQUESTS as u64);
        let errors: Vec<_> = period.errors().collect();
        let gone = (0..REQUESTS).filter(|number| number % 3 == 0).count() as u64;
        let of = |rest| (0..REQUESTS).filter(|number| number % 6 == rest).count() as u64;
        assert_eq!(errors, [("500", of(1)), ("client_gone", gone), ("service_error", of(2))]);
    }
    let sum: u64 = counts(&metrics).iter().map(|(_, count)| count).sum();
    assert_eq!(sum, REQUESTS as u64);
}
