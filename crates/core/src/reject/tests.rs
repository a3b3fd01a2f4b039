use bytes::Bytes;
use http::{Request, Response, header::RETRY_AFTER};
use http_body::Body;
use proptest::prelude::*;

use super::{
    respond::{decimal, whole_seconds},
    *,
};
use crate::{body::ResponseBody, context};

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

fn lines<'a, B>(response: &'a Response<B>, name: &str) -> Vec<&'a str> {
    response.headers().get_all(name).iter().map(|line| line.to_str().unwrap()).collect()
}

#[test]
fn http_gets_a_problem_document() {
    let response = answer(Protocol::Http);
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[RETRY_AFTER], "9");
    assert_eq!(response.headers()["x-extra"], "1");
    let document = DefaultResponder.reject(&quota(), Protocol::Http).into_body();
    assert_eq!(
        std::str::from_utf8(&document).unwrap(),
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
    let own = |_: &Rejection, _: Protocol| Response::new(Bytes::from_static(b"no"));
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
    context.set_trace(context::TraceContext::new([0xa5; 16], [1; 8], 0).unwrap());
    let response = context.scope(|| DefaultResponder.reject(&quota(), Protocol::Http));
    let json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(json["request_id"], "r-1");
    assert_eq!(json["trace_id"], "a5".repeat(16));
}

#[test]
fn a_prepared_rejection_says_what_it_would_say_unprepared() {
    let nobody = context::RequestContext::new();
    let with_id = context::RequestContext::new();
    with_id.set_request_id(HeaderValue::from_static("r\"1"));
    let with_both = context::RequestContext::new();
    with_both.set_request_id(HeaderValue::from_static("r-1"));
    with_both.set_trace(context::TraceContext::new([0xa5; 16], [1; 8], 0).unwrap());
    let own_id = quota().with_member("request_id", "mine");
    for (rejection, context) in
        [(quota(), nobody), (quota(), with_id), (quota(), with_both.clone()), (own_id, with_both)]
    {
        let prepared = rejection.clone().prepared();
        for protocol in [Protocol::Http, Protocol::Grpc] {
            let [one, other] = [&rejection, &prepared].map(|rejection| {
                let answer = context.scope(|| DefaultResponder.reject(rejection, protocol));
                (answer.status(), answer.headers().clone(), answer.into_body())
            });
            assert_eq!(one, other);
        }
    }
}

#[test]
fn a_prepared_rejection_can_be_changed() {
    let changed = quota().prepared().without_detail().with_detail("not now");
    assert_eq!(changed.problem().detail(), Some("not now"));
    let document = DefaultResponder.reject(&changed, Protocol::Http).into_body();
    assert_eq!(document, changed.problem().to_json());
}

#[test]
fn nothing_of_the_request_is_in_its_answer() {
    for (protocol, content_type) in
        [(Protocol::Http, "text/plain"), (Protocol::Grpc, "application/grpc")]
    {
        for lines in [0, 7, 200] {
            let mut request = Request::builder().extension("secret").body("secret").unwrap();
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            for _ in 0..lines {
                let name = format!("x-secret-{}", request.headers().len()).parse().unwrap();
                let name: HeaderName = name;
                request.headers_mut().append(name, HeaderValue::from_static("secret"));
            }
            let to: Response<ResponseBody<()>> = quota().respond_to(request);
            let (one, other) = (to.into_parts(), answer(protocol).into_parts());
            assert_eq!((one.0.status, one.0.headers), (other.0.status, other.0.headers));
            assert_eq!(one.0.extensions.get::<Rejected>(), other.0.extensions.get());
            assert_eq!(one.0.extensions.len(), 1);
        }
    }
}

#[test]
fn a_wait_is_written_in_decimal() {
    for number in (0..=1_100).chain([u64::MAX]) {
        assert_eq!(decimal(number), number.to_string());
    }
}

#[test]
fn what_a_responder_leaves_out_is_added() {
    let own = |rejection: &Rejection, _: Protocol| {
        assert_eq!(rejection.headers(), [("x-extra".parse().unwrap(), "1".parse().unwrap())]);
        Response::new(Bytes::from_static(b"no"))
    };
    let http: Response<ResponseBody<()>> = quota().respond(&own, Protocol::Http);
    assert_eq!(lines(&http, "retry-after"), ["9"]);
    assert_eq!(lines(&http, "x-extra"), ["1"]);
    let grpc: Response<ResponseBody<()>> = quota().respond(&own, Protocol::Grpc);
    assert_eq!(lines(&grpc, "grpc-retry-pushback-ms"), ["8400"]);
    assert_eq!(lines(&grpc, "retry-after"), [""; 0]);
    assert_eq!(lines(&grpc, "x-extra"), ["1"]);
}

#[test]
fn what_a_responder_writes_stays() {
    let own = |_: &Rejection, _: Protocol| {
        let headers = [(RETRY_AFTER, "60"), (HeaderName::from_static("x-extra"), "own")];
        let mut response = Response::new(Bytes::from_static(b"no"));
        response.headers_mut().extend(headers.map(|(k, v)| (k, HeaderValue::from_static(v))));
        response
    };
    let response: Response<ResponseBody<()>> = quota().respond(&own, Protocol::Http);
    assert_eq!(lines(&response, "retry-after"), ["60"]);
    assert_eq!(lines(&response, "x-extra"), ["own"]);
}

#[test]
fn the_rejections_own_word_wins_over_a_header_that_is_added() {
    let added = [
        ("content-type", "text/plain"),
        ("content-length", "7"),
        ("retry-after", "1"),
        ("grpc-status", "0"),
        ("grpc-message", "fine"),
        ("grpc-retry-pushback-ms", "1"),
        ("x-policy", "a"),
        ("x-policy", "b"),
    ];
    let rejection = added.into_iter().fold(quota(), |rejection, (name, value)| {
        rejection.with_header(HeaderName::from_static(name), HeaderValue::from_static(value))
    });
    for (protocol, expected) in [
        (Protocol::Http, [("content-type", "application/problem+json"), ("retry-after", "9")]),
        (
            Protocol::Grpc,
            [("content-type", "application/grpc"), ("grpc-retry-pushback-ms", "8400")],
        ),
        (Protocol::GrpcWeb, [("content-type", "application/grpc-web"), ("grpc-status", "8")]),
    ] {
        let response: Response<ResponseBody<()>> =
            rejection.clone().respond(&DefaultResponder, protocol);
        for (name, value) in expected {
            assert_eq!(lines(&response, name), [value], "{protocol:?}");
        }
        assert_eq!(lines(&response, "x-policy"), ["a", "b"], "{protocol:?}");
        assert!(!response.headers().contains_key("content-length"), "{protocol:?}");
    }
}

#[test]
fn a_detail_that_is_taken_away_is_in_no_answer() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let response = DefaultResponder.reject(&quota().without_detail(), protocol);
        assert!(!format!("{response:?}").contains("left"), "{protocol:?}");
    }
}

#[test]
fn retry_after_is_rounded_up_and_never_zero() {
    for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (8_999, 9)] {
        assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
    }
    assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
}

#[test]
fn pushback_is_rounded_up_never_zero_and_fits_32_bits() {
    for (after, millis) in [
        (Duration::ZERO, 1),
        (Duration::from_nanos(1), 1),
        (Duration::from_micros(1_001), 2),
        (Duration::from_secs(30 * 86_400), 2_147_483_647),
        (Duration::MAX, 2_147_483_647),
    ] {
        assert_eq!(grpc::pushback(after).1, millis, "{after:?}");
    }
}

#[test]
fn a_number_is_written_to_its_last_digit() {
    for number in [0, 9, 10, 8_400, 1_000_000, u64::MAX] {
        assert_eq!(decimal(number), number.to_string());
    }
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
        (200, GrpcCode::Unknown),
        (204, GrpcCode::Unknown),
        (302, GrpcCode::Unknown),
        (400, GrpcCode::InvalidArgument),
        (401, GrpcCode::Unauthenticated),
        (410, GrpcCode::NotFound),
        (412, GrpcCode::FailedPrecondition),
        (413, GrpcCode::ResourceExhausted),
        (416, GrpcCode::OutOfRange),
        (429, GrpcCode::ResourceExhausted),
        (500, GrpcCode::Internal),
        (503, GrpcCode::Unavailable),
        (504, GrpcCode::DeadlineExceeded),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(GrpcCode::from_status(status), code, "{status}");
    }
}

#[test]
fn a_grpc_message_has_no_space_at_its_ends() {
    for (text, message) in
        [(" x ", "%20x%20"), ("  ", "%20%20"), ("a b", "a b"), ("é ", "%C3%A9%20"), ("", "")]
    {
        assert_eq!(grpc_message(text), message);
    }
}

#[test]
fn a_long_grpc_message_ends_between_two_characters() {
    for (text, length) in [
        ("a".repeat(1024), 1024),
        ("a".repeat(1025), 1024),
        // 6 bytes each.
        ("é".repeat(1000), 1020),
        // Cut behind a space, which then goes too.
        (format!("{} {}", "a".repeat(1023), "b".repeat(9)), 1023),
    ] {
        let message = grpc_message(&text);
        assert_eq!(message.len(), length);
        assert!(text.as_bytes().starts_with(&percent_decoded(message.as_bytes())));
    }
}

#[test]
fn a_constant_detail_and_another_are_encoded_alike() {
    for detail in ["wait", "100 %", " größer ", ""] {
        let [constant, owned] = [Cow::from(detail), Cow::from(String::from(detail))]
            .map(|detail| DefaultResponder.reject(&quota().with_detail(detail), Protocol::Grpc));
        assert_eq!(constant.headers(), owned.headers());
    }
}

proptest! {
    #[test]
    fn a_grpc_message_is_printable_and_reads_back(text in any::<String>()) {
        let encoded = grpc_message(&text);
        let bytes = encoded.as_bytes();
        prop_assert!(bytes.iter().all(|byte| (b' '..=b'~').contains(byte)));
        prop_assert!(!bytes.starts_with(b" ") && !bytes.ends_with(b" "));
        prop_assert!(text.as_bytes().starts_with(&percent_decoded(bytes)));
        // No byte takes more than three.
        if text.len() * 3 <= 1024 {
            prop_assert_eq!(percent_decoded(bytes), text.into_bytes());
        }
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
