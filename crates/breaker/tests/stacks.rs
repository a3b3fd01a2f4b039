//! Under axum, and around the clients of hyper, reqwest and tonic, over TCP; with tower-http's
//! layers outside and inside.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use buttress_breaker::{
    BreakerLayer, BulkheadLayer, OpenFor, OutcomeAt, Policy, ShedLayer, State, Window,
};
use buttress_core::{body::ResponseBody, reject::Rejected};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, map_response_body::MapResponseBodyLayer, trace::TraceLayer};

fn policy() -> Policy {
    let open = OpenFor::constant(Duration::from_secs(60));
    Policy::new().window(Window::consecutive(2)).open(open)
}

fn layer(policy: Policy) -> BreakerLayer {
    BreakerLayer::new("upstream", policy).unwrap()
}

fn state(layer: &BreakerLayer) -> State {
    layer.handle().circuit().unwrap().state()
}

/// A server that does with each connection what it is told, once its request has come.
async fn server<F, Fut>(each: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            each(stream).await;
        }
    });
    address
}

async fn resets(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

async fn says(mut stream: TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
}

fn request(address: SocketAddr) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}/")).body(Empty::new()).unwrap()
}

fn client() -> Client<hyper_util::client::legacy::connect::HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

#[tokio::test]
async fn a_backend_that_resets_or_is_not_there_is_a_failure() {
    let reset = server(resets).await;
    // Bound and closed again: nobody is there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [reset, nobody] {
        let layer = layer(policy());
        let service = layer.layer(client());
        for _ in 0..2 {
            assert!(service.clone().oneshot(request(address)).await.is_err());
        }
        let answer = service.oneshot(request(address)).await.unwrap();
        assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "open");
    }
}

#[tokio::test]
async fn a_backend_that_stalls_in_its_head_trips_it_by_slow_calls_behind_an_outer_timeout() {
    let address = server(|stream| async move {
        tokio::spawn(async move {
            let mut stream = stream;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await.unwrap();
            std::future::pending::<()>().await;
        });
    })
    .await;
    let slow = Duration::from_millis(20);
    let layer = layer(policy().slow_calls(slow, 0.5));
    let service = layer.layer(client());
    for _ in 0..2 {
        let call = service.clone().oneshot(request(address));
        assert!(tokio::time::timeout(2 * slow, call).await.is_err());
    }
    assert_eq!(state(&layer), State::Open);
}

#[tokio::test]
async fn a_backend_that_breaks_off_or_stalls_in_its_body_is_seen_at_its_end() {
    const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
    let breaks_off = server(|stream| says(stream, HALF)).await;
    let stalls = server(|mut stream| async move {
        stream.write_all(HALF).await.unwrap();
        tokio::spawn(async move {
            let _stream = stream;
            std::future::pending::<()>().await;
        });
    })
    .await;
    let slow = Duration::from_millis(20);
    for address in [breaks_off, stalls] {
        for (at, state_after) in
            [(OutcomeAt::EndOfBody, State::Open), (OutcomeAt::Head, State::Closed)]
        {
            let layer = layer(policy().slow_calls(slow, 0.5)).outcome_at(at);
            let circuit = layer.handle().circuit().unwrap();
            let service = layer.layer(client());
            for _ in 0..2 {
                let Ok(answer) = service.clone().oneshot(request(address)).await else { break };
                let body = tokio::time::timeout(2 * slow, answer.into_body().collect()).await;
                assert!(body.is_err() || body.unwrap().is_err());
            }
            // A machine that is busy may be slow at a head too.
            if circuit.snapshot().totals.slow == 0 || state_after == State::Open {
                assert_eq!(circuit.state(), state_after, "{at:?}");
            }
        }
    }
}

#[tokio::test]
async fn around_hyper_utils_client_a_good_answer_comes_through() {
    let address =
        server(|stream| says(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")).await;
    for at in [OutcomeAt::Head, OutcomeAt::EndOfBody] {
        let layer = layer(policy()).per_host().outcome_at(at);
        let service = layer.layer(BulkheadLayer::new("upstream", 8).unwrap().layer(client()));
        let answer = service.oneshot(request(address)).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
        let circuit = layer.handle().circuit_of(&address.to_string()).unwrap();
        assert_eq!(circuit.snapshot().totals.successes, 1);
    }
}

#[tokio::test]
async fn around_reqwest_by_its_tower_service() {
    let address =
        server(|stream| says(stream, b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"))
            .await;
    let layer = layer(policy());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let service = ServiceBuilder::new().layer(layer.clone()).service_fn(
        move |request: Request<reqwest::Body>| {
            let mut client = client.clone();
            async move {
                let request = reqwest::Request::try_from(request)?;
                Service::call(&mut client, request).await.map(Response::<reqwest::Body>::from)
            }
        },
    );
    for code in [502, 502, 503] {
        let request = Request::get(format!("http://{address}/")).body("".into()).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), code);
    }
}

#[tokio::test]
async fn around_a_tonic_channel_a_refusal_is_unavailable() {
    // No method is known to it, and then nobody is there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    let layer = layer(policy());
    let service = ServiceBuilder::new().layer(layer.clone()).service(channel);
    let call = || {
        Request::post(format!("http://{address}/package.Service/Method"))
            .header(CONTENT_TYPE, "application/grpc")
            .body(tonic::body::Body::empty())
            .unwrap()
    };
    let mut service = service;
    for _ in 0..2 {
        assert!(service.ready().await.unwrap().call(call()).await.is_err());
    }
    let answer = service.ready().await.unwrap().call(call()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &"14".parse().unwrap())
    );
    // It is a `GrpcService`, too.
    fn is_grpc<S: tonic::client::GrpcService<tonic::body::Body>>(_: &S) {}
    is_grpc(&service);
}

/// tower-http's Cors asks for a body that is `Default`, which Trace's is not: the core's is put
/// between the two.
macro_rules! both_sides {
    ($layer:expr, $service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer($layer)
            .layer(CorsLayer::permissive())
            .layer(MapResponseBodyLayer::new(ResponseBody::inner))
            .layer(TraceLayer::new_for_http())
            .service($service)
    };
}

#[tokio::test]
async fn with_cors_and_trace_on_both_sides_a_refusal_has_its_cors_headers() {
    let hello = || {
        service_fn(|_: Request<String>| async {
            Ok::<_, Infallible>(Response::new("hello".to_owned()))
        })
    };
    let breaker = layer(policy());
    breaker.handle().force_open();
    let refused = both_sides!(breaker, hello()).oneshot(Request::new(String::new())).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    let seats = both_sides!(BulkheadLayer::new("hello", 1).unwrap(), hello());
    assert_eq!(seats.oneshot(Request::new(String::new())).await.unwrap().status(), 200);
    let shed = both_sides!(ShedLayer::new("test"), hello());
    assert_eq!(shed.oneshot(Request::new(String::new())).await.unwrap().status(), 200);
}

#[tokio::test]
async fn under_axum_a_thousand_services_of_one_layer_share_one_circuit() {
    let layer = layer(policy());
    let mut app = Router::new();
    for route in 0..1_000 {
        let fails = get(|| async { StatusCode::BAD_GATEWAY }).layer(layer.clone());
        app = app.route(&format!("/{route}"), fails);
    }
    let app = app.layer(CorsLayer::permissive());
    let get =
        |route: u32| Request::get(format!("/{route}")).body(axum::body::Body::empty()).unwrap();
    for (route, code) in [(1, 502), (999, 502), (500, 503)] {
        let answer = app.clone().oneshot(get(route)).await.unwrap();
        assert_eq!(answer.status().as_u16(), code);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    }
    assert_eq!(layer.handle().totals().opened, 1);
}

#[test]
fn it_is_what_tonics_server_takes() {
    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_http())
        .layer(layer(policy()))
        .layer(BulkheadLayer::new("calls", 8).unwrap())
        .add_routes(tonic::service::Routes::default());
}
