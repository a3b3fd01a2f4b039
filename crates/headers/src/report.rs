//! The other end of `report-to`: a service that takes browsers' reports.

mod clean;
mod future;
mod keep;
mod read;
#[cfg(test)]
mod tests;
mod totals;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use tower_service::Service;

pub use self::{future::ReportFuture, totals::ReportTotals};
use self::{
    read::Format,
    totals::{Refusal, Totals},
};

/// The largest body. Browsers send a few hundred bytes a report.
const MAX_BODY: usize = 64 * 1024;

/// What the collector answers: always bytes of its own.
type Answer = Response<ResponseBody<String>>;

/// A [`ReportCollector`].
#[must_use]
pub fn report_collector() -> ReportCollector {
    ReportCollector { totals: Arc::default() }
}

/// A service that takes what browsers send to `report-to` and `report-uri`: `POST` of
/// `application/reports+json` or `application/csp-report`, answered with 204.
///
/// Each report becomes one event at `INFO` with the target `csp_report`, and is counted
/// ([`totals`](Self::totals)). Anyone can send reports, so nothing in them is believed:
///
/// - a body is at most 64 KiB, and of a document at most 32 reports are taken;
/// - of a URL, the scheme, host and path are kept: no user, query or fragment;
/// - the sample of the blocked script and the policy are not kept;
/// - what is kept is cut (URLs at 256 characters, words at 64) and escaped: visible ASCII alone
///   reaches the log.
///
/// What it does not do: limit how often or how slowly someone sends. Put a rate limit and a timeout
/// outside. Browsers ask by CORS before they send reports to another origin; put tower-http's
/// `CorsLayer` outside where the collector is one.
///
/// It answers with a problem document: 405, 413, 415 (also for a compressed body) and 400.
///
/// ```
/// use buttress_headers::{Csp, SecurityHeadersLayer, report_collector};
///
/// let collector = report_collector();
/// let layer = SecurityHeadersLayer::web()
///     .reporting_endpoint("csp", "/csp-reports")?
///     .csp_report_only(Csp::web().replace("style-src", ["'none'"]).report_to("csp"))?;
/// let app: axum::Router = axum::Router::new()
///     .route_service("/csp-reports", collector.clone())
///     .layer(layer);
/// assert_eq!(collector.totals().csp_reports(), 0);
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReportCollector {
    totals: Arc<Totals>,
}

impl ReportCollector {
    /// What was counted until now, and from now on; a source of metrics.
    #[must_use]
    pub fn totals(&self) -> ReportTotals {
        ReportTotals::new(Arc::clone(&self.totals))
    }
}

impl<B: Body> Service<Request<B>> for ReportCollector {
    type Response = Answer;
    type Error = Infallible;
    type Future = ReportFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ReportFuture<B> {
        let (head, body) = request.into_parts();
        let protocol = Protocol::of(&head.headers);
        if head.method != Method::POST {
            return ReportFuture::answered(refuse(Refusal::Method, protocol, &self.totals));
        }
        let Some(format) = format(&head.headers) else {
            return ReportFuture::answered(refuse(Refusal::MediaType, protocol, &self.totals));
        };
        if body.size_hint().lower() > MAX_BODY as u64 {
            return ReportFuture::answered(refuse(Refusal::TooLarge, protocol, &self.totals));
        }
        ReportFuture::reading(body, format, Arc::clone(&self.totals))
    }
}

/// By the content type, whatever its parameters; `None` also where the body is compressed.
fn format(headers: &HeaderMap) -> Option<Format> {
    let is_plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let media_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence {
        _ if !is_plain => None,
        _ if essence.eq_ignore_ascii_case("application/reports+json") => Some(Format::Reports),
        _ if essence.eq_ignore_ascii_case("application/csp-report") => Some(Format::CspReport),
        _ => None,
    }
}

fn refuse(refusal: Refusal, protocol: Protocol, totals: &Totals) -> Answer {
    totals.refused(refusal);
    let (status, detail) = match refusal {
        Refusal::Method => (StatusCode::METHOD_NOT_ALLOWED, "reports are sent by POST"),
        Refusal::MediaType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a report is application/reports+json or application/csp-report, not compressed",
        ),
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "a report is at most 64 KiB"),
        Refusal::Malformed => (StatusCode::BAD_REQUEST, "the body is no report of its type"),
        Refusal::Body => (StatusCode::BAD_REQUEST, "the body ended early"),
    };
    let rejection =
        Rejection::new("report_collector", refusal.reason(), status).with_detail(detail);
    let rejection = match refusal {
        Refusal::Method => rejection.with_header(ALLOW, HeaderValue::from_static("POST")),
        Refusal::MediaType => rejection.with_header(
            ACCEPT,
            HeaderValue::from_static("application/reports+json, application/csp-report"),
        ),
        Refusal::TooLarge | Refusal::Malformed | Refusal::Body => rejection,
    };
    rejection.respond(&DefaultResponder, protocol)
}
