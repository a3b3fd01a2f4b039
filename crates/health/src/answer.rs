//! The answers, all from memory.

use buttress_core::{body::ResponseBody, reject::Rejection};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    details,
    endpoint::Endpoint,
    layer::{Shared, Target},
    page,
    status::Status,
};

const LAYER: &str = "health";
const HEALTH_JSON: &str = "application/health+json";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const HTML: &str = "text/html";

/// What an answer is made of; its type is given without the character set.
struct Content {
    status: StatusCode,
    kind: &'static str,
    body: Bytes,
}

impl Shared {
    pub(crate) fn answer<Q, B>(
        &self,
        target: Target<'_>,
        request: Request<Q>,
    ) -> Response<ResponseBody<B>> {
        let is_head = *request.method() == Method::HEAD;
        if !is_head && *request.method() != Method::GET {
            return refuse(
                Rejection::new(LAYER, "method_not_allowed", StatusCode::METHOD_NOT_ALLOWED)
                    .with_header(ALLOW, HeaderValue::from_static("GET, HEAD")),
                request,
            );
        }
        let content = match target {
            Target::Style => {
                Content { status: StatusCode::OK, kind: "text/css", body: page::STYLE.into() }
            }
            Target::Endpoint(Endpoint::Status, path) => {
                if !self.access().allows(request.headers()) {
                    // A browser asks its user for the second; programs send the first.
                    const ASK: &str = "Bearer realm=\"status\", Basic realm=\"status\"";
                    return refuse(
                        Rejection::new(LAYER, "no_credentials", StatusCode::UNAUTHORIZED)
                            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(ASK)),
                        request,
                    );
                }
                self.details(path, request.headers())
            }
            Target::Endpoint(endpoint, _) => self.probe(endpoint, request.headers()),
        };
        content.respond(is_head)
    }

    fn details(&self, path: &str, headers: &HeaderMap) -> Content {
        let kind = crate::accept::choose(headers, &[HEALTH_JSON, JSON, HTML]);
        let body = match kind {
            // Relative, so that it holds wherever the whole is mounted.
            HTML => page::html(self.health(), path.rsplit('/').next().unwrap_or_default()),
            _ => details::json(self.health()),
        };
        Content { status: self.health().overall().http(), kind, body: body.into() }
    }

    fn probe(&self, endpoint: Endpoint, headers: &HeaderMap) -> Content {
        let health = self.health();
        let binary = |up| if up { Status::Healthy } else { Status::Unhealthy };
        let status = match endpoint {
            Endpoint::Ping => {
                let body = Bytes::from_static(b"pong");
                return Content { status: StatusCode::OK, kind: TEXT, body };
            }
            Endpoint::Live => binary(health.is_live()),
            Endpoint::Startup => binary(health.is_started()),
            Endpoint::Ready if health.is_ready() => health.overall(),
            Endpoint::Ready => Status::Unhealthy,
            Endpoint::Health | Endpoint::Status => health.overall(),
        };
        let kind = crate::accept::choose(headers, &[HEALTH_JSON, JSON, TEXT]);
        Content { status: status.http(), kind, body: anonymous(status, kind) }
    }
}

/// Nothing but the status: check names are details too.
fn anonymous(status: Status, kind: &str) -> Bytes {
    Bytes::from_static(match (status.word(), kind) {
        (word, TEXT) => word.as_bytes(),
        ("pass", _) => br#"{"status":"pass"}"#,
        ("warn", _) => br#"{"status":"warn"}"#,
        _ => br#"{"status":"fail"}"#,
    })
}

/// Headers of every answer: none is to be kept, and none is to be guessed at.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

fn refuse<Q, B>(rejection: Rejection, request: Request<Q>) -> Response<ResponseBody<B>> {
    ALWAYS
        .into_iter()
        .fold(rejection, |rejection, (name, value)| rejection.with_header(name, value))
        .respond_to(request)
}

impl Content {
    /// The answer to HEAD has the headers of that to GET (RFC 9110 §9.3.2), the length included.
    fn respond<B>(self, is_head: bool) -> Response<ResponseBody<B>> {
        let length = self.body.len();
        let body =
            if is_head { ResponseBody::empty() } else { ResponseBody::from_bytes(self.body) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(ALWAYS);
        headers.insert(CONTENT_LENGTH, length.into());
        headers.insert(VARY, HeaderValue::from_static("accept"));
        let kind = match self.kind {
            TEXT => "text/plain; charset=utf-8",
            HTML => "text/html; charset=utf-8",
            "text/css" => "text/css; charset=utf-8",
            kind => kind,
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.kind == HTML {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::CSP));
        }
        response
    }
}
