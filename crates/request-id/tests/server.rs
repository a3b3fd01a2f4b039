//! What a service with the layer shows to the caller, and to its own code.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use buttress_core::{
    client_ip::{ClientIp, Peer},
    context::{self, ContextLayer, InRequest, RequestContext},
    reject::{DefaultResponder, Protocol, Rejection},
};
use buttress_request_id::{
    Accept, Generator, RequestIdLayer, X_CORRELATION_ID, X_REQUEST_ID, is_valid,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};

fn current_id() -> HeaderValue {
    context::current().unwrap().request_id().unwrap().clone()
}

/// Answers with an extension: the headers that it saw.
fn show(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    let (parts, ()) = request.into_parts();
    ready(Ok(Response::builder().extension(parts.headers).body(()).unwrap()))
}

/// The headers that the service saw, and those of the answer.
async fn exchange(layer: &RequestIdLayer, request: Request<()>) -> (HeaderMap, HeaderMap) {
    exchange_through(layer.layer(service_fn(show)), request).await
}

async fn exchange_through<S, B>(service: S, request: Request<()>) -> (HeaderMap, HeaderMap)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let (mut response, _) = service.oneshot(request).await.unwrap().into_parts();
    (response.extensions.remove().unwrap(), response.headers)
}

fn request<const N: usize>(headers: [(HeaderName, &[u8]); N]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

fn only(headers: &HeaderMap, name: HeaderName) -> &HeaderValue {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().unwrap();
    assert_eq!(lines.next(), None);
    line
}

#[tokio::test]
async fn a_valid_id_is_taken_and_echoed() {
    for id in ["a", "01890a5d-ac96-774b-bcce-b302099a8057", "A.b_c-9", &"x".repeat(128)] {
        let request = request([(X_REQUEST_ID, id.as_bytes())]);
        let (seen, echoed) = exchange(&RequestIdLayer::new(), request).await;
        assert_eq!(only(&seen, X_REQUEST_ID), id);
        assert_eq!(only(&echoed, X_REQUEST_ID), id);
    }
}

#[tokio::test]
async fn anything_else_is_replaced_for_everyone_inside() {
    let too_long = "x".repeat(129);
    let refused: [&[u8]; 7] =
        [b"", b"two words", b"a\"b", b"a/b", b"caf\xe9", b"a\tb", too_long.as_bytes()];
    for id in refused {
        let request = request([(X_REQUEST_ID, id)]);
        let (seen, echoed) = exchange(&RequestIdLayer::new(), request).await;
        assert!(is_valid(only(&seen, X_REQUEST_ID).as_bytes()), "{}", id.escape_ascii());
        assert_eq!(only(&seen, X_REQUEST_ID).len(), 36);
        assert_eq!(seen[X_REQUEST_ID], echoed[X_REQUEST_ID]);
    }
}

#[tokio::test]
async fn two_lines_are_replaced_by_one() {
    let request = request([(X_REQUEST_ID, b"one"), (X_REQUEST_ID, b"two")]);
    let (seen, echoed) = exchange(&RequestIdLayer::new(), request).await;
    assert_eq!(only(&seen, X_REQUEST_ID).len(), 36);
    assert_eq!(only(&seen, X_REQUEST_ID), only(&echoed, X_REQUEST_ID));
}

#[tokio::test]
async fn a_request_without_an_id_gets_one() {
    let (seen, echoed) = exchange(&RequestIdLayer::new(), Request::new(())).await;
    assert_eq!(only(&seen, X_REQUEST_ID), only(&echoed, X_REQUEST_ID));
    let (_, other) = exchange(&RequestIdLayer::new(), Request::new(())).await;
    assert_ne!(echoed, other);
}

#[tokio::test]
async fn other_headers_are_read_in_their_order() {
    let amzn = HeaderName::from_static("x-amzn-request-id");
    let layer = RequestIdLayer::new().also_read([X_CORRELATION_ID, amzn.clone()]);
    type Headers<'a> = [(HeaderName, &'a [u8]); 2];
    let cases: [(Headers<'_>, &str); 4] = [
        ([(amzn.clone(), b"third"), (X_CORRELATION_ID, b"second")], "second"),
        ([(amzn.clone(), b"third"), (X_CORRELATION_ID, b"not one")], "third"),
        ([(amzn.clone(), b"third"), (X_REQUEST_ID, b"not one")], "third"),
        ([(X_CORRELATION_ID, b"second"), (X_REQUEST_ID, b"first")], "first"),
    ];
    for (headers, id) in cases {
        let (seen, echoed) = exchange(&layer, request(headers)).await;
        assert_eq!(only(&seen, X_REQUEST_ID), id);
        assert_eq!(only(&echoed, X_REQUEST_ID), id);
        assert!(seen.get_all(X_CORRELATION_ID).iter().all(|id| is_valid(id.as_bytes())));
    }
}

#[tokio::test]
async fn a_header_that_is_named_twice_keeps_the_id() {
    let layer = RequestIdLayer::new().also_read([X_REQUEST_ID]).accept(Accept::Never);
    let (seen, echoed) = exchange(&layer, request([(X_REQUEST_ID, b"theirs")])).await;
    assert_eq!(only(&seen, X_REQUEST_ID), only(&echoed, X_REQUEST_ID));
    assert_eq!(seen[X_REQUEST_ID].len(), 36);
}

#[tokio::test]
async fn maps_that_can_take_no_more_lose_the_header_and_nothing_else() {
    fn fill(headers: &mut HeaderMap) {
        let names = (0_u32..).map(|n| HeaderName::try_from(format!("x-{n}")).unwrap());
        for name in names {
            if headers.try_insert(name, HeaderValue::from_static("")).is_err() {
                return;
            }
        }
    }
    let service = RequestIdLayer::new().layer(service_fn(|request: Request<()>| async move {
        assert!(!request.headers().contains_key(X_REQUEST_ID), "what was refused is still there");
        let mut response = Response::new(current_id());
        fill(response.headers_mut());
        Ok::<_, Infallible>(response)
    }));
    let mut full = request([(X_REQUEST_ID, b"two words")]);
    fill(full.headers_mut());
    let response = service.oneshot(full).await.unwrap();
    assert!(response.headers().len() > 20_000);
    assert!(!response.headers().contains_key(X_REQUEST_ID));
}

#[tokio::test]
async fn what_is_refused_in_another_header_is_removed_and_what_is_unused_stays() {
    let layer = RequestIdLayer::new().also_read([X_CORRELATION_ID]);
    let broken = request([(X_REQUEST_ID, b"a"), (X_CORRELATION_ID, b"<script>")]);
    assert!(!exchange(&layer, broken).await.0.contains_key(X_CORRELATION_ID));
    let unused = request([(X_REQUEST_ID, b"a"), (X_CORRELATION_ID, b"b")]);
    assert_eq!(exchange(&layer, unused).await.0[X_CORRELATION_ID], "b");
}

#[tokio::test]
async fn the_id_is_echoed_under_two_names_or_none() {
    let layer = RequestIdLayer::new().header(X_CORRELATION_ID).also_echo([X_REQUEST_ID]);
    let (seen, echoed) = exchange(&layer, request([(X_CORRELATION_ID, b"a")])).await;
    assert!(!seen.contains_key(X_REQUEST_ID));
    assert_eq!(only(&echoed, X_CORRELATION_ID), "a");
    assert_eq!(only(&echoed, X_REQUEST_ID), "a");

    let (seen, echoed) = exchange(&layer.echo(false), request([(X_CORRELATION_ID, b"a")])).await;
    assert_eq!(seen[X_CORRELATION_ID], "a");
    assert!(echoed.is_empty());
}

#[tokio::test]
async fn only_a_trusted_proxys_id_is_taken() {
    let layer = RequestIdLayer::new()
        .accept(Accept::FromTrusted(ClientIp::behind(["10.0.0.0/8"]).unwrap()))
        .also_read([X_CORRELATION_ID]);
    for (peer, taken) in [(Some("10.0.0.1"), true), (Some("192.0.2.1"), false), (None, false)] {
        let mut request = request([(X_REQUEST_ID, b"theirs"), (X_CORRELATION_ID, b"theirs")]);
        request.extensions_mut().extend(peer_extension(peer));
        let (seen, echoed) = exchange(&layer, request).await;
        assert_eq!(seen[X_REQUEST_ID] == "theirs", taken, "{peer:?}");
        assert_eq!(seen.contains_key(X_CORRELATION_ID), taken, "{peer:?}");
        assert_eq!(seen[X_REQUEST_ID], echoed[X_REQUEST_ID]);
    }
}

fn peer_extension(peer: Option<&str>) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    if let Some(peer) = peer {
        extensions.insert(Peer(peer.parse().unwrap()));
    }
    extensions
}

#[tokio::test]
async fn nobodys_id_is_taken_where_none_is_to_be() {
    let layer = RequestIdLayer::new().accept(Accept::Never).generator(Generator::Ulid);
    let (seen, _) = exchange(&layer, request([(X_REQUEST_ID, b"theirs")])).await;
    assert_eq!(only(&seen, X_REQUEST_ID).len(), 26);
}

#[tokio::test]
async fn what_the_handler_set_is_replaced() {
    let service = RequestIdLayer::new().layer(service_fn(|_: Request<()>| async {
        let mut response = Response::new(());
        response.headers_mut().append(X_REQUEST_ID, HeaderValue::from_static("mine"));
        response.headers_mut().append(X_REQUEST_ID, HeaderValue::from_static("mine too"));
        Ok::<_, Infallible>(response)
    }));
    let response = service.oneshot(request([(X_REQUEST_ID, b"a")])).await.unwrap();
    assert_eq!(only(response.headers(), X_REQUEST_ID), "a");
}

#[tokio::test]
async fn an_error_passes_as_it_is() {
    let service = RequestIdLayer::new()
        .layer(service_fn(|_: Request<()>| async { Err::<Response<()>, _>("broken pipe") }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap_err(), "broken pipe");
}

#[tokio::test]
async fn all_code_of_a_request_knows_its_id() {
    let service = RequestIdLayer::new().layer(service_fn(|request: Request<()>| {
        let in_call = current_id();
        async move {
            let in_header = request.headers()[X_REQUEST_ID].clone();
            let mut seen = vec![in_header, in_call, current_id()];
            tokio::task::yield_now().await;
            seen.push(current_id());
            seen.push(context::spawn(async { current_id() }).await.unwrap());
            seen.push(context::blocking(current_id).await.unwrap());
            Ok::<_, Infallible>(Response::builder().extension(seen).body(()).unwrap())
        }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let echoed = &response.headers()[X_REQUEST_ID];
    let seen: &Vec<HeaderValue> = response.extensions().get().unwrap();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|id| id == echoed), "{seen:?}, and not {echoed:?}");
    assert!(context::current().is_none());
}

#[tokio::test]
async fn a_rejections_document_carries_the_id() {
    let service = RequestIdLayer::new().layer(service_fn(|_: Request<()>| async {
        let no = Rejection::new("test", "closed", StatusCode::FORBIDDEN);
        Ok::<_, Infallible>(
            no.respond::<_, http_body_util::Empty<_>>(&DefaultResponder, Protocol::Http),
        )
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let echoed = response.headers()[X_REQUEST_ID].clone();
    let document = response.into_body().collect().await.unwrap().to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["request_id"], echoed.to_str().unwrap());
}

#[tokio::test(flavor = "current_thread")]
async fn two_requests_interleaved_on_one_thread_never_swap() {
    let service = RequestIdLayer::new().layer(service_fn(|request: Request<()>| async move {
        let mut switches = 0;
        for _ in 0..50 {
            assert_eq!(current_id(), request.headers()[X_REQUEST_ID]);
            tokio::task::yield_now().await;
            switches += 1;
        }
        Ok::<_, Infallible>(Response::new(switches))
    }));
    let (a, b, c) = tokio::join!(
        service.clone().oneshot(request([(X_REQUEST_ID, b"a")])),
        service.clone().oneshot(request([(X_REQUEST_ID, b"b")])),
        service.clone().oneshot(Request::new(())),
    );
    assert_eq!(a.unwrap().headers()[X_REQUEST_ID], "a");
    assert_eq!(b.unwrap().headers()[X_REQUEST_ID], "b");
    assert_eq!(c.unwrap().headers()[X_REQUEST_ID].len(), 36);
}

#[tokio::test]
async fn a_streaming_body_is_polled_in_its_request() {
    let service = RequestIdLayer::new().layer(service_fn(|_: Request<()>| async {
        let ids = futures_util::stream::unfold(0, |sent| async move {
            tokio::task::yield_now().await;
            let id = bytes::Bytes::copy_from_slice(current_id().as_bytes());
            (sent < 3).then(|| (Ok::<_, Infallible>(http_body::Frame::data(id)), sent + 1))
        });
        Ok::<_, Infallible>(Response::new(http_body_util::StreamBody::new(ids)))
    }));
    let response = service.oneshot(request([(X_REQUEST_ID, b"streamed.")])).await.unwrap();
    let sent = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(sent, "streamed.streamed.streamed.");
}

#[tokio::test]
async fn an_id_that_is_settled_further_out_stays() {
    let inner = RequestIdLayer::new().header(X_CORRELATION_ID);
    let nested = RequestIdLayer::new().layer(inner.layer(service_fn(show)));
    let request = request([(X_REQUEST_ID, b"outer"), (X_CORRELATION_ID, b"inner")]);
    let (seen, echoed) = exchange_through(nested, request).await;
    for name in [X_REQUEST_ID, X_CORRELATION_ID] {
        assert_eq!(only(&seen, name.clone()), "outer");
        assert_eq!(only(&echoed, name), "outer");
    }
}

#[tokio::test]
async fn it_sets_the_id_of_a_context_made_further_out() {
    let service = ContextLayer::new().layer(RequestIdLayer::new().layer(service_fn(
        |_: Request<()>| async { Ok::<_, Infallible>(Response::new(current_id())) },
    )));
    let response = service.oneshot(request([(X_REQUEST_ID, b"a")])).await.unwrap();
    assert_eq!(response.headers()[X_REQUEST_ID], "a");
}

#[tokio::test]
async fn the_id_that_is_set_first_is_the_one_that_all_see() {
    // As if another branch of the same request had been here while the id was made.
    let outer = RequestContext::new();
    let racing = outer.clone();
    let generator = Generator::custom(move || {
        racing.set_request_id(HeaderValue::from_static("first"));
        "second"
    });
    let layer = RequestIdLayer::new().generator(generator);
    let exchange = InRequest::new(Some(outer.clone()), exchange(&layer, Request::new(())));
    let (seen, echoed) = exchange.await;
    assert_eq!(outer.request_id().unwrap(), "first");
    assert_eq!(only(&seen, X_REQUEST_ID), "first");
    assert_eq!(only(&echoed, X_REQUEST_ID), "first");
}

#[tokio::test]
async fn the_echo_does_not_depend_on_where_the_future_is_polled() {
    // Called in a context, and polled by somebody outside of it.
    let outer = RequestContext::new();
    let mut service = RequestIdLayer::new()
        .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) }));
    let future = outer.scope(|| service.call(request([(X_REQUEST_ID, b"a")])));
    assert_eq!(future.await.unwrap().headers()[X_REQUEST_ID], "a");
}

#[tokio::test]
async fn disabled_it_neither_reads_nor_writes() {
    let request = request([(X_REQUEST_ID, b"not valid")]);
    let (seen, echoed) = exchange(&RequestIdLayer::disabled(), request).await;
    assert_eq!(seen[X_REQUEST_ID], "not valid");
    assert!(echoed.is_empty());
}

#[test]
fn each_setting_is_told_in_one_line() {
    let cases = [
        (RequestIdLayer::new(), "x-request-id; accepted if valid, else UUIDv7; echoed"),
        (
            RequestIdLayer::new()
                .header(X_CORRELATION_ID)
                .accept(Accept::Never)
                .generator(Generator::custom(|| "x"))
                .echo(false),
            "x-correlation-id; never accepted, else custom; not echoed",
        ),
        (RequestIdLayer::disabled(), "off"),
    ];
    for (layer, line) in cases {
        assert_eq!(layer.to_string(), line);
    }
}
