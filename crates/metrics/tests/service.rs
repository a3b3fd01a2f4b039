//! Who gets to see the numbers, and how.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use buttress_core::reject::Rejected;
use buttress_metrics::{ConfigErrorKind, Denied, Exposition, HttpMetrics, MetricsService};
use bytes::Bytes;
use http::{
    Request, Response,
    header::{ACCEPT, AUTHORIZATION},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

async fn ask(service: &MetricsService, request: http::request::Builder) -> Response<Bytes> {
    let answer = service.clone().oneshot(request.body(()).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

fn page() -> MetricsService {
    MetricsService::new(Exposition::new().http(&HttpMetrics::server()))
}

#[tokio::test]
async fn the_page_is_negotiated_and_never_cached() {
    for (accept, content_type, last) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "\n"),
        (
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# EOF\n",
        ),
    ] {
        let answer = ask(&page(), Request::get("/metrics").header(ACCEPT, accept)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["vary"], "accept");
        assert_eq!(answer.headers()["content-length"], answer.body().len().to_string());
        assert!(answer.body().ends_with(last.as_bytes()));
    }
}

#[tokio::test]
async fn head_has_the_same_head_and_no_body() {
    let get = ask(&page(), Request::get("/metrics")).await;
    let head = ask(&page(), Request::head("/metrics")).await;
    assert_eq!(get.headers(), head.headers());
    assert!(head.body().is_empty() && !get.body().is_empty());
}

#[tokio::test]
async fn the_report_is_json() {
    let service = MetricsService::report(&HttpMetrics::server());
    let answer = ask(&service, Request::get("/report")).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let json: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(json["since_start"]["requests"], 0);
}

#[tokio::test]
async fn other_methods_are_refused() {
    for method in ["POST", "OPTIONS", "DELETE", "get"] {
        let answer = ask(&page(), Request::builder().method(method)).await;
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let rejected = answer.extensions().get::<Rejected>().unwrap();
        assert_eq!((rejected.layer(), rejected.reason()), ("metrics", "method_not_allowed"));
    }
}

#[tokio::test]
async fn a_token_is_asked_for_exactly() {
    let service = page().bearer("c2NyYXBlcg==").unwrap();
    let unauthorized = service.clone().denied(Denied::Unauthorized);
    for (sent, status) in [
        (&["Bearer c2NyYXBlcg=="][..], 200),
        (&["bearer  c2NyYXBlcg=="], 200),
        (&["Bearer c2NyYXBlcg="], 404),
        (&["Bearer c2NyYXBlch=="], 404),
        (&["Bearer c2NyYXBlcg==, x"], 404),
        (&["Bearer c2NyYXBlcg==", "Bearer c2NyYXBlcg=="], 404),
        (&["Basic c2NyYXBlcg=="], 404),
        (&["c2NyYXBlcg=="], 404),
        (&["Bearer "], 404),
        (&[""], 404),
        (&[], 404),
    ] {
        let request = || {
            sent.iter()
                .fold(Request::get("/"), |request, line| request.header(AUTHORIZATION, *line))
        };
        let answer = ask(&service, request()).await;
        assert_eq!(answer.status(), status, "{sent:?}");
        let answer = ask(&unauthorized, request()).await;
        assert_eq!(answer.status(), if status == 404 { 401 } else { 200 }, "{sent:?}");
        if status == 404 {
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "denied");
        }
    }
    // Nobody learns by the method that there is something.
    assert_eq!(ask(&service, Request::post("/")).await.status(), 404);
    assert!(!format!("{service:?}").contains("c2NyYXBlcg"));
}

#[tokio::test]
async fn a_predicate_and_a_token_have_to_agree() {
    let service = page()
        .allow_if(|request| request.headers.contains_key("x-internal"))
        .bearer("token")
        .unwrap();
    for (internal, token, status) in
        [(true, true, 200), (true, false, 404), (false, true, 404), (false, false, 404)]
    {
        let mut request = Request::get("/");
        if internal {
            request = request.header("x-internal", "1");
        }
        if token {
            request = request.header(AUTHORIZATION, "Bearer token");
        }
        assert_eq!(ask(&service, request).await.status(), status);
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_refused() {
    for token in ["", "=", "two words", "a=b", "ü", "a\n"] {
        let error = page().bearer(token).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::InvalidToken);
        assert!(token.is_empty() || token == "=" || !error.to_string().contains(token));
    }
}
