//! The report collector against those who send what no browser would.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    io::{Error, ErrorKind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use buttress_core::{reject::Rejected, source::Metrics};
use buttress_headers::{ReportCollector, report_collector};
use bytes::Bytes;
use futures_util::stream;
use http::{
    Request, Response, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tower::ServiceExt;

const CSP_REPORT: &str = "application/csp-report";
const REPORTS: &str = "application/reports+json";

fn post(content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/reports")
        .header(CONTENT_TYPE, content_type)
        .body(Full::new(body.into()))
        .unwrap()
}

/// Sends it, and says the status and the reason of a refusal.
async fn sent<B>(collector: &ReportCollector, request: Request<B>) -> (u16, &'static str)
where
    B: Body,
{
    let response = collector.clone().oneshot(request).await.unwrap();
    let reason = response.extensions().get::<Rejected>().map_or("", |rejected| rejected.reason());
    (response.status().as_u16(), reason)
}

#[tokio::test]
async fn both_kinds_of_documents_are_taken_and_counted() {
    let collector = report_collector();
    let old = r#"{"csp-report":{"document-uri":"https://a.example/","disposition":"report"}}"#;
    let new = r#"[{"type":"csp-violation","body":{"disposition":"enforce"}},{"type":"coep"}]"#;
    for (content_type, document) in [
        (CSP_REPORT, old),
        ("Application/CSP-Report; charset=utf-8", old),
        (REPORTS, new),
        (REPORTS, "[]"),
    ] {
        assert_eq!(sent(&collector, post(content_type, document)).await, (204, ""));
    }
    let totals = collector.totals();
    assert_eq!((totals.csp_reports(), totals.other_reports()), (3, 1));
    assert_eq!((totals.dropped(), totals.refused()), (0, 0));
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let collector = report_collector();
    let report = r#"{"csp-report":{}}"#;
    let get = Request::get("/").header(CONTENT_TYPE, CSP_REPORT).body(Full::default()).unwrap();
    let mut gzip = post(CSP_REPORT, report);
    gzip.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let mut bare = post(CSP_REPORT, report);
    bare.headers_mut().remove(CONTENT_TYPE);
    let deep = "[".repeat(60_000) + &"]".repeat(60_000 / 100);
    let cases = [
        (get, 405, "method"),
        (gzip, 415, "media_type"),
        (bare, 415, "media_type"),
        (post("application/json", report), 415, "media_type"),
        (post("application/csp-reports", report), 415, "media_type"),
        (post("text/plain", report), 415, "media_type"),
        (post(CSP_REPORT, ""), 400, "malformed"),
        (post(CSP_REPORT, "{\"csp-report\":\"\"}"), 400, "malformed"),
        (post(REPORTS, report), 400, "malformed"),
        (post(REPORTS, deep), 400, "malformed"),
        (post(REPORTS, &b"[\"\xff\"]"[..]), 400, "malformed"),
        (post(REPORTS, vec![b' '; 64 * 1024 + 1]), 413, "too_large"),
    ];
    let count = cases.len() as u64;
    for (request, status, reason) in cases {
        assert_eq!(sent(&collector, request).await, (status, reason));
    }
    assert_eq!(collector.totals().refused(), count);
    assert_eq!(collector.totals().csp_reports(), 0);
}

#[tokio::test]
async fn a_refusal_is_a_problem_document_that_says_what_would_do() {
    let collector = report_collector();
    let ask = |request| collector.clone().oneshot(request);
    let response = ask(Request::get("/").body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[ALLOW], "POST");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let response = ask(post("text/html", "")).await.unwrap();
    assert_eq!(response.headers()[ACCEPT], "application/reports+json, application/csp-report");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(std::str::from_utf8(&body).unwrap().contains("\"status\":415"));
}

#[tokio::test]
async fn the_largest_document_is_taken_and_one_byte_more_is_not() {
    let collector = report_collector();
    let mut document = b"[{\"type\":\"csp-violation\"}]".to_vec();
    document.resize(64 * 1024, b' ');
    assert_eq!(sent(&collector, post(REPORTS, document.clone())).await, (204, ""));
    document.push(b' ');
    assert_eq!(sent(&collector, post(REPORTS, document)).await, (413, "too_large"));
}

/// Never ends, and counts how much was asked of it.
struct Endless(Arc<Mutex<usize>>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        *self.0.lock().unwrap() += 1000;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'['; 1000])))))
    }
}

#[tokio::test]
async fn an_endless_body_is_read_no_further_than_the_limit() {
    let read = Arc::new(Mutex::new(0));
    let request = Request::post("/").header(CONTENT_TYPE, REPORTS).body(Endless(Arc::clone(&read)));
    assert_eq!(sent(&report_collector(), request.unwrap()).await, (413, "too_large"));
    assert_eq!(*read.lock().unwrap(), 66_000);
}

#[tokio::test]
async fn a_broken_body_is_refused_and_trailers_do_not_matter() {
    let broken = stream::iter([
        Ok(Frame::data(Bytes::from_static(b"["))),
        Err(Error::from(ErrorKind::ConnectionReset)),
    ]);
    let whole = stream::iter([
        Ok::<_, Error>(Frame::data(Bytes::from_static(b"["))),
        Ok(Frame::data(Bytes::from_static(b"]"))),
        Ok(Frame::trailers(http::HeaderMap::new())),
    ]);
    let post = || Request::post("/").header(CONTENT_TYPE, REPORTS);
    let collector = report_collector();
    let request = post().body(StreamBody::new(broken)).unwrap();
    assert_eq!(sent(&collector, request).await, (400, "body"));
    let request = post().body(StreamBody::new(whole)).unwrap();
    assert_eq!(sent(&collector, request).await, (204, ""));
}

#[tokio::test]
async fn the_totals_are_a_source_of_metrics() {
    let collector = report_collector();
    sent(
        &collector,
        post(REPORTS, r#"[{"type":"csp-violation","body":{"disposition":"enforce"}}]"#),
    )
    .await;
    sent(&collector, post("text/plain", "")).await;
    let mut samples = Vec::new();
    collector.totals().collect(&mut |sample| {
        samples.push(format!("{}{:?} {}", sample.name, sample.labels, sample.value));
    });
    assert!(samples.contains(&r#"csp_reports_total[("disposition", "enforce")] 1"#.to_owned()));
    assert!(
        samples
            .contains(&r#"browser_reports_refused_total[("reason", "media_type")] 1"#.to_owned())
    );
}

#[tokio::test]
async fn it_is_a_service_of_an_axum_router() {
    let app: axum::Router = axum::Router::new().route_service("/csp", report_collector());
    let request = Request::post("/csp")
        .header(CONTENT_TYPE, REPORTS)
        .body(axum::body::Body::from("[]"))
        .unwrap();
    let response: Response<_> = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}
