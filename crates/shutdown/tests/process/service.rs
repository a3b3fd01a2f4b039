//! The services: what the child does.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ws::{CloseFrame, Message, WebSocketUpgrade},
    routing::{any, get, post},
    serve::ListenerExt,
};
use buttress_core::lifecycle::State;
use buttress_shutdown::{Listener, Plan, Report, Shutdown};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
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
    if kind == "reraises" {
        report.reraise();
    }
    if kind == "hangs" {
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
        "phases" => {
            add_phases(&shutdown);
            serve(&shutdown, "axum").await;
        }
        "panics" => shutdown.spawn("outbox", |_| async { panic!("out of luck") }),
        "blocked" => block().await,
        "blocked log" => {
            tracing::subscriber::set_global_default(BlockedLog).unwrap();
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

/// A log whose lock is never given back.
struct BlockedLog;

impl tracing::Subscriber for BlockedLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("buttress_shutdown")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        loop {
            std::thread::park();
        }
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

/// Every thread of the runtime, and this one.
async fn block() {
    let blocked = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let blocked = Arc::clone(&blocked);
        tokio::spawn(async move {
            blocked.fetch_add(1, Ordering::SeqCst);
            loop {
                std::thread::park();
            }
        });
    }
    while blocked.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    println!("@blocked");
    loop {
        std::thread::park();
    }
}

fn router(shutdown: &Shutdown) -> Router {
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
    let (listener, app) = (shutdown.listener(tcp), router(shutdown));
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
