//! Around the clients that people use.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::any};
use buttress_core::body::ResponseBody;
use buttress_retry::{
    Backoff, Budget, Idempotency, ReplayBody, RetryInfo, RetryLayer, StopReason, Verdict,
};
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response, uri::PathAndQuery};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{every, ms, request, statuses};
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// A server that answers 503 to every second request, from the first on.
async fn flaky() -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = move |body: Bytes| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        let code = match number % 2 {
            0 => http::StatusCode::SERVICE_UNAVAILABLE,
            _ => http::StatusCode::OK,
        };
        std::future::ready((code, body))
    };
    let app: Router = Router::new().route("/", any(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, count)
}

/// Judged and copied by their own types.
#[tokio::test]
async fn around_reqwest() {
    let (address, count) = flaky().await;
    let classify = |outcome: Result<&reqwest::Response, &reqwest::Error>| match outcome {
        Ok(response) if response.status() == 503 => Verdict::Retry,
        Ok(_) => Verdict::Done,
        Err(_) => Verdict::Retry,
    };
    let layer = RetryLayer::new(classify).backoff(every(ms(1))).unwrap().copy_by(
        |request: &reqwest::Request| {
            request.method().is_idempotent().then(|| request.try_clone())?
        },
    );
    let handle = layer.handle();
    let client = layer.layer(reqwest::Client::new());
    let send = |method: reqwest::Method| {
        let mut request =
            reqwest::Request::new(method, format!("http://{address}/").parse().unwrap());
        *request.body_mut() = Some("body".into());
        client.clone().oneshot(request)
    };
    let answer = send(reqwest::Method::PUT).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.bytes().await.unwrap()[..]), (200, &b"body"[..]));
    assert_eq!((count.load(Ordering::SeqCst), handle.retries()), (2, 1));
    assert_eq!(send(reqwest::Method::POST).await.unwrap().status(), 503);
    assert_eq!(handle.stopped(StopReason::NotRepeatable), 1);
}

/// As HTTP, with all that the layer knows of it.
#[tokio::test]
async fn around_reqwest_as_http() {
    let (address, _) = flaky().await;
    let client = ServiceBuilder::new()
        .layer(RetryLayer::http().backoff(every(ms(1))).unwrap().errors::<reqwest::Error>())
        .map_request(|request: Request<ReplayBody<reqwest::Body>>| {
            reqwest::Request::try_from(request.map(reqwest::Body::wrap)).unwrap()
        })
        .map_response(Response::<reqwest::Body>::from)
        .service(reqwest::Client::new());
    let put = Request::put(format!("http://{address}/")).body(reqwest::Body::from("body")).unwrap();
    let answer = client.clone().oneshot(put).await.unwrap();
    assert_eq!((answer.status().as_u16(), RetryInfo::of(&answer).attempts()), (200, 2));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "body");
}

#[tokio::test]
async fn around_hyper_utils_client_with_other_layers_on_both_sides() {
    let (address, _) = flaky().await;
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(RetryLayer::http().backoff(every(ms(1))).unwrap())
        .layer(TraceLayer::new_for_http())
        .service(client);
    let put = Request::put(format!("http://{address}/"))
        .body(http_body_util::Full::new(Bytes::from_static(b"body")))
        .unwrap();
    let answer = client.oneshot(put).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "body");
}

/// Inside a server too: axum's router takes any body.
#[tokio::test]
async fn around_an_axum_router() {
    let count = Arc::new(AtomicUsize::new(0));
    let handler = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move { if number == 0 { Err(http::StatusCode::BAD_GATEWAY) } else { Ok("hello") } }
    };
    let app: Router = Router::new().route("/", any(handler));
    let service = RetryLayer::http().backoff(every(ms(1))).unwrap().layer(app);
    let answer = service.oneshot(request("GET")).await.unwrap();
    assert_eq!((answer.status().as_u16(), RetryInfo::of(&answer).attempts()), (200, 2));
    let _: &ResponseBody<_> = answer.body();
}

/// What a service of its own request type looks like; there is no HTTP in it.
#[tokio::test(start_paused = true)]
async fn around_any_service() {
    #[derive(Clone)]
    struct Job(u32);
    let layer = RetryLayer::new(|outcome: Result<&u32, &&str>| match outcome {
        Ok(_) => Verdict::Done,
        Err(&"busy") => Verdict::RetryAfter(ms(500)),
        Err(_) => Verdict::Failed,
    })
    .backoff(Backoff::constant(ms(10)))
    .unwrap();
    let tries = Arc::new(AtomicUsize::new(0));
    let service = layer.layer(service_fn(move |Job(n): Job| {
        let number = tries.fetch_add(1, Ordering::SeqCst);
        async move {
            match (n, number) {
                (0, _) => Err("no such job"),
                (_, 0) => Err("busy"),
                _ => Ok(n),
            }
        }
    }));
    let began = tokio::time::Instant::now();
    assert_eq!(service.clone().oneshot(Job(7)).await, Ok(7));
    assert_eq!(began.elapsed(), ms(500));
    assert_eq!(service.oneshot(Job(0)).await, Err("no such job"));
    assert_eq!(layer.handle().stopped(StopReason::NotRetryable), 1);
}

// gRPC, over a real connection.

/// Messages are their bytes.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Answers the nth call with this code, behind a message where there is one: with `None`, at once
/// after the head.
async fn grpc_server(does: fn(usize) -> (&'static str, bool)) -> (Channel, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                let sent = request.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(&sent[..], b"\0\0\0\0\x04ping");
                let (code, has_message) = does(number);
                let message =
                    has_message.then(|| Frame::data(Bytes::from_static(b"\0\0\0\0\x04pong")));
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static(code));
                let frames = message.into_iter().chain([Frame::trailers(trailers)]);
                let frames = frames.map(Ok::<_, Infallible>);
                let body = StreamBody::new(futures_util::stream::iter(frames));
                let head = Response::builder().header("content-type", "application/grpc");
                Ok::<_, Infallible>(head.body(body).unwrap())
            }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = connection.serve_connection(TokioIo::new(stream), service).await;
    });
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    (endpoint.connect().await.unwrap(), count)
}

async fn call(channel: Channel) -> Result<Bytes, Status> {
    let layer = RetryLayer::grpc()
        .idempotency(Idempotency::default().or(|head| head.uri.path() == "/test.Echo/Ping"))
        .backoff(every(ms(1)))
        .unwrap()
        .attempt_timeout(Duration::from_secs(5))
        .unwrap()
        .budget(Budget::unlimited())
        .unwrap()
        .errors::<tonic::transport::Error>();
    let channel = ServiceBuilder::new()
        .layer(layer)
        .map_request(|request: Request<ReplayBody<tonic::body::Body>>| {
            request.map(tonic::body::Body::new)
        })
        .service(channel);
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from_static(b"ping"));
    let path = PathAndQuery::from_static("/test.Echo/Ping");
    client.unary(request, path, Raw).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn around_a_tonic_channel_a_status_in_the_trailers_is_seen() {
    let (channel, count) = grpc_server(|n| if n < 3 { ("14", false) } else { ("0", true) }).await;
    assert_eq!(call(channel).await.unwrap(), "pong");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn around_a_tonic_channel_a_call_with_a_message_is_the_callers() {
    let (channel, count) = grpc_server(|_| ("14", true)).await;
    assert_eq!(call(channel).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn around_a_tonic_channel_other_codes_go_back() {
    let (channel, count) = grpc_server(|_| ("5", false)).await;
    assert_eq!(call(channel).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_services_of_a_type_can_be_named() {
    struct Named {
        _client: buttress_retry::Retry<support::Upstream>,
    }
    let _ = Named { _client: RetryLayer::http().layer(statuses(&[200])) };
}
