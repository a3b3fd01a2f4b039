//! Real processes, real signals, real sockets. A child is this very program, told by an
//! environment variable to be a service instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test is meant to panic, and a service tells its test what it does"
)]
#![cfg(all(feature = "axum", feature = "tonic"))]

#[path = "process/balancer.rs"]
mod balancer;
#[path = "process/child.rs"]
mod child;
#[path = "process/client.rs"]
mod client;
#[path = "process/service.rs"]
mod service;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::process::ExitStatusExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use balancer::Balancer;
use bytes::Bytes;
use child::Child;
use client::{closed_within, get, head, http2, open};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

const SOON: Duration = Duration::from_secs(2);

/// The child's `main`. Without its variable it is a test of nothing.
#[test]
fn service() {
    if let Ok(kind) = std::env::var("SHUTDOWN_TEST_SERVICE") {
        service::main(&kind);
    }
}

#[test]
fn a_clean_shutdown_exits_with_0() {
    for kind in ["axum", "hyper", "tonic"] {
        let mut child = Child::start(kind, &[]);
        child.port();
        child.signal("TERM");
        child.line("@report cause=SIGTERM drained=0 killed=0");
        assert_eq!(child.code(), 0, "{kind}");
    }
}

#[test]
fn an_idle_keep_alive_connection_closes_at_once() {
    for kind in ["axum", "hyper"] {
        let mut child = Child::start(kind, &[("DRAIN", 5_000)]);
        let mut stream = open(child.port());
        get(&mut stream, "/");
        assert!(head(&mut stream).starts_with("HTTP/1.1 200"), "{kind}");
        child.signal("TERM");
        assert!(closed_within(&mut stream, SOON), "{kind}");
        child.line("@report cause=SIGTERM drained=1 killed=0");
        assert_eq!(child.code(), 0);
    }
}

#[test]
fn a_thousand_requests_in_flight_complete_and_new_connections_are_refused() {
    let mut child = Child::start("axum", &[("DRAIN", 8_000), ("SLOW", 500), ("EXPECT", 1_000)]);
    let port = child.port();
    let mut streams: Vec<TcpStream> = (0..1_000)
        .map(|_| {
            let mut stream = open(port);
            get(&mut stream, "/slow");
            stream
        })
        .collect();
    child.line("@in flight");
    child.signal("TERM");
    child.line("@not accepting");
    let until = Instant::now() + SOON;
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < until, "it still listens");
    }
    for stream in &mut streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
    }
    child.line("@report cause=SIGTERM drained=1000 killed=0");
    assert_eq!(child.code(), 0);
}

#[test]
fn http2_requests_in_flight_complete() {
    for kind in ["axum", "hyper", "tonic"] {
        let mut child = Child::start(kind, &[("DRAIN", 5_000), ("SLOW", 200), ("EXPECT", 3)]);
        let port = child.port();
        let answers = http2(port, &["/slow", "/slow", "/slow"], || {
            child.line("@in flight");
            child.signal("TERM");
        });
        for answer in answers {
            assert_eq!(answer, Ok(("slow".to_owned(), None)), "{kind}");
        }
        child.line("@report cause=SIGTERM drained=1 killed=0");
        assert_eq!(child.code(), 0);
    }
}

#[test]
fn a_grpc_call_in_flight_completes_with_its_trailers() {
    for kind in ["tonic", "axum", "hyper"] {
        let mut child = Child::start(kind, &[("DRAIN", 5_000), ("SLOW", 200)]);
        let answers = http2(child.port(), &["/test.Slow/Call"], || {
            child.line("@in flight");
            child.signal("TERM");
        });
        let message = "\0\0\0\0\x02ok".to_owned();
        assert_eq!(answers, [Ok((message, Some("0".to_owned())))], "{kind}");
        child.line("@report cause=SIGTERM drained=1 killed=0");
        assert_eq!(child.code(), 0);
    }
}

#[test]
fn an_idle_http2_connection_closes_at_once() {
    for kind in ["tonic", "axum", "hyper"] {
        let mut child = Child::start(kind, &[("DRAIN", 9_000), ("GRACE", 20_000)]);
        let port = child.port();
        let start = Instant::now();
        http2(port, &[], || {
            child.accepted(1);
            // The preface has been read, and the server's own SETTINGS sent, by then or later.
            child.signal("TERM");
        });
        child.line("@report cause=SIGTERM drained=");
        assert_eq!(child.code(), 0, "{kind}");
        assert!(start.elapsed() < Duration::from_secs(8), "{kind}");
    }
}

/// What never ends by itself.
fn endless(what: &str, port: u16) -> TcpStream {
    let mut stream = open(port);
    match what {
        "partial head" => stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").unwrap(),
        "partial body" => {
            stream
                .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab")
                .unwrap();
        }
        "silence" => {}
        "preface" => stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap(),
        "events" => {
            get(&mut stream, "/events");
            assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
        }
        "websocket" => {
            stream.write_all(client::UPGRADE.replace("/ws", "/stubborn").as_bytes()).unwrap();
            assert!(head(&mut stream).starts_with("HTTP/1.1 101"));
        }
        other => panic!("{other}"),
    }
    stream
}

#[test]
fn what_never_ends_is_ended_by_the_drain_limit_and_reported_as_killed() {
    let limit = Duration::from_millis(600);
    for (kind, what) in [
        ("axum", "partial body"),
        ("axum", "events"),
        ("axum", "websocket"),
        ("axum", "preface"),
        ("hyper", "partial body"),
        ("hyper", "events"),
        ("hyper", "preface"),
        ("tonic", "preface"),
        ("tonic", "silence"),
    ] {
        let mut child = Child::start(kind, &[("DRAIN", 600)]);
        let mut stream = endless(what, child.port());
        child.accepted(1);
        let start = Instant::now();
        child.signal("TERM");
        assert!(closed_within(&mut stream, limit + SOON), "{kind}: {what}");
        assert!(start.elapsed() >= limit, "{kind}: {what} was cut short");
        child.line("@report cause=SIGTERM drained=0 killed=1");
        assert_eq!(child.code(), 0, "{kind}: {what}");
    }
}

#[test]
fn what_has_asked_for_nothing_yet_does_not_outlive_the_drain_limit() {
    for (kind, what) in [
        ("axum", "silence"),
        ("axum", "partial head"),
        ("hyper", "silence"),
        ("hyper", "partial head"),
    ] {
        let mut child = Child::start(kind, &[("DRAIN", 600)]);
        let mut stream = endless(what, child.port());
        child.accepted(1);
        child.signal("TERM");
        assert!(closed_within(&mut stream, Duration::from_millis(600) + SOON), "{kind}: {what}");
        child.line("@report cause=SIGTERM drained=");
        assert_eq!(child.code(), 0, "{kind}: {what}");
    }
}

#[test]
fn an_endless_grpc_stream_is_ended_by_the_drain_limit_and_reported_as_killed() {
    for kind in ["tonic", "axum"] {
        let mut child = Child::start(kind, &[("DRAIN", 500)]);
        let port = child.port();
        let answers = http2(port, &["/events"], || {
            child.accepted(1);
            child.line("@events");
            child.signal("TERM");
        });
        assert!(answers[0].is_err(), "{kind}");
        child.line("@report cause=SIGTERM drained=0 killed=1");
        assert_eq!(child.code(), 0);
    }
}

/// `grpc.health.v1.Health/Watch` of the crate for health.
const WATCH: &str = "/grpc.health.v1.Health/Watch";

#[test]
fn a_grpc_watch_is_ended_by_the_drain_limit_and_reported_as_killed() {
    for kind in ["tonic", "axum"] {
        let mut child = Child::start(kind, &[("DRAIN", 500)]);
        let start = Instant::now();
        let answers = http2(child.port(), &[WATCH], || {
            child.line("@answers");
            child.signal("TERM");
        });
        assert!(answers[0].is_err(), "{kind}: {answers:?}");
        assert!(start.elapsed() >= Duration::from_millis(500), "{kind}");
        child.line("@report cause=SIGTERM drained=0 killed=1");
        assert_eq!(child.code(), 0, "{kind}");
    }
}

#[test]
fn a_grpc_watch_that_is_told_of_the_drain_ends_by_itself() {
    let mut child = Child::start("tonic", &[("DRAIN", 8_000), ("WATCH_ENDS", 1)]);
    let answers = http2(child.port(), &[WATCH], || {
        child.line("@answers");
        child.signal("TERM");
    });
    let (messages, status) = answers[0].as_ref().unwrap();
    assert!(messages.ends_with("\0\0\0\0\x02\x08\x02"), "NOT_SERVING is 2: {messages:?}");
    assert_eq!(status.as_deref(), Some("0"));
    child.line("@report cause=SIGTERM drained=1 killed=0");
    assert_eq!(child.code(), 0);
}

#[test]
fn who_says_nothing_is_cut_off_and_who_has_spoken_is_not() {
    for kind in ["axum", "hyper", "tonic"] {
        let mut child = Child::start(kind, &[("FIRST_BYTE", 400)]);
        let port = child.port();
        // tonic's server has HTTP/2 only: a preface will do.
        let mut speaks = match kind {
            "tonic" => endless("preface", port),
            _ => endless("partial head", port),
        };
        let (mut silent, start) = (open(port), Instant::now());
        assert!(closed_within(&mut silent, SOON), "{kind}");
        assert!(start.elapsed() >= Duration::from_millis(390), "{kind}: {:?}", start.elapsed());
        assert!(!closed_within(&mut speaks, Duration::from_millis(300)), "{kind}");
        child.signal("TERM");
        assert_eq!(child.code(), 0);
    }
}

#[test]
fn out_of_descriptors_it_accepts_again_once_there_are_some() {
    for kind in ["axum", "hyper", "tonic"] {
        let mut child = Child::start_by("ulimit -n 40; exec \"$@\"", kind, &[("DRAIN", 500)]);
        let port = child.port();
        // The kernel takes in what the process cannot.
        let crowd: Vec<TcpStream> = (0..60).map(|_| open(port)).collect();
        child.accepted(1);
        drop(crowd);
        let mut stream = open(port);
        match kind {
            "tonic" => {
                stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
                let mut frame = [0; 9];
                stream.read_exact(&mut frame).unwrap();
                assert_eq!(frame[3], 4, "SETTINGS");
            }
            _ => {
                get(&mut stream, "/");
                assert!(head(&mut stream).starts_with("HTTP/1.1 200"), "{kind}");
            }
        }
        child.signal("TERM");
        assert_eq!(child.code(), 0, "{kind}");
    }
}

#[test]
fn a_websocket_peer_sees_close_1001() {
    let mut child = Child::start("axum", &[("DRAIN", 5_000)]);
    let mut stream = open(child.port());
    stream.write_all(client::UPGRADE.as_bytes()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 101"));
    child.line("@ws");
    child.signal("TERM");
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame, [0x88, 2, 0x03, 0xe9], "FIN and Close; two bytes; 1001");
    // The peer's own Close, masked with zeroes.
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).unwrap();
    child.line("@report cause=SIGTERM drained=1 killed=0");
    assert_eq!(child.code(), 0);
}

#[test]
fn during_pre_stop_it_serves_and_says_close() {
    let mut child = Child::start("axum", &[("PRE_STOP", 3_000), ("DRAIN", 1_000)]);
    let port = child.port();
    let mut before = open(port);
    get(&mut before, "/");
    assert!(!head(&mut before).contains("connection: close"));
    child.signal("TERM");
    child.line("@notified Draining");
    let mut during = open(port);
    get(&mut during, "/");
    let answer = head(&mut during);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(child.code(), 0);
}

#[test]
fn the_second_signal_ends_the_process_at_once() {
    for (signals, code) in [(["TERM", "TERM"], 143), (["INT", "INT"], 130), (["TERM", "INT"], 130)]
    {
        let mut child = Child::start("axum", &[("DRAIN", 8_000)]);
        let _stream = endless("events", child.port());
        child.signal(signals[0]);
        child.line("@not accepting");
        let start = Instant::now();
        child.signal(signals[1]);
        assert_eq!(child.code(), code);
        assert!(start.elapsed() < SOON);
    }
}

#[test]
fn with_every_worker_blocked_the_second_signal_ends_the_process() {
    let mut child = Child::start("blocked", &[("GRACE", 20_000)]);
    child.line("@blocked");
    child.signal("TERM");
    assert!(child.lives_for(Duration::from_millis(200)), "the first one is no end");
    child.signal("TERM");
    assert_eq!(child.code(), 143);
}

#[test]
fn with_every_worker_blocked_the_deadline_ends_the_process_in_time() {
    // Long enough for the kernel's coarse timers to be late by more than the margin.
    let mut child = Child::start("blocked", &[("GRACE", 20_000), ("DRAIN", 100)]);
    child.line("@blocked");
    let start = Instant::now();
    child.signal("TERM");
    assert_eq!(child.code(), 1);
    let took = start.elapsed();
    assert!(Duration::from_secs(19) <= took && took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn with_the_log_blocked_the_deadline_ends_the_process_in_time() {
    let mut child = Child::start("blocked log", &[("GRACE", 8_000), ("DRAIN", 100)]);
    child.port();
    let start = Instant::now();
    child.signal("TERM");
    assert_eq!(child.code(), 1);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn with_a_waker_that_blocks_the_deadline_ends_the_process_in_time() {
    let mut child = Child::start("blocked waker", &[("GRACE", 8_000), ("DRAIN", 100)]);
    child.port();
    let start = Instant::now();
    child.signal("TERM");
    assert_eq!(child.code(), 1);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn with_all_the_grace_used_up_the_report_comes_before_the_deadline() {
    // 7.2 s of eight may be used, and a log that is slow comes on top.
    let times = [("GRACE", 8_000), ("DRAIN", 900), ("TASKS", 300), ("PHASE", 6_000), ("LOG", 200)];
    let mut child = Child::start("uses it all", &times);
    let _stream = endless("partial body", child.port());
    child.accepted(1);
    child.signal("TERM");
    child.line("@report cause=SIGTERM drained=0 killed=1");
    child.line("@outcome hangs TimedOut");
    assert_eq!(child.code(), 1);
}

#[test]
fn a_runtime_that_comes_late_to_it_clips_the_phases_and_reports_in_time() {
    let times = [("GRACE", 8_000), ("BUSY", 3_000), ("PHASE", 6_000)];
    let mut child = Child::start("busy", &times);
    child.line("@blocked");
    child.signal("TERM");
    child.line("@report cause=SIGTERM");
    child.line("@outcome hangs TimedOut");
    assert_eq!(child.code(), 1);
}

#[test]
fn a_panic_in_a_handler_is_no_shutdown() {
    let mut child = Child::start("axum", &[]);
    let port = child.port();
    let mut crafted = open(port);
    get(&mut crafted, "/panic");
    assert!(closed_within(&mut crafted, SOON));
    let mut stream = open(port);
    get(&mut stream, "/");
    assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
    child.signal("TERM");
    assert_eq!(child.code(), 0);
}

#[test]
fn with_the_panic_hook_a_panic_anywhere_exits_with_101() {
    let mut child = Child::start("hooked", &[]);
    let mut crafted = open(child.port());
    get(&mut crafted, "/panic");
    child.line("@report cause=panicked at ");
    assert_eq!(child.code(), 101);
}

/// Where this user may make a process the first one of a namespace.
#[test]
fn reraised_by_the_first_process_of_a_container_it_exits_with_143() {
    let may = std::process::Command::new("unshare").args(["-rpf", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return;
    }
    let mut child = Child::start_by("exec unshare -rpf \"$@\"", "first process", &[]);
    child.line("@first 1 Ok");
    assert_eq!(child.code(), 143);
}

#[test]
fn reraised_the_process_ends_by_the_signal() {
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let mut child = Child::start("reraises", &[]);
        child.port();
        child.signal(name);
        assert_eq!(child.status().signal(), Some(number));
    }
}

#[test]
fn a_main_that_hangs_after_the_report_is_ended_by_the_deadline() {
    let mut child = Child::start("hangs", &[("GRACE", 1_000), ("DRAIN", 100)]);
    child.port();
    child.signal("TERM");
    child.line("@report");
    assert_eq!(child.code(), 1);
}

#[test]
fn a_supervised_panic_exits_with_101() {
    let mut child = Child::start("panics", &[]);
    child.line("@report cause=task outbox panicked");
    assert_eq!(child.code(), 101);
}

#[test]
fn phases_run_in_order_and_none_stops_the_next() {
    let mut child = Child::start("phases", &[("GRACE", 8_000)]);
    child.port();
    let start = Instant::now();
    child.signal("TERM");
    child.line("@phase first");
    child.line("@phase fails");
    child.line("@phase panics");
    child.line("@phase hangs");
    child.line("@phase blocks");
    child.line("@phase last");
    child.line("@outcome first Done");
    child.line("@outcome fails Failed(\"no route\")");
    child.line("@outcome panics Failed(");
    child.line("@outcome hangs TimedOut");
    child.line("@outcome blocks TimedOut");
    child.line("@outcome last Done");
    assert_eq!(child.code(), 1);
    assert!(start.elapsed() < Duration::from_secs(3), "two hung ones cost their 300 ms each");
}

#[test]
fn a_signal_during_boot_ends_the_boot_cleanly() {
    let mut child = Child::start("boots", &[("GRACE", 10_000), ("PRE_STOP", 4_000)]);
    child.line("@booting");
    let start = Instant::now();
    child.signal("TERM");
    child.line("@boot dropped");
    child.line("@phase opened during boot");
    child.line("@report cause=SIGTERM");
    assert_eq!(child.code(), 0);
    assert!(start.elapsed() < Duration::from_secs(2), "no pre-stop where nothing was served");
}

/// Keep-alive connections, request upon request, until told: how many were answered.
async fn load(port: u16, stop: Arc<AtomicBool>) -> Result<usize, String> {
    let mut answered = 0;
    while !stop.load(Ordering::SeqCst) {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        // Not ready is what `Connection: close` does to a client: it takes a new connection.
        while client.ready().await.is_ok() && !stop.load(Ordering::SeqCst) {
            let request = http::Request::get("/").header("host", "a").body(Empty::<Bytes>::new());
            let answer = client.send_request(request.unwrap()).await;
            let answer = answer.map_err(|error| format!("after {answered}: {error:?}"))?;
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| format!("after {answered}: {error:?}"))?;
            if body.to_bytes() != "hello" {
                return Err("another answer".to_owned());
            }
            answered += 1;
        }
    }
    Ok(answered)
}

#[test]
fn a_rolling_restart_of_two_instances_fails_no_request() {
    let instance = || Child::start("axum", &[("PRE_STOP", 800), ("DRAIN", 2_000)]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let balancer = Balancer::default();
        let mut instances = Vec::new();
        for _ in 0..2 {
            let child = instance();
            let port = child.port();
            balancer.add(port);
            instances.push((child, port));
        }
        let port = balancer.start().await;
        balancer.until_ready(2).await;

        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..8).map(|_| tokio::spawn(load(port, Arc::clone(&stop)))).collect();
        for (mut old, old_port) in instances {
            let new = tokio::task::block_in_place(|| {
                old.signal("TERM");
                old.line("@report cause=SIGTERM drained=");
                assert_eq!(old.code(), 0);
                instance()
            });
            balancer.remove(old_port);
            balancer.add(new.port());
            balancer.until_ready(2).await;
            // It serves to the end of the test.
            drop(tokio::spawn(async move {
                let _new = new;
                std::future::pending::<()>().await;
            }));
        }
        stop.store(true, Ordering::SeqCst);
        for load in loads {
            let answered = load.await.unwrap();
            assert!(answered.as_ref().is_ok_and(|answered| *answered > 100), "{answered:?}");
        }
    });
}
