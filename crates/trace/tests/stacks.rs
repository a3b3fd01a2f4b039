//! The layer among those that everybody has, on both sides of it, under each server.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::convert::Infallible;

use axum::{Router, routing::get};
use buttress_core::context::{self, ContextLayer};
use buttress_trace::{Outbound, OutboundLayer, Trace, TraceLayer};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, trace::TraceLayer as HttpTraceLayer};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Cors stands outside of tower-http's Trace in neither half: it asks of its body to be `Default`.
macro_rules! both_sides {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(HttpTraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer(TraceLayer::new(Trace::spans()))
            .layer(CorsLayer::permissive())
            .service($service)
    };
}

fn trace_id() -> String {
    let request = context::current().unwrap();
    let id = u128::from_be_bytes(*request.trace().unwrap().trace_id());
    format!("{id:032x}")
}

#[tokio::test]
async fn axum_serves_it_around_and_inside() {
    let routes = Router::new().route("/", get(|| async { trace_id() }));
    let as_layers = routes
        .clone()
        .layer(HttpTraceLayer::new_for_http())
        .layer(TraceLayer::new(Trace::propagate()))
        .layer(CorsLayer::permissive());
    let request = || {
        let request = Request::get("/").header("traceparent", PARENT);
        request.body(axum::body::Body::empty()).unwrap()
    };
    let around = both_sides!(routes).oneshot(request()).await.unwrap();
    let inside = as_layers.oneshot(request()).await.unwrap();
    for body in [
        around.into_body().collect().await,
        inside.into_body().map_err(Into::into).boxed_unsync().collect().await,
    ] {
        assert_eq!(body.unwrap().to_bytes(), "0af7651916cd43dd8448eb211c80319c");
    }
}

#[tokio::test]
async fn hyper_serves_it_over_a_connection() {
    let service = both_sides!(service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(trace_id()))))
    }));
    let (client, server) = tokio::io::duplex(4_096);
    let service = hyper_util::service::TowerToHyperService::new(service);
    tokio::spawn(async move {
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(server), service).await.unwrap();
    });
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "localhost").header("traceparent", PARENT);
    let response = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    // The size was not lost on the way: no chunks.
    assert_eq!(response.headers()["content-length"], "32");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn tonic_serves_it_and_grpc_is_left_as_it_is() {
    let service = both_sides!(tonic::service::Routes::default().prepare());
    let request = Request::post("/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[HeaderName::from_static("grpc-status")], "12");

    // It is also what tonic's server takes, and what a generated client wraps.
    let _ = tonic::transport::Server::builder()
        .layer(HttpTraceLayer::new_for_grpc())
        .layer(TraceLayer::new(Trace::propagate()))
        .layer(CorsLayer::permissive())
        .add_routes(tonic::service::Routes::default());
    let channel = tonic::transport::Endpoint::from_static("http://[::1]:1").connect_lazy();
    let channel = ServiceBuilder::new().layer(OutboundLayer::spans()).service(channel);
    let _ = tonic::client::Grpc::new(channel);
}

/// The id of the request and of its trace, with the request's id set inside or outside of the trace.
macro_rules! ids {
    ($($layer:expr),+) => {{
        let service = service_fn(|_: Request<()>| async {
            let request = context::current().unwrap();
            let id = request.request_id_str().unwrap().replace('-', "");
            let flags = request.trace().unwrap().flags();
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!(
                "{id} {} {flags}",
                trace_id()
            )))))
        });
        let service = ServiceBuilder::new()$(.layer($layer))+.service(service);
        let body = service.oneshot(Request::new(())).await.unwrap().into_body();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        <[String; 3]>::try_from(words).unwrap()
    }};
}

/// What the layer that sets ids does, and in a stack of this family stands outside of all observers.
#[derive(Clone)]
struct SetsId<S>(S);

impl<S: tower::Service<Request<()>>> tower::Service<Request<()>> for SetsId<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<()>) -> S::Future {
        let id = http::HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057");
        context::current().unwrap().set_request_id(id);
        self.0.call(request)
    }
}

#[tokio::test]
async fn inside_of_the_layer_that_sets_ids_a_new_trace_has_the_requests_id_and_outside_its_own() {
    let trace = || TraceLayer::new(Trace::propagate());
    let [id, trace_id, flags] = ids!(ContextLayer::new(), tower::layer::layer_fn(SetsId), trace());
    assert_eq!((&*trace_id, &*flags), (&*id, "3"));
    let [id, trace_id, flags] = ids!(ContextLayer::new(), trace(), tower::layer::layer_fn(SetsId));
    assert_ne!(trace_id, id, "the trace was there first");
    assert_eq!(flags, "3");
}

#[tokio::test]
async fn each_type_can_be_written_down() {
    struct Api {
        layer: TraceLayer,
        client: Outbound<Router>,
    }
    let client = ServiceBuilder::new().layer(OutboundLayer::spans()).service(Router::new());
    let api = Api { layer: TraceLayer::new(Trace::spans()), client };
    let response = api.client.oneshot(Request::new(axum::body::Body::empty())).await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(format!("{:?}", api.layer).contains("Spans"));
}
