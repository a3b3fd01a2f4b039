//! CORS and CSRF: what pages of other origins may do, and what they may not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::convert::Infallible;

use buttress::{Cors, Csrf, OriginErrorKind, RequestBody, Stack, reject::Rejected};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::csrf::{CsrfLayer, ProtectionError};

const APP: &str = "https://app.example.com";

type Body = Full<Bytes>;

async fn service(request: Request<RequestBody<Body>>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.method() == Method::OPTIONS {
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert("allow", HeaderValue::from_static("OPTIONS, GET"));
    }
    Ok(response)
}

async fn send(stack: &Stack, method: Method, headers: &[(&str, &str)]) -> Response<()> {
    let mut request = Request::builder().method(method).uri("/").header("host", "api.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::default()).unwrap();
    stack.layer(service_fn(service)).oneshot(request).await.unwrap().map(drop)
}

#[test]
fn a_wildcard_with_credentials_is_refused_in_whatever_order() {
    let any_method = || [Method::from_bytes(b"*").unwrap()];
    let any_header = || [HeaderName::from_static("*")];
    let app = || Cors::allow([APP]).unwrap();
    for refused in [
        Cors::any().credentials(),
        app().methods(any_method()).unwrap().credentials(),
        app().credentials().unwrap().methods(any_method()),
        app().headers(any_header()).unwrap().credentials(),
        app().credentials().unwrap().headers(any_header()),
        app().expose(any_header()).unwrap().credentials(),
        app().credentials().unwrap().expose(any_header()),
    ] {
        assert_eq!(refused.unwrap_err().kind(), OriginErrorKind::AnyWithCredentials);
    }
}

#[tokio::test]
async fn a_wildcard_without_credentials_is_sent() {
    let cors = Cors::any().headers([HeaderName::from_static("*")]).unwrap();
    let preflight = [("origin", APP), ("access-control-request-method", "GET")];
    let answer = send(&Stack::new().cors(cors), Method::OPTIONS, &preflight).await;
    assert_eq!(answer.headers()["access-control-allow-headers"], "*");
}

#[tokio::test]
async fn any_origin_may_read_and_no_more() {
    let preflight = [("origin", APP), ("access-control-request-method", "POST")];
    let answer = send(&Stack::new().cors(Cors::any()), Method::OPTIONS, &preflight).await;
    assert_eq!(answer.headers()["access-control-allow-methods"], "GET,HEAD");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn only_a_preflight_is_answered_by_cors() {
    let stack = Stack::new().cors(Cors::allow([APP]).unwrap());
    let method = ("access-control-request-method", "POST");
    for (headers, preflight) in [
        (&[][..], false),
        (&[("origin", APP)], false),
        (&[method], false),
        (&[("origin", APP), method], true),
        // Refused, by an answer without permission.
        (&[("origin", "https://evil.example"), method], true),
    ] {
        let answer = send(&stack, Method::OPTIONS, headers).await;
        assert_eq!(!answer.headers().contains_key("allow"), preflight, "{headers:?}");
        assert_eq!(answer.status(), if preflight { 200 } else { 204 }, "{headers:?}");
    }
}

#[tokio::test]
async fn answers_say_that_they_vary_with_the_origin() {
    let stack = Stack::new().cors(Cors::allow([APP]).unwrap());
    for origin in [APP, "https://evil.example"] {
        let answer = send(&stack, Method::GET, &[("origin", origin)]).await;
        assert_eq!(answer.headers()["vary"], "origin");
        let let_in = answer.headers().get("access-control-allow-origin").is_some();
        assert_eq!(let_in, origin == APP);
    }
}

/// A page's fetch without credentials has no cookie; a form that it sends has.
#[tokio::test]
async fn who_is_let_in_without_credentials_is_trusted_without_cookies() {
    let bare = || Cors::allow([APP]).unwrap();
    let with_credentials = || bare().credentials().unwrap();
    let csrf = || Stack::new().csrf(Csrf::new());
    let trusting = || Stack::new().csrf(Csrf::new().trust([APP]).unwrap());
    for (stack, cookie, let_in) in [
        (csrf(), false, false),
        (csrf(), true, false),
        (csrf().cors(bare()), false, true),
        (csrf().cors(bare()), true, false),
        (Stack::new().cors(bare()).csrf(Csrf::new()), true, false),
        (csrf().cors(with_credentials()), false, true),
        (csrf().cors(with_credentials()), true, true),
        (trusting().cors(bare()), true, true),
        (trusting(), true, true),
        // Named nobody, so trusts nobody.
        (csrf().cors(Cors::any()), false, false),
        (csrf().cors(Cors::any()), true, false),
        (csrf().cors(with_credentials()).cors(bare()), true, false),
        (csrf().cors(bare()).cors(None), false, false),
    ] {
        for site in [&[("sec-fetch-site", "cross-site")][..], &[]] {
            let mut headers = [site, &[("origin", APP)]].concat();
            headers.extend(cookie.then_some(("cookie", "session=1")));
            let answer = send(&stack, Method::POST, &headers).await;
            assert_eq!(answer.status() == 200, let_in, "{headers:?} {stack:?}");
            let rejected = answer.extensions().get().copied().map(Rejected::layer);
            assert_eq!(rejected, (!let_in).then_some("csrf"));
        }
    }
}

/// Also where CORS names it, and in a browser that sends no `Sec-Fetch-Site`.
#[tokio::test]
async fn the_services_own_pages_send_cookies() {
    let own = "https://api.example.com";
    let stack = Stack::new().csrf(Csrf::new()).cors(Cors::allow([APP, own]).unwrap());
    for headers in [
        &[("origin", own), ("cookie", "session=1")][..],
        &[("origin", own), ("cookie", "session=1"), ("sec-fetch-site", "same-origin")],
        &[("origin", "null"), ("cookie", "session=1"), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(send(&stack, Method::POST, headers).await.status(), 200, "{headers:?}");
    }
}

#[tokio::test]
async fn the_refusal_of_another_csrf_layer_inside_is_left_as_it_is() {
    let page = |_: ProtectionError| {
        let mut page = Response::new(Full::from("my page"));
        *page.status_mut() = StatusCode::IM_A_TEAPOT;
        page
    };
    let inner = CsrfLayer::new().with_rejection_response(page).layer(service_fn(service));
    let stack = Stack::new().csrf(Csrf::new().trust([APP]).unwrap());
    let request = Request::post("/").header("origin", APP).header("sec-fetch-site", "cross-site");
    let answer = stack.layer(inner).oneshot(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
}

#[test]
fn what_is_in_force_says_whom_csrf_trusts() {
    let csrf = || Stack::new().csrf(Csrf::new());
    let app = || Cors::allow([APP]).unwrap();
    for (stack, said) in [
        (csrf(), "csrf         own origin\n"),
        (csrf().cors(Cors::any()), "csrf         own origin\n"),
        (csrf().cors(app()), "own origin, those of cors without cookies\n"),
        (csrf().cors(app().credentials().unwrap()), "own origin, those of cors\n"),
        (csrf().cors(Cors::any()), "cors         any origin; GET, HEAD\n"),
    ] {
        assert!(stack.describe().contains(said), "{said}:\n{}", stack.describe());
    }
}
