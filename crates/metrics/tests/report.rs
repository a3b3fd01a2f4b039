//! What a person reads.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{convert::Infallible, time::Duration};

use buttress_core::context;
use buttress_metrics::{ConfigErrorKind, HttpMetrics};
use http::{HeaderValue, Request, Response};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

/// Serves `/slow`, `/fast` and others, each a route of its own; the slow one waits.
async fn served(paths: &[&str]) -> HttpMetrics {
    let metrics = HttpMetrics::server();
    let service = metrics.layer().layer(service_fn(|request: Request<()>| async move {
        let current = context::current().unwrap();
        let path = request.uri().path();
        let id = format!("id-of-{}", path.trim_start_matches('/'));
        current.set_request_id(HeaderValue::from_str(&id).unwrap());
        if path != "/none" {
            current.set_route(path.into());
        }
        if path == "/slow" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut response = Response::new(String::new());
        if path == "/fail" {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        Ok::<_, Infallible>(response)
    }));
    for path in paths {
        let request = Request::get(*path).body(()).unwrap();
        drop(service.clone().oneshot(request).await.unwrap());
    }
    metrics
}

#[tokio::test]
async fn the_json_has_everything_twice() {
    let metrics = served(&["/fast", "/fast", "/slow", "/fail", "/none"]).await;
    let json: Value = serde_json::from_str(&metrics.report().slowest(1).to_json()).unwrap();
    assert_eq!(json["in_flight"], 0);
    for period in [&json["since_start"], &json["window"]] {
        assert_eq!(period["requests"], 5);
        assert!(period["requests_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(period["by_method"]["GET"], 5);
        assert_eq!(period["by_status"]["200"], 4);
        assert_eq!(period["errors"]["500"], 1);
        let routes = period["by_route"].as_array().unwrap();
        assert_eq!(routes.len(), 4);
        assert_eq!((&routes[0]["route"], &routes[0]["requests"]), (&"/fast".into(), &2.into()));
        assert!(routes.iter().any(|route| route["route"].is_null()));
        let slowest = period["slowest"].as_array().unwrap();
        assert_eq!(slowest.len(), 1);
        assert_eq!(slowest[0]["route"], "/slow");
        assert_eq!(slowest[0]["slowest_request_id"], "id-of-slow");
        for name in ["min", "max", "mean", "p50", "p95", "p99"] {
            assert!(slowest[0]["duration_ms"][name].as_f64().unwrap() >= 20.0, "{name}");
        }
        assert_eq!(period["duration_ms"]["max"], slowest[0]["duration_ms"]["max"]);
    }
}

#[tokio::test]
async fn of_nothing_there_is_a_report_too() {
    let json: Value = serde_json::from_str(&HttpMetrics::server().report().to_json()).unwrap();
    assert_eq!(json["since_start"]["requests"], 0);
    assert!(json["window"]["duration_ms"].is_null());
}

#[tokio::test]
async fn the_line_is_one_line_with_the_slowest_routes() {
    let metrics = served(&["/fast", "/slow", "/fail"]).await;
    let line = metrics.report().slowest(1).to_string();
    assert!(line.starts_with("requests=3 rps="), "{line}");
    assert!(line.contains(" in_flight=0 errors=1 mean_ms="), "{line}");
    assert!(line.contains(" total=3 slowest=\"/slow p95="), "{line}");
    assert!(line.ends_with(" id=id-of-slow\""), "{line}");
    let line = metrics.report().slowest(0).to_string();
    assert!(line.ends_with(" total=3"), "{line}");
    let evil = served(&["/a\"b"]).await.report().to_string();
    assert_eq!(evil.lines().count(), 1);
    assert!(evil.contains(r#"slowest="/a\"b p95="#), "{evil}");
}

#[test]
fn a_window_is_from_a_second_to_a_day() {
    for (seconds, accepted) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
        let set = HttpMetrics::server().window(Duration::from_secs(seconds));
        assert_eq!(set.is_ok(), accepted, "{seconds}");
        if let Err(error) = set {
            assert_eq!(error.kind(), ConfigErrorKind::InvalidWindow);
        }
    }
}
