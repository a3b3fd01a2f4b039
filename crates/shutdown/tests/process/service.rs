//! The services: what the child does.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::ws::{CloseFrame, Message, WebSocketUpgrade},
    middleware::map_response,
    routing::{any, get, post},
    serve::ListenerExt,
};
use buttress_core::lifecycle::State;
use buttress_health::{GrpcHealth, Registry};
use buttress_shutdown::{Listener, Plan, Report, Shutdown};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};

pub(crate) fn main(kind: &str) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let report = runtime.block_on(run(kind));
    println!("@report cause={} drained={} killed={}", report.cause, report.drained, report.killed);
    for phase in &report.phases {
        println!("@outcome {} {:?}", phase.name, phase.outcome);
    }
    if kind == "reraises" || kind == "first process" {
        report.reraise();
    }
    if kind == "hangs" || kind == "blocked waker" {
        runtime.spawn_blocking(|| {
            loop {
                std::thread::park();
            }
        });
        drop(runtime);
    }
    std::process::exit(report.code().into());
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |number| number.parse().unwrap())
}

fn millis(name: &str, default: u64) -> Duration {
    Duration::from_millis(number(name, default))
}

async fn run(kind: &str) -> Report {
    let plan = Plan::default()
        .grace(millis("GRACE", 10_000))
        .pre_stop(millis("PRE_STOP", 0))
        .drain(millis("DRAIN", 500))
        .tasks(millis("TASKS", 200));
    let shutdown = Shutdown::new(plan).unwrap();
    match kind {
        "axum" | "hyper" | "tonic" | "hangs" | "reraises" => serve(&shutdown, kind).await,
        "first process" => {
            let sent = std::process::Command::new("sh").args(["-c", "kill -TERM 1"]).status();
            println!("@first {} {sent:?}", std::process::id());
        }
        "hooked" => {
            shutdown.install_panic_hook();
            serve(&shutdown, "axum").await;
        }
        "blocked waker" => {
            let waker = Waker::from(Arc::new(BlockedWaker));
            let mut told = Box::pin(shutdown.notified());
            assert!(told.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            serve(&shutdown, "axum").await;
        }
        "busy" => {
            shutdown.phase("hangs", millis("PHASE", 0), pending::<()>()).unwrap();
            block(millis("BUSY", 0)).await;
        }
        "uses it all" => {
            tracing::subscriber::set_global_default(SlowLog(millis("LOG", 0))).unwrap();
            shutdown.spawn("stubborn", |_| pending());
            shutdown.phase("hangs", millis("PHASE", 0), pending::<()>()).unwrap();
            serve(&shutdown, "axum").await;
        }
        "phases" => {
            add_phases(&shutdown);
            serve(&shutdown, "axum").await;
        }
        "panics" => shutdown.spawn("outbox", |_| async { panic!("out of luck") }),
        "blocked" => block(Duration::MAX).await,
        "blocked log" => {
            tracing::subscriber::set_global_default(SlowLog(Duration::MAX)).unwrap();
            serve(&shutdown, "axum").await;
        }
        "boots" => {
            let booting = async {
                shutdown.phase("boot", millis("", 100), said("opened during boot")).unwrap();
                let _dropped = Dropped;
                println!("@booting");
                pending::<()>().await;
            };
            assert!(shutdown.boot(booting).await.is_none());
        }
        other => panic!("{other}"),
    }
    shutdown.wait().await
}

/// Of an executor whose lock is never given back.
struct BlockedWaker;

impl Wake for BlockedWaker {
    fn wake(self: Arc<Self>) {
        loop {
            std::thread::park();
        }
    }
}

/// A log that takes so long for an event, or whose lock is never given back.
struct SlowLog(Duration);

impl tracing::Subscriber for SlowLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("buttress_shutdown")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        block_thread(self.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        println!("@boot dropped");
    }
}

async fn said(what: &'static str) {
    println!("@phase {what}");
}

fn add_phases(shutdown: &Shutdown) {
    let time = Duration::from_millis(300);
    shutdown.phase("first", time, said("first")).unwrap();
    let fails = async {
        said("fails").await;
        Err("no route")
    };
    shutdown.phase("fails", time, fails).unwrap();
    let panics = async {
        said("panics").await;
        panic!("on purpose");
    };
    shutdown
        .phase::<_>("panics", time, async {
            panics.await;
        })
        .unwrap();
    let hangs = async {
        said("hangs").await;
        pending::<()>().await;
    };
    shutdown.phase("hangs", time, hangs).unwrap();
    let blocks = async {
        said("blocks").await;
        std::thread::park_timeout(Duration::from_secs(4));
    };
    shutdown.phase("blocks", time, blocks).unwrap();
    shutdown.phase("last", time, said("last")).unwrap();
}

fn block_thread(time: Duration) {
    let start = Instant::now();
    while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Every thread of the runtime, and this one.
async fn block(time: Duration) {
    let blocked = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let blocked = Arc::clone(&blocked);
        tokio::spawn(async move {
            blocked.fetch_add(1, Ordering::SeqCst);
            block_thread(time);
        });
    }
    while blocked.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    println!("@blocked");
    block_thread(time);
}

async fn panics() -> StatusCode {
    panic!("a crafted request")
}

/// One message, `ok`, and the status in the trailers.
async fn grpc_slow(shutdown: &Shutdown) -> http::Response<Body> {
    let told = shutdown.not_accepting();
    println!("@in flight");
    told.await;
    tokio::time::sleep(millis("SLOW", 200)).await;
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from_static(b"\0\0\0\0\x02ok")), Frame::trailers(trailers)];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
    let mut response = http::Response::new(Body::new(body));
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    response
}

/// `grpc.health.v1`, which ends its streams at the drain only where it is told of it.
fn grpc_health(shutdown: &Shutdown) -> Router {
    let mut registry = Registry::new();
    if number("WATCH_ENDS", 0) == 1 {
        registry = registry.lifecycle(&shutdown.lifecycle());
    }
    let (health, _) = registry.split();
    tonic::service::Routes::new(GrpcHealth::new(&health)).into_axum_router().layer(map_response(
        |response: http::Response<Body>| async {
            println!("@answers");
            response
        },
    ))
}

fn router(shutdown: &Shutdown) -> Router {
    let grpc = shutdown.clone();
    let (slow, events, ws) = (shutdown.clone(), Arc::new(AtomicUsize::new(0)), shutdown.clone());
    let lifecycle = shutdown.lifecycle();
    lifecycle.advance(State::Running);
    Router::new()
        .route("/", any(|| async { "hello" }))
        .route(
            "/ready",
            get(move || async move {
                match lifecycle.state() {
                    State::Running => StatusCode::OK,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                }
            }),
        )
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/panic", any(panics))
        .route("/test.Slow/Call", any(move || async move { grpc_slow(&grpc).await }))
        .route(
            "/slow",
            any(move || async move {
                let told = slow.not_accepting();
                if events.fetch_add(1, Ordering::SeqCst) as u64 + 1 == number("EXPECT", 1) {
                    println!("@in flight");
                }
                told.await;
                tokio::time::sleep(millis("SLOW", 200)).await;
                "slow"
            }),
        )
        .route(
            "/events",
            any(|| async {
                println!("@events");
                let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"data: 1\n\n"))]);
                Body::from_stream(first.chain(stream::pending()))
            }),
        )
        .route(
            "/ws",
            get(|upgrade: WebSocketUpgrade| async move {
                upgrade.on_upgrade(|mut socket| async move {
                    let told = ws.not_accepting();
                    println!("@ws");
                    told.await;
                    let close = CloseFrame { code: 1001, reason: "".into() };
                    let _ = socket.send(Message::Close(Some(close))).await;
                    while let Some(Ok(_)) = socket.recv().await {}
                })
            }),
        )
        .route(
            "/stubborn",
            get(|upgrade: WebSocketUpgrade| async {
                upgrade.on_upgrade(|mut socket| async move {
                    while let Some(Ok(message)) = socket.recv().await {
                        let _ = socket.send(message).await;
                    }
                })
            }),
        )
        .merge(grpc_health(shutdown))
        .layer(shutdown.layer())
}

async fn serve(shutdown: &Shutdown, kind: &str) {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("@port {}", tcp.local_addr().unwrap().port());
    let (notified, told) = (shutdown.notified(), shutdown.not_accepting());
    let lifecycle = shutdown.lifecycle();
    tokio::spawn(async move {
        notified.await;
        lifecycle.reached(State::Draining).await;
        println!("@notified {:?}", lifecycle.state());
        told.await;
        println!("@not accepting");
    });
    let listener = shutdown.listener(tcp).first_byte(millis("FIRST_BYTE", 60_000)).unwrap();
    let app = router(shutdown);
    match kind {
        "hyper" => hyper(shutdown, listener, app).await,
        "tonic" => {
            let served = tonic::transport::Server::builder()
                .add_routes(tonic::service::Routes::from(app))
                .serve_with_incoming_shutdown(
                    listener.inspect(|_| println!("@accepted 1")),
                    shutdown.not_accepting(),
                );
            let _ = shutdown.serve(served).await;
        }
        _ => {
            let accepted = AtomicUsize::new(0);
            let listener = listener.tap_io(move |_| {
                println!("@accepted {}", accepted.fetch_add(1, Ordering::SeqCst) + 1);
            });
            let served =
                axum::serve(listener, app).with_graceful_shutdown(shutdown.not_accepting());
            let _ = shutdown.serve(served).await;
        }
    }
}

async fn hyper(shutdown: &Shutdown, mut listener: Listener, app: Router) {
    let graceful = GracefulShutdown::new();
    while let Some((io, _)) = listener.accept().await {
        println!("@accepted 1");
        let server = auto::Builder::new(TokioExecutor::new());
        let service = TowerToHyperService::new(app.clone());
        let connection = server.serve_connection(TokioIo::new(io), service).into_owned();
        tokio::spawn(graceful.watch(connection));
    }
    shutdown.serve(graceful.shutdown()).await;
}
