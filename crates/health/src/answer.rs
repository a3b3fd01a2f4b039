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
    details::View,
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

const CSS: &str = "text/css";

/// What an answer is made of; a text's type is given without the character set.
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
        let is_guarded =
            matches!(target, Target::Endpoint(Endpoint::Status | Endpoint::Metrics, _));
        if is_guarded && !self.access().allows(request.headers()) {
            // Programs send the first; for the second a browser asks its user. In lines of their
            // own: Chromium looks at the first scheme of each line alone.
            const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"status\"");
            const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"status\"");
            return refuse(
                Rejection::new(LAYER, "no_credentials", StatusCode::UNAUTHORIZED)
                    .with_header(WWW_AUTHENTICATE, BEARER)
                    .with_header(WWW_AUTHENTICATE, BASIC),
                request,
            );
        }
        let content = match target {
            Target::Style => {
                Content { status: StatusCode::OK, kind: CSS, body: page::STYLE.into() }
            }
            Target::Endpoint(Endpoint::Status, path) => self.details(path, request.headers()),
            Target::Endpoint(Endpoint::Metrics, _) => self.metrics(request.headers()),
            Target::Endpoint(endpoint, _) => self.probe(endpoint, request.headers()),
        };
        content.respond(is_head)
    }

    fn details(&self, path: &str, headers: &HeaderMap) -> Content {
        let kind = crate::accept::choose(headers, &[HEALTH_JSON, JSON, HTML]);
        let view = View::of(self.health());
        let status = view.overall.http();
        let body = match kind {
            // Relative, so that it holds wherever the whole is mounted.
            HTML => page::html(&view, path.rsplit('/').next().unwrap_or_default()),
            _ => view.into_json(),
        };
        Content { status, kind, body: body.into() }
    }

    fn metrics(&self, headers: &HeaderMap) -> Content {
        let rendered = self.renderer().map(|renderer| renderer.render(headers));
        let (kind, text) = rendered.unwrap_or((TEXT, String::new()));
        Content { status: StatusCode::OK, kind, body: text.into() }
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
            Endpoint::Health | Endpoint::Status | Endpoint::Metrics => health.overall(),
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

/// As many as an answer has at most.
const HEADERS: usize = 6;

fn refuse<Q, B>(rejection: Rejection, request: Request<Q>) -> Response<ResponseBody<B>> {
    ALWAYS
        .into_iter()
        .fold(rejection, |rejection, (name, value)| rejection.with_header(name, value))
        .respond_to(request)
}

impl Content {
    /// The answer to HEAD has the headers of that to GET (RFC 9110 §9.3.2), the length included.
    fn respond<B>(self, is_head: bool) -> Response<ResponseBody<B>> {
        let length = match self.body.len() {
            // Those of the probes, which cost no allocation.
            4 => HeaderValue::from_static("4"),
            17 => HeaderValue::from_static("17"),
            length => length.into(),
        };
        let body =
            if is_head { ResponseBody::empty() } else { ResponseBody::from_bytes(self.body) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.extend(ALWAYS);
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(VARY, HeaderValue::from_static("accept"));
        let kind = match self.kind {
            TEXT => HeaderValue::from_static("text/plain; charset=utf-8"),
            HTML => HeaderValue::from_static("text/html; charset=utf-8"),
            CSS => HeaderValue::from_static("text/css; charset=utf-8"),
            HEALTH_JSON => HeaderValue::from_static(HEALTH_JSON),
            JSON => HeaderValue::from_static(JSON),
            // A renderer's own.
            kind => HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static(TEXT)),
        };
        headers.insert(CONTENT_TYPE, kind);
        if self.kind == HTML {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::CSP));
        }
        *response.headers_mut() = headers;
        response
    }
}
