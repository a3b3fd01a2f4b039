//! What a client's exchanges are counted as.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::future::{pending, ready};

use buttress_core::context::RequestContext;
use buttress_metrics::HttpMetrics;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use support::{counts, one, page};
use tower::{Layer, ServiceExt, service_fn};

async fn call(metrics: &HttpMetrics, uri: &str, answer: Result<u16, &'static str>) {
    let client = metrics.layer().layer(service_fn(move |_: Request<()>| {
        ready(answer.map(|status| {
            let mut response = Response::new(String::from("hello"));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            *response.version_mut() = Version::HTTP_2;
            response
        }))
    }));
    if let Ok(response) = client.oneshot(Request::get(uri).body(()).unwrap()).await {
        let _ = response.into_body().collect().await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_is_its_address_and_port() {
    for (uri, answer, expected) in [
        ("https://api.example/v1/7", Ok(200), "GET https api.example 443 2 200"),
        ("http://api.example/v1/7", Ok(200), "GET http api.example 80 2 200"),
        ("http://api.example:8080/", Ok(302), "GET http api.example 8080 2 302"),
        ("http://[::1]:8080/", Ok(200), "GET http ::1 8080 2 200"),
        ("/no/host", Ok(200), "GET http 2 200"),
        ("http://a/", Ok(404), "GET http a 80 2 404 error=404"),
        ("http://a/", Ok(503), "GET http a 80 2 503 error=503"),
        ("http://a/", Err("refused"), "GET http a 80 1.1 error=service_error"),
    ] {
        let metrics = HttpMetrics::client();
        call(&metrics, uri, answer).await;
        assert_eq!(one(&metrics), expected);
        assert_eq!(metrics.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled() {
    let metrics = HttpMetrics::client();
    let never = service_fn(|_: Request<()>| pending::<Result<Response<String>, &str>>());
    {
        let request = Request::get("http://a:81/").body(()).unwrap();
        let mut call = Box::pin(metrics.layer().layer(never).oneshot(request));
        assert!(call.as_mut().now_or_never().is_none());
        let gauge = page(&metrics).remove(0);
        assert_eq!((&*gauge.name, gauge.value), ("http_client_active_requests", 1.0));
        assert_eq!((&*gauge.labels["server_address"], &*gauge.labels["server_port"]), ("a", "81"));
    }
    assert_eq!(one(&metrics), "GET http a 81 1.1 error=cancelled");
    assert_eq!(page(&metrics)[0].value, 0.0);
}

#[tokio::test]
async fn what_is_known_of_the_request_that_is_served_is_not_the_calls() {
    let served = RequestContext::new();
    served.set_request_id(HeaderValue::from_static("served"));
    served.set_route("/users/{id}".into());
    served.set_error_type("timeout");
    let metrics = HttpMetrics::client();
    let calls = served.scope(|| {
        buttress_core::context::in_request(async {
            call(&metrics, "http://a/", Ok(200)).await;
        })
    });
    calls.await;
    assert_eq!(served.started(), None, "when it came in is not when it made a call");
    assert_eq!(one(&metrics), "GET http a 80 2 200");
    let report = metrics.report();
    let peer = &report.since_start().routes()[0];
    assert_eq!((peer.name(), peer.slowest_request_id()), (Some("a:80"), Some("served")));
    assert!(report.to_json().contains("\"by_server\":[{\"route\":\"a:80\""));
}

#[tokio::test]
async fn too_many_peers_are_one() {
    let metrics = HttpMetrics::client();
    for number in 0..2_100 {
        call(&metrics, &format!("http://host-{number}/"), Ok(200)).await;
    }
    let counts = counts(&metrics);
    assert_eq!(counts.len(), buttress_metrics::MAX_SERIES + 1);
    assert_eq!(counts.last(), Some(&("overflow=true".to_owned(), 100)));
    assert_eq!(metrics.in_flight(), 0);
}
