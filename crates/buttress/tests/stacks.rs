//! The stack where people put stacks: its type written down, under axum, hyper and tonic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use buttress::{
    AnswerBody, Cors, Guarded, Hardened, RequestBody, Route, Stack,
    client_ip::ClientIp,
    context::RequestContext,
    headers::SecurityHeadersLayer,
    observe::{Observer, Totals},
    problem::ProblemLayer,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    layer::util::Identity,
    service_fn,
    util::{BoxCloneSyncServiceLayer, ServiceFn},
};
use tower_http::{
    compression::CompressionLayer, cors::CorsLayer, set_header::SetResponseHeaderLayer,
    trace::TraceLayer,
};

/// A field of each of these types can be declared.
struct App<S> {
    stack: Stack,
    with_joint: Stack<(CorsLayer, CompressionLayer)>,
    observed: Stack<Identity, (NoClone, NoClone)>,
    service: Hardened<Guarded<S>>,
}

/// An observer of one's own.
struct NoClone;

impl Observer for NoClone {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {}
}

fn production() -> Stack {
    Stack::production(ClientIp::peer()).timeout(Duration::from_secs(5))
}

async fn hello(_: Request<RequestBody<Body>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

fn origin(request: http::request::Builder) -> Request<Body> {
    request.header("origin", "https://app.example.com").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn its_types_can_be_written_down() {
    let app = App {
        stack: production(),
        with_joint: production().joint((CorsLayer::permissive(), CompressionLayer::new())),
        observed: production().observe((NoClone, NoClone)),
        service: production().layer(service_fn(hello)),
    };
    let request = || origin(Request::get("/").header("accept-encoding", "gzip"));
    for response in [
        app.stack.layer(service_fn(hello)).oneshot(request()).await.unwrap().map(Body::new),
        app.with_joint.layer(service_fn(hello)).oneshot(request()).await.unwrap().map(Body::new),
        app.observed.layer(service_fn(hello)).oneshot(request()).await.unwrap().map(Body::new),
        app.service.oneshot(request()).await.unwrap().map(Body::new),
    ] {
        assert!(response.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn around_and_inside_an_axum_router() {
    let cors = Cors::allow(["https://app.example.com"]).unwrap();
    let app: Router = Router::new()
        .route("/own", get(|| async { "own" }).layer(Stack::new().body_limit(10)))
        .route("/routes", get(|| async { "routes" }))
        .route_layer(Stack::new().timeout(Duration::from_secs(1)))
        .layer(TraceLayer::new_for_http())
        .layer(production().cors(cors.clone()))
        .layer(TraceLayer::new_for_http());
    for (path, status) in [("/own", 200), ("/routes", 200), ("/missing", 404)] {
        let response = app.clone().oneshot(origin(Request::get(path))).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key("x-request-id"));
        assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example.com");
    }
}

/// Layers of others in the joint, and on both sides of the stack.
#[tokio::test]
async fn among_the_layers_of_others() {
    let mark = |name: &'static str| {
        SetResponseHeaderLayer::overriding(
            HeaderName::from_static("x-mark"),
            HeaderValue::from_static(name),
        )
    };
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(production().joint((mark("outer"), mark("inner"), CompressionLayer::new())))
        .layer(TraceLayer::new_for_http())
        .service_fn(hello);
    let request = origin(Request::post("/").header("sec-fetch-site", "cross-site"));
    let response = service.oneshot(request).await.unwrap();
    // The joint is outside of what refuses, and the first of its layers is the outermost.
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["x-mark"], "outer");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
}

/// Past the limit, reading fails, and so does this service.
async fn echo_any<B>(request: Request<RequestBody<B>>) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    Ok(Response::new(Full::new(request.into_body().collect().await?.to_bytes())))
}

#[tokio::test]
async fn served_by_hyper() {
    let service = production().layer(service_fn(echo_any::<Incoming>));
    let (client, server) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
            .serve_connection(
                TokioIo::new(server),
                hyper_util::service::TowerToHyperService::new(service),
            )
            .await
    });
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/").body(Full::new(Bytes::from_static(b"echo"))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert!(response.headers().contains_key("x-request-id"));
    assert_eq!(response.headers()["content-length"], "4");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "echo");

    let large = Request::post("/").body(Full::new(Bytes::from(vec![0; (1 << 20) + 1]))).unwrap();
    let response = sender.send_request(large).await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(response.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn as_a_layer_of_tonics_server() {
    let routes = tonic::service::Routes::default();
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_grpc())
        .layer(production())
        .service(routes.clone().prepare());
    let request = Request::post("/none.Such/Method")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "12");
    assert!(response.headers().contains_key("x-request-id"));
    assert!(!response.headers().contains_key("content-security-policy"));

    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_grpc())
        .layer(production())
        .add_routes(routes);
}

/// Each refusal, for a caller that would misread a plain HTTP status.
#[tokio::test(start_paused = true)]
async fn a_grpc_caller_is_refused_in_grpc() {
    let slow = |_: Request<RequestBody<Body>>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    };
    let call = || Request::post("/").header("content-type", "application/grpc");
    for (request, code) in [
        (call().header("content-length", "2000000"), "8"),
        (call().header("sec-fetch-site", "cross-site"), "7"),
        (call(), "4"),
    ] {
        let request = request.body(Body::empty()).unwrap();
        let response = production().layer(service_fn(slow)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], code);
        assert!(response.headers().contains_key("x-request-id"));
        assert!(!response.headers().contains_key("x-frame-options"));
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}

#[test]
fn it_says_what_is_in_force_in_order() {
    let stack = Stack::production(ClientIp::behind(["10.0.0.0/8"]).unwrap())
        .cors(Cors::allow(["https://app.example.com"]).unwrap().credentials().unwrap())
        .route(Route::one_of(["/own", "/routes", "/own"]))
        .joint(CompressionLayer::new());
    let described = stack.describe();
    let slots: Vec<&str> = described.lines().map(|line| line.get(..12).unwrap().trim()).collect();
    assert_eq!(
        slots,
        [
            "health",
            "drain",
            "client ip",
            "route",
            "request id",
            "trace",
            "log",
            "metrics",
            "observe",
            "headers",
            "cors",
            "compression",
            "joint",
            "problem",
            "csrf",
            "limit",
            "timeout",
            "body limit",
            "sanitize"
        ]
    );
    for said in [
        "x-forwarded-for behind 10.0.0.0/8",
        "else UUIDv7",
        "route        the path, if it is one of 2",
        "trace        traceparent continued; no spans",
        "log          slow from 1s",
        "metrics      http.server, at most 2000 series, window 60s",
        "observe      -",
        "problem      5xx masked, panics caught",
        "content-security-policy",
        "https://app.example.com, with credentials; GET, HEAD, POST",
        "compression  -",
        "CompressionLayer",
        "own origin, those of cors\n",
        "30s",
        "1048576 bytes",
        "sanitize     -",
    ] {
        assert!(described.contains(said), "{said}:\n{described}");
    }
}

#[test]
fn a_layer_that_does_nothing_is_not_in_force() {
    let described = Stack::new()
        .headers(SecurityHeadersLayer::none())
        .problem(ProblemLayer::disabled())
        .observe(NoClone)
        .observe(())
        .describe();
    for slot in ["headers      -", "problem      -", "observe      -"] {
        assert!(described.contains(slot), "{described}");
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Result<Response<Full<Bytes>>, Infallible>;
type Hello = ServiceFn<fn(Request<RequestBody<Body>>) -> Ready<Answer>>;

/// With a joint of any kind.
async fn body_through<M, B>(joint: M) -> Bytes
where
    M: Layer<Guarded<Hello>>,
    M::Service: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let hello: fn(_) -> _ = |_| ready(Ok(Response::new(Full::from("hello"))));
    let service = production().joint(joint).layer(service_fn(hello));
    let answer = service.oneshot(Request::new(Body::empty())).await.unwrap();
    assert!(answer.headers().contains_key("x-request-id"));
    answer.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_function_can_be_generic_over_the_joint() {
    assert_eq!(body_through(Identity::new()).await, "hello");
    assert_eq!(body_through((CorsLayer::permissive(), CompressionLayer::new())).await, "hello");
    let boxed = BoxCloneSyncServiceLayer::new(TraceLayer::new_for_http());
    assert_eq!(body_through(boxed).await, "hello");
}

#[test]
fn an_answers_body_can_be_made_of_nothing() {
    struct NoDefault;
    impl http_body::Body for NoDefault {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            Poll::Ready(None)
        }
    }
    assert!(http_body::Body::is_end_stream(&AnswerBody::<NoDefault>::default()));
}
