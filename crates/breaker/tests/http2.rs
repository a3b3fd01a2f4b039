//! Around clients of HTTP/2 and gRPC, over TCP: streams that are refused, connections that are
//! closed, and a service that fails, is gone, and comes back.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use buttress_breaker::{BreakerHandle, BreakerLayer, OpenFor, Policy, Probes, State, Window};
use buttress_core::reject::Rejected;
use bytes::Bytes;
use h2::Reason;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tonic::{
    body::Body,
    server::NamedService,
    service::Routes,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::{Layer, Service, ServiceExt};

/// Opens at the second failure, for 5 s; one good probe closes it.
fn policy() -> Policy {
    let open = OpenFor::constant(Duration::from_secs(5));
    Policy::new().window(Window::consecutive(2)).open(open).half_open(Probes::new(1))
}

/// What the server does with a stream.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Refuse,
    GoAway,
    Fine,
}

/// Answers each stream of each connection so.
async fn server(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_request, mut respond))) = connection.accept().await {
                    match answer {
                        Answer::Refuse => respond.send_reset(Reason::REFUSED_STREAM),
                        Answer::GoAway => connection.abrupt_shutdown(Reason::NO_ERROR),
                        Answer::Fine => drop(respond.send_response(Response::new(()), true)),
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn refused_streams_and_connections_that_are_closed_are_failures() {
    for (answer, fails) in [(Answer::Refuse, true), (Answer::GoAway, true), (Answer::Fine, false)] {
        let address = server(answer).await;
        let layer = BreakerLayer::new("upstream", policy()).unwrap();
        let client =
            Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
        let service = layer.layer(client);
        let call = || {
            let request = Request::get(format!("http://{address}/")).body(Empty::new()).unwrap();
            service.clone().oneshot(request)
        };
        for _ in 0..2 {
            assert_eq!(call().await.is_err(), fails, "{answer:?}");
        }
        let third = call().await.unwrap();
        let reason = third.extensions().get::<Rejected>().map(|rejected| rejected.reason());
        assert_eq!(reason, fails.then_some("open"), "{answer:?}");
        let totals = layer.handle().totals();
        assert_eq!((totals.failures, totals.successes), if fails { (2, 0) } else { (0, 3) });
    }
}

/// A gRPC service that is unavailable while it is told to be.
#[derive(Clone, Default)]
struct Flaky {
    is_unavailable: Arc<AtomicBool>,
}

impl NamedService for Flaky {
    const NAME: &'static str = "package.Service";
}

impl Service<Request<Body>> for Flaky {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let code = if self.is_unavailable.load(SeqCst) { "14" } else { "0" };
        let head = Response::builder().header(CONTENT_TYPE, "application/grpc");
        ready(Ok(head.header("grpc-status", code).body(Body::empty()).unwrap()))
    }
}

impl Flaky {
    /// Serves until it is told to stop.
    async fn serve(
        &self,
        address: SocketAddr,
    ) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::builder().add_routes(Routes::new(self.clone()));
        let serving = tokio::spawn(async move {
            let until = async { drop(stopped.await) };
            server.serve_with_incoming_shutdown(TcpIncoming::from(listener), until).await.unwrap();
        });
        (address, stop, serving)
    }
}

/// A tonic channel with a breaker around it, and its time in seconds.
struct Caller {
    service: buttress_breaker::Breaker<Channel>,
    handle: BreakerHandle,
    seconds: Arc<AtomicU64>,
}

impl Caller {
    fn new(address: SocketAddr) -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let (start, clock) = (Instant::now(), Arc::clone(&seconds));
        let layer = BreakerLayer::new("upstream", policy())
            .unwrap()
            .clock(move || start + Duration::from_secs(clock.load(SeqCst)));
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { service: layer.layer(channel), handle: layer.handle(), seconds }
    }

    /// The gRPC status, and why it was refused; no status where there was no answer.
    async fn call(&mut self) -> (Option<String>, Option<&'static str>) {
        let request = Request::post("http://upstream/package.Service/Method")
            .header(CONTENT_TYPE, "application/grpc")
            .body(Body::empty())
            .unwrap();
        let Ok(answer) = self.service.ready().await.unwrap().call(request).await else {
            return (None, None);
        };
        let reason = answer.extensions().get::<Rejected>().map(|rejected| rejected.reason());
        let status = answer.headers()["grpc-status"].to_str().unwrap().to_owned();
        answer.into_body().collect().await.unwrap();
        (Some(status), reason)
    }

    fn state(&self) -> State {
        self.handle.circuit().unwrap().state()
    }
}

fn status(code: &str) -> (Option<String>, Option<&'static str>) {
    (Some(code.to_owned()), None)
}

#[tokio::test]
async fn around_a_tonic_channel_a_service_that_is_unavailable_and_recovers() {
    let flaky = Flaky::default();
    let (address, _stop, _serving) = flaky.serve(([127, 0, 0, 1], 0).into()).await;
    let mut caller = Caller::new(address);
    assert_eq!(caller.call().await, status("0"));
    flaky.is_unavailable.store(true, SeqCst);
    for _ in 0..2 {
        assert_eq!(caller.call().await, status("14"));
    }
    assert_eq!(caller.call().await, (Some("14".to_owned()), Some("open")));
    // Its probe finds it as it was, and the next one finds it well.
    caller.seconds.fetch_add(5, SeqCst);
    assert_eq!((caller.call().await, caller.state()), (status("14"), State::Open));
    flaky.is_unavailable.store(false, SeqCst);
    caller.seconds.fetch_add(5, SeqCst);
    assert_eq!((caller.call().await, caller.state()), (status("0"), State::Closed));
    assert_eq!(caller.call().await, status("0"));
}

#[tokio::test]
async fn around_a_tonic_channel_a_server_that_is_gone_and_comes_back() {
    let flaky = Flaky::default();
    let (address, stop, serving) = flaky.serve(([127, 0, 0, 1], 0).into()).await;
    let mut caller = Caller::new(address);
    assert_eq!(caller.call().await, status("0"));
    stop.send(()).unwrap();
    serving.await.unwrap();
    for _ in 0..2 {
        assert_eq!(caller.call().await, (None, None));
    }
    assert_eq!(caller.call().await, (Some("14".to_owned()), Some("open")));
    let _again = flaky.serve(address).await;
    caller.seconds.fetch_add(5, SeqCst);
    assert_eq!((caller.call().await, caller.state()), (status("0"), State::Closed));
}
