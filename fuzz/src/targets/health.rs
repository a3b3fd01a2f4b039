use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use buttress_core::{
    body::ResponseBody,
    lifecycle::{Lifecycle, State},
    source::{CheckError, CheckReport},
};
use buttress_health::{Entry, FnCheck, HealthLayer, HealthService, Registry};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

const TOKEN: &str = "3vGf0gXkXq8mJw2b";
/// The name of the one check, which only who has the token may read.
const PLANTED: &str = "planted-check";

/// What lies behind the probes.
#[derive(Clone)]
struct Behind;

impl Service<Request<()>> for Behind {
    type Response = Response<ResponseBody<String>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        ready(Ok(response))
    }
}

static PROBES: LazyLock<HealthService<Behind>> = LazyLock::new(|| {
    let lifecycle = Lifecycle::new();
    lifecycle.advance(State::Running);
    let check = FnCheck::new(PLANTED, || async { Ok::<_, CheckError>(CheckReport::ok()) });
    let registry = Registry::new().lifecycle(&lifecycle).check(Entry::critical(check));
    let (health, _runner) = registry.expect("a registry").split();
    HealthLayer::new(&health).status_token(TOKEN.into()).expect("a token").layer(Behind)
});

/// A request to the probes: its first line is the method, then come the path, `Authorization`, and
/// each further line is one of `Accept`.
pub fn probes(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let method = lines.next().and_then(|method| Method::from_bytes(method).ok());
    let path = lines.next().and_then(|path| Request::get(path).body(()).ok());
    let (Some(method), Some(mut request)) = (method, path) else { return };
    *request.method_mut() = method.clone();
    let authorization = lines.next().map(HeaderValue::from_bytes).and_then(Result::ok);
    if let Some(value) = &authorization {
        request.headers_mut().insert(AUTHORIZATION, value.clone());
    }
    for accept in lines.take(super::MAX_LINES).flat_map(HeaderValue::from_bytes) {
        request.headers_mut().append(ACCEPT, accept);
    }
    let path = request.uri().path().to_owned();

    let (head, body) = answer(request);
    if head.status == StatusCode::IM_A_TEAPOT {
        return;
    }
    assert_eq!(head.headers.get(CACHE_CONTROL).expect("a rule for caches"), "no-store", "{path}");
    if method != Method::GET && method != Method::HEAD {
        assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED, "{path} takes {method}");
        assert_eq!(head.headers.get(ALLOW).expect("what is allowed"), "GET, HEAD");
        return;
    }
    let ok_or_not = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE, StatusCode::UNAUTHORIZED];
    assert!(ok_or_not.contains(&head.status), "{path}: {}", head.status);
    if method == Method::HEAD {
        // A refusal's body is left off by the server.
        let is_refused = head.status == StatusCode::UNAUTHORIZED;
        assert!(body.is_empty() || is_refused, "an answer to HEAD has a body");
        return;
    }
    if body.contains(PLANTED) {
        let shown = authorization.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let shown = String::from_utf8_lossy(shown).trim().to_ascii_lowercase();
        assert!(path.starts_with("/status"), "{path} has details");
        assert!(
            shown.starts_with("bearer") && shown.ends_with(&TOKEN.to_ascii_lowercase())
                || shown.starts_with("basic"),
            "details for {shown:?}",
        );
    }
    let kind = head.headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if kind.ends_with(b"json") {
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
    }
}

fn answer(request: Request<()>) -> (http::response::Parts, String) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut service = PROBES.clone();
    let answered = match pin!(service.call(request)).poll(&mut cx) {
        Poll::Ready(Ok(response)) => Some(response),
        Poll::Pending => None,
    };
    let (head, body) = answered.expect("no request waits").into_parts();
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        if let Ok(data) = frame.expect("a body without errors").into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    (head, String::from_utf8(bytes).expect("text"))
}
