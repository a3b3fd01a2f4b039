use http_body::Body;
use proptest::prelude::*;

use super::*;
use crate::context;

fn quota() -> Rejection {
    Rejection::new("limit", "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
        .with_detail("only 5 % left — wait")
        .with_retry_after(Duration::from_millis(8_400))
        .with_header(HeaderName::from_static("x-extra"), HeaderValue::from_static("1"))
        .with_member("remaining", 0_u64)
}

fn answer(protocol: Protocol) -> Response<ResponseBody<()>> {
    quota().respond(&DefaultResponder, protocol)
}

#[test]
fn http_gets_a_problem_document() {
    let response = DefaultResponder.reject(quota(), Protocol::Http);
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[RETRY_AFTER], "9");
    assert_eq!(response.headers()["x-extra"], "1");
    assert_eq!(
        std::str::from_utf8(response.body()).unwrap(),
        r#"{"title":"Too Many Requests","status":429,"detail":"only 5 % left — wait","remaining":0}"#
    );
}

#[test]
fn grpc_gets_trailers_only() {
    for (protocol, content_type) in
        [(Protocol::Grpc, "application/grpc"), (Protocol::GrpcWeb, "application/grpc-web")]
    {
        let response =
            quota().respond::<_, http_body_util::Full<Bytes>>(&DefaultResponder, protocol);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], content_type);
        assert_eq!(response.headers()["grpc-status"], "8");
        assert_eq!(response.headers()["grpc-message"], "only 5 %25 left %E2%80%94 wait");
        assert_eq!(response.headers()["grpc-retry-pushback-ms"], "8400");
        assert_eq!(response.headers()["x-extra"], "1");
        assert!(!response.headers().contains_key("content-length"));
        assert!(response.body().is_end_stream());
    }
}

#[test]
fn the_reason_stands_in_the_extensions_whoever_answers() {
    let own = |_: Rejection, _: Protocol| Response::new(Bytes::from_static(b"no"));
    for response in
        [answer(Protocol::Http), answer(Protocol::Grpc), quota().respond(&own, Protocol::Http)]
    {
        let rejected = response.extensions().get::<Rejected>().unwrap();
        assert_eq!((rejected.layer(), rejected.reason()), ("limit", "quota_exceeded"));
    }
}

#[test]
fn the_problem_document_names_the_request() {
    let context = context::RequestContext::new();
    context.set_request_id(HeaderValue::from_static("r-1"));
    let response = context.scope(|| DefaultResponder.reject(quota(), Protocol::Http));
    let json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(json["request_id"], "r-1");
}

#[test]
fn retry_after_is_rounded_up_and_never_zero() {
    for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (8_999, 9)] {
        assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
    }
    assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
}

#[test]
fn only_the_media_type_makes_it_grpc() {
    for (value, protocol) in [
        ("application/grpc", Protocol::Grpc),
        ("Application/gRPC", Protocol::Grpc),
        ("application/grpc;charset=utf-8", Protocol::Grpc),
        ("application/grpc+json", Protocol::Grpc),
        ("application/grpc-web+proto", Protocol::GrpcWeb),
        ("application/grpc-websocket", Protocol::Http),
        ("application/grpc-other", Protocol::Http),
        ("application/grpcx", Protocol::Http),
        ("text/plain", Protocol::Http),
        ("", Protocol::Http),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
        assert_eq!(Protocol::of(&headers), protocol, "{value}");
    }
    assert_eq!(Protocol::of(&HeaderMap::new()), Protocol::Http);
}

#[test]
fn codes_follow_from_the_status() {
    for (status, code) in [
        (400, GrpcCode::InvalidArgument),
        (401, GrpcCode::Unauthenticated),
        (413, GrpcCode::ResourceExhausted),
        (429, GrpcCode::ResourceExhausted),
        (500, GrpcCode::Internal),
        (503, GrpcCode::Unavailable),
        (504, GrpcCode::DeadlineExceeded),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(GrpcCode::from_status(status), code, "{status}");
    }
}

proptest! {
    #[test]
    fn a_grpc_message_is_printable_and_reads_back(text in any::<String>()) {
        let encoded = grpc_message(&text);
        let bytes = encoded.as_bytes();
        prop_assert!(bytes.iter().all(|byte| (b' '..=b'~').contains(byte)));
        prop_assert_eq!(percent_decoded(bytes), text.into_bytes());
    }
}

fn percent_decoded(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [first, rest @ ..] = bytes {
        if let (b'%', [high, low, rest @ ..]) = (first, rest) {
            let digits = [*high, *low];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            bytes = rest;
        } else {
            out.push(*first);
            bytes = rest;
        }
    }
    out
}
