//! What the layer does to an answer on its way out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{collections::HashSet, convert::Infallible, time::Duration};

use buttress_headers::{
    Coep, ConfigErrorKind, Coop, Corp, Csp, CspNonce, FrameOptions, HeadersOverride, Hsts, Mode,
    PermissionsPolicy, ReferrerPolicy, SecureWhen, SecurityHeadersLayer, Source,
};
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE, REFERRER_POLICY, SERVER, SET_COOKIE,
        STRICT_TRANSPORT_SECURITY, X_FRAME_OPTIONS,
    },
};
use tower::{Layer, ServiceExt, service_fn};

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const REPORTING_ENDPOINTS: HeaderName = HeaderName::from_static("reporting-endpoints");

/// Nothing here waits for anything.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

/// What comes out when a handler answers so.
fn answer(
    layer: &SecurityHeadersLayer,
    handler: impl Fn(&Request<()>) -> Response<()>,
) -> Response<()> {
    send(layer, Request::new(()), handler)
}

fn send(
    layer: &SecurityHeadersLayer,
    request: Request<()>,
    handler: impl Fn(&Request<()>) -> Response<()>,
) -> Response<()> {
    let inner = service_fn(|request: Request<()>| {
        let response = handler(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    now(layer.layer(inner).oneshot(request)).unwrap()
}

fn with(headers: &[(HeaderName, &'static str)]) -> Response<()> {
    let mut response = Response::new(());
    for (name, value) in headers {
        response.headers_mut().append(name, HeaderValue::from_static(value));
    }
    response
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers[name].to_str().unwrap().to_owned()
}

fn assert_none_twice(headers: &HeaderMap) {
    let mut seen = HashSet::new();
    for name in headers.iter().map(|(name, _)| name) {
        assert!(seen.insert(name), "{name} is there twice");
    }
}

// === What the answer already has ===

#[test]
fn what_the_handler_has_set_stays() {
    let layer = SecurityHeadersLayer::web();
    let own = [(X_FRAME_OPTIONS, "DENY"), (CONTENT_SECURITY_POLICY, "default-src 'none'")];
    let response = answer(&layer, |_| with(&own));
    assert_eq!(response.headers()[X_FRAME_OPTIONS], "DENY");
    assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], "default-src 'none'");
    assert_eq!(response.headers().len(), layer.headers().len());
    assert_none_twice(response.headers());
}

#[test]
fn override_takes_the_place_of_what_the_handler_has_set() {
    let layer = SecurityHeadersLayer::api().mode(Mode::Override);
    let own = [(X_FRAME_OPTIONS, "SAMEORIGIN"), (X_FRAME_OPTIONS, "ALLOWALL")];
    let response = answer(&layer, |_| with(&own));
    assert_eq!(response.headers()[X_FRAME_OPTIONS], "DENY");
    assert_none_twice(response.headers());
}

#[test]
fn cache_control_is_set_only_if_absent_even_with_override() {
    let layer = SecurityHeadersLayer::api().mode(Mode::Override);
    let response = answer(&layer, |_| with(&[(CACHE_CONTROL, "max-age=60")]));
    assert_eq!(response.headers()[CACHE_CONTROL], "max-age=60");
}

#[test]
fn the_lines_of_a_header_keep_their_number_and_order() {
    let own =
        [(SET_COOKIE, "a=1"), (X_FRAME_OPTIONS, "DENY"), (SET_COOKIE, "b=2"), (SET_COOKIE, "c=3")];
    for mode in [Mode::IfAbsent, Mode::Override] {
        let response = answer(&SecurityHeadersLayer::web().mode(mode), |_| with(&own));
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1", "b=2", "c=3"]);
    }
}

#[test]
fn if_absent_keeps_all_lines_of_a_header_that_is_there() {
    let own = [(REFERRER_POLICY, "no-referrer"), (REFERRER_POLICY, "origin")];
    let response = answer(&SecurityHeadersLayer::web(), |_| with(&own));
    let lines: Vec<_> = response.headers().get_all(REFERRER_POLICY).iter().collect();
    assert_eq!(lines, ["no-referrer", "origin"]);
}

#[test]
fn an_inner_layer_of_a_sub_route_wins_and_nothing_is_sent_twice() {
    let inner = SecurityHeadersLayer::none().frame_options(FrameOptions::Deny);
    let outer = SecurityHeadersLayer::web();
    let service = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let response = now(outer.layer(inner.layer(service)).oneshot(Request::new(()))).unwrap();
    assert_eq!(response.headers()[X_FRAME_OPTIONS], "DENY");
    assert_eq!(response.headers().len(), outer.headers().len());
    assert_none_twice(response.headers());
}

#[test]
fn a_policy_and_its_report_only_twin_are_two_headers() {
    let layer = SecurityHeadersLayer::web()
        .csp_report_only(Csp::api().report_to("csp"))
        .unwrap()
        .reporting_endpoint("csp", "https://reports.example/csp")
        .unwrap();
    let own = [(CONTENT_SECURITY_POLICY_REPORT_ONLY, "img-src 'none'")];
    let response = answer(&layer, |_| with(&own));
    assert_eq!(response.headers()[CONTENT_SECURITY_POLICY_REPORT_ONLY], "img-src 'none'");
    assert!(text(response.headers(), &CONTENT_SECURITY_POLICY).starts_with("default-src 'self'"));
    assert_eq!(response.headers()[REPORTING_ENDPOINTS], "csp=\"https://reports.example/csp\"");
}

#[test]
fn server_and_x_powered_by_are_removed() {
    let own = [(SERVER, "leaky/1.0"), (X_POWERED_BY, "a"), (X_POWERED_BY, "b")];
    for layer in [
        SecurityHeadersLayer::api(),
        SecurityHeadersLayer::web(),
        SecurityHeadersLayer::web_strict(),
        SecurityHeadersLayer::dev(),
        SecurityHeadersLayer::owasp(),
    ] {
        let response = answer(&layer, |_| with(&own));
        assert!(!response.headers().contains_key(SERVER));
        assert!(!response.headers().contains_key(X_POWERED_BY));
    }
    let response = answer(&SecurityHeadersLayer::helmet8(), |_| with(&own));
    assert!(response.headers().contains_key(SERVER));
    assert!(!response.headers().contains_key(X_POWERED_BY));
}

#[test]
fn a_header_can_be_removed_and_set_anew() {
    let layer = SecurityHeadersLayer::none()
        .remove([SERVER])
        .header(SERVER, HeaderValue::from_static("ours"))
        .unwrap();
    let response = answer(&layer, |_| with(&[(SERVER, "leaky/1.0")]));
    assert_eq!(response.headers()[SERVER], "ours");
    assert_none_twice(response.headers());
}

#[test]
fn an_error_of_the_service_comes_out_as_it_is() {
    let service = service_fn(|_: Request<()>| async { Err::<Response<()>, _>("broken") });
    let result = now(SecurityHeadersLayer::web().layer(service).oneshot(Request::new(())));
    assert_eq!(result.unwrap_err(), "broken");
}

// === gRPC ===

#[test]
fn grpc_answers_are_left_alone() {
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web-text"]
    {
        let own = [(CONTENT_TYPE, content_type), (SERVER, "s")];
        let response = answer(&SecurityHeadersLayer::web_strict(), |_| with(&own));
        assert_eq!(response.headers().len(), 2, "{content_type}");
    }
}

// === Verbs ===

#[test]
fn a_verb_said_again_replaces_and_without_takes_away() {
    let layer = SecurityHeadersLayer::web()
        .referrer_policy(ReferrerPolicy::Origin)
        .referrer_policy(ReferrerPolicy::SameOrigin)
        .coop(Coop::SameOriginAllowPopups)
        .coep(Coep::Credentialless)
        .corp(Corp::CrossOrigin)
        .permissions_policy(PermissionsPolicy::new().allow("camera", ["self"]))
        .unwrap()
        .hsts(Hsts::max_age(Duration::from_secs(60)))
        .unwrap()
        .without(X_FRAME_OPTIONS)
        .without(CONTENT_SECURITY_POLICY);
    let headers = answer(&layer, |_| with(&[])).headers().clone();
    assert_eq!(headers[REFERRER_POLICY], "same-origin");
    assert_eq!(headers["cross-origin-opener-policy"], "same-origin-allow-popups");
    assert_eq!(headers["cross-origin-embedder-policy"], "credentialless");
    assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
    assert_eq!(headers[PERMISSIONS_POLICY], "camera=(self)");
    assert_eq!(headers[STRICT_TRANSPORT_SECURITY], "max-age=60");
    assert!(!headers.contains_key(X_FRAME_OPTIONS));
    assert!(!headers.contains_key(CONTENT_SECURITY_POLICY));
}

#[test]
fn each_wrong_verb_is_refused_with_its_own_message() {
    let none = SecurityHeadersLayer::none;
    let value = || HeaderValue::from_static("x");
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let preload = "preload: browsers ask for include_sub_domains() and a year at least";
    let cases = [
        (
            none().reporting_endpoint("No Key", "/r"),
            ConfigErrorKind::InvalidEndpointName,
            "the endpoint name \"No Key\" is no key of a structured field: \
             a-z, then a-z 0-9 _ - . *",
        ),
        (
            none().reporting_endpoint("csp", "/r").unwrap().reporting_endpoint("csp", "/s"),
            ConfigErrorKind::InvalidEndpointName,
            "the endpoint csp is named twice",
        ),
        (
            none().reporting_endpoint("csp", "http://reports.example/"),
            ConfigErrorKind::InvalidEndpointUrl,
            "browsers send reports to https (or to this machine) only, \
             not to \"http://reports.example/\"",
        ),
        (
            none().reporting_endpoint("csp", "http://localhost:x@reports.example/"),
            ConfigErrorKind::InvalidEndpointUrl,
            "browsers send reports to https (or to this machine) only, \
             not to \"http://localhost:x@reports.example/\"",
        ),
        (
            none().reporting_endpoint("csp", "/r\", other=\"https://evil.example"),
            ConfigErrorKind::InvalidEndpointUrl,
            "browsers send reports to https (or to this machine) only, \
             not to \"/r\\\", other=\\\"https://evil.example\"",
        ),
        (
            none().hsts(Hsts::max_age(week).include_sub_domains().preload()),
            ConfigErrorKind::InvalidHsts,
            preload,
        ),
        (none().hsts(Hsts::max_age(year).preload()), ConfigErrorKind::InvalidHsts, preload),
        (
            none().header(CONTENT_SECURITY_POLICY, value()),
            ConfigErrorKind::ForeignHeader,
            "content-security-policy: it has a verb of its own, which checks it",
        ),
        (
            none().header(CONTENT_LENGTH, value()),
            ConfigErrorKind::ForeignHeader,
            "content-length: it belongs to one message, not to a policy",
        ),
        (
            none().header(SET_COOKIE, value()),
            ConfigErrorKind::ForeignHeader,
            "set-cookie: it belongs to one message, not to a policy",
        ),
    ];
    for (result, kind, message) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), kind, "{message}");
    }
}

#[test]
fn several_endpoints_are_one_header() {
    let layer = SecurityHeadersLayer::none()
        .reporting_endpoint("csp", "/csp")
        .unwrap()
        .reporting_endpoint("default", "http://localhost:3000/reports")
        .unwrap();
    assert_eq!(
        layer.headers()[REPORTING_ENDPOINTS],
        "csp=\"/csp\", default=\"http://localhost:3000/reports\""
    );
}

// === Over https ===

#[test]
fn only_a_secure_answer_binds_the_browser_to_https() {
    let by_scheme = SecurityHeadersLayer::web().secure_when(SecureWhen::scheme_https());
    let by_header = SecurityHeadersLayer::web().secure_when(SecureWhen::by(|_, headers, _| {
        headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
    }));
    let https =
        || Request::builder().uri("https://a.example/").header("x-forwarded-proto", "https");
    let http = || Request::builder().uri("/");
    for layer in [by_scheme, by_header] {
        for (request, secure) in [(https(), true), (http(), false)] {
            let response = send(&layer, request.body(()).unwrap(), |_| with(&[]));
            let headers = response.headers();
            assert_eq!(headers.contains_key(STRICT_TRANSPORT_SECURITY), secure);
            let csp = text(headers, &CONTENT_SECURITY_POLICY);
            assert_eq!(csp.contains("upgrade-insecure-requests"), secure);
            assert!(csp.contains("script-src 'self'"));
        }
    }
}

// === The nonce ===

/// A handler that puts the nonce on its script, and says which it was.
fn page(request: &Request<()>) -> Response<()> {
    let nonce = request.extensions().get::<CspNonce>().unwrap();
    let again = nonce.clone();
    assert_eq!(nonce.get().unwrap(), again.get().unwrap());
    let mut response = Response::new(());
    let used = HeaderValue::from_str(nonce.get().unwrap()).unwrap();
    response.headers_mut().insert("x-used", used);
    response
}

#[test]
fn the_nonce_of_the_page_is_the_one_in_the_policy_and_no_other_requests() {
    let layer = SecurityHeadersLayer::web_strict();
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let response = answer(&layer, page);
        let nonce = response.headers()["x-used"].to_str().unwrap();
        let csp = text(response.headers(), &CONTENT_SECURITY_POLICY);
        let script = format!("script-src 'nonce-{nonce}' 'strict-dynamic' https: 'unsafe-inline';");
        assert!(csp.contains(&script), "{csp}");
        assert!(csp.contains(&format!("style-src 'self' 'nonce-{nonce}';")), "{csp}");
        assert!(seen.insert(nonce.to_owned()));
    }
}

#[test]
fn an_answer_with_a_nonce_is_not_stored() {
    let layer = SecurityHeadersLayer::web_strict();
    assert_eq!(answer(&layer, page).headers()[CACHE_CONTROL], "no-store");
    let own = answer(&layer, |request| {
        let mut response = page(request);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
        response
    });
    assert_eq!(own.headers()[CACHE_CONTROL], "private");
    let unasked = answer(&layer, |_| with(&[]));
    assert!(!unasked.headers().contains_key(CACHE_CONTROL));
}

#[test]
fn an_answer_with_a_nonce_is_not_stored_whatever_the_layer_says_of_other_answers() {
    let public = HeaderValue::from_static("public, max-age=60");
    let layer = SecurityHeadersLayer::web_strict().header(CACHE_CONTROL, public).unwrap();
    assert_eq!(answer(&layer, page).headers()[CACHE_CONTROL], "no-store");
    assert_eq!(answer(&layer, |_| with(&[])).headers()[CACHE_CONTROL], "public, max-age=60");
}

#[test]
fn an_answer_with_a_nonce_is_not_stored_under_a_policy_that_has_none() {
    for own in [SecurityHeadersLayer::web(), SecurityHeadersLayer::none()] {
        let response = answer(&SecurityHeadersLayer::web_strict(), |request| {
            let mut response = page(request);
            response.extensions_mut().insert(HeadersOverride::with(&own));
            response
        });
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }
}

#[test]
fn a_304_carries_no_policy_with_a_nonce() {
    for handler in [page, |_: &Request<()>| Response::new(())] {
        let response = answer(&SecurityHeadersLayer::web_strict(), |request| {
            let mut response = handler(request);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        });
        assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY));
        assert_eq!(response.headers()[X_FRAME_OPTIONS], "SAMEORIGIN");
    }
}

#[test]
fn a_304_under_nested_layers_leaves_the_stored_page_the_inner_layers_policy() {
    let page_304 = service_fn(|_: Request<()>| async {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        Ok::<_, Infallible>(response)
    });
    for mode in [Mode::IfAbsent, Mode::Override] {
        let outer = SecurityHeadersLayer::api().csp_report_only(Csp::web()).unwrap().mode(mode);
        let service = outer.layer(SecurityHeadersLayer::web_strict().layer(page_304));
        let response = now(service.oneshot(Request::new(()))).unwrap();
        assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY));
        assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY_REPORT_ONLY));
        assert!(response.headers().contains_key(STRICT_TRANSPORT_SECURITY));
        // Where no policy has a nonce, a stricter one reaches the stored page.
        let response = now(outer.layer(page_304).oneshot(Request::new(()))).unwrap();
        assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
    }
}

#[test]
fn without_a_nonce_in_the_policy_there_is_none_to_ask_for() {
    let response = answer(&SecurityHeadersLayer::web(), |request| {
        assert!(request.extensions().get::<CspNonce>().is_none());
        with(&[])
    });
    assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
}

#[test]
fn nested_layers_share_the_nonce_of_the_request() {
    let report_only = Csp::new().default_src([Source::Nonce]).report_to("csp");
    let outer = SecurityHeadersLayer::web_strict();
    let inner = SecurityHeadersLayer::none().csp_report_only(report_only).unwrap();
    let service = service_fn(|request: Request<()>| {
        let response = page(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let response = now(outer.layer(inner.layer(service)).oneshot(Request::new(()))).unwrap();
    let nonce = response.headers()["x-used"].to_str().unwrap();
    let expected = format!("'nonce-{nonce}'");
    assert!(text(response.headers(), &CONTENT_SECURITY_POLICY).contains(&expected));
    assert!(text(response.headers(), &CONTENT_SECURITY_POLICY_REPORT_ONLY).contains(&expected));
}

#[test]
fn a_nonce_asked_for_after_the_policy_went_out_is_refused() {
    let kept = std::sync::Mutex::new(None);
    let response = answer(&SecurityHeadersLayer::web_strict(), |request| {
        *kept.lock().unwrap() = request.extensions().get::<CspNonce>().cloned();
        with(&[])
    });
    assert!(!text(response.headers(), &CONTENT_SECURITY_POLICY).contains("nonce"));
    let nonce = kept.into_inner().unwrap().unwrap();
    assert!(nonce.get().unwrap_err().is_too_late());
}

// === One route's own ===

#[test]
fn a_route_can_be_skipped() {
    let response = answer(&SecurityHeadersLayer::web(), |_| {
        let mut response = with(&[(SERVER, "kept")]);
        response.extensions_mut().insert(HeadersOverride::skip());
        response
    });
    assert_eq!(response.headers().len(), 1);
}

#[test]
fn a_route_can_have_another_policy() {
    let own = SecurityHeadersLayer::api();
    let response = answer(&SecurityHeadersLayer::web(), |_| {
        let mut response = with(&[]);
        response.extensions_mut().insert(HeadersOverride::with(&own));
        response
    });
    assert_eq!(response.headers(), own.headers());
}

#[test]
fn a_route_with_another_policy_can_use_the_nonce() {
    let own = SecurityHeadersLayer::none()
        .csp(Csp::new().default_src([Source::None]).script_src([Source::Nonce]))
        .unwrap();
    let response = answer(&SecurityHeadersLayer::web_strict(), |request| {
        let mut response = page(request);
        response.extensions_mut().insert(HeadersOverride::with(&own));
        response
    });
    let nonce = response.headers()["x-used"].to_str().unwrap();
    let csp = text(response.headers(), &CONTENT_SECURITY_POLICY);
    assert_eq!(csp, format!("default-src 'none'; script-src 'nonce-{nonce}'"));
}
