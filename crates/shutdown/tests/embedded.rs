//! The course of it, within this process and on paused time.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use buttress_core::lifecycle::{Lifecycle, State};
use buttress_shutdown::{Cause, ConfigErrorKind, PhaseOutcome, Plan, Shutdown};
use bytes::Bytes;
use http::{Request, Response, Version, header::CONNECTION};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, duplex},
    time::{Instant, sleep},
};
use tower::{Layer, ServiceExt, service_fn};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn embedded() -> Shutdown {
    Shutdown::embedded(Plan::docker()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn triggered_three_times_it_runs_once() {
    let shutdown = embedded();
    let runs = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&runs);
    shutdown.phase("count", millis(10), async move { *counted.lock().unwrap() += 1 }).unwrap();
    assert_eq!([(); 3].map(|()| shutdown.trigger()), [true, false, false]);
    let (one, other) = tokio::join!(shutdown.wait(), shutdown.wait());
    assert_eq!(one.cause, Cause::Requested);
    assert_eq!((one.phases.len(), other.phases.len(), one.code()), (1, 1, 0));
    assert!(!shutdown.trigger());
    assert_eq!(*runs.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused() {
    let secs = Duration::from_secs;
    let day = secs(24 * 60 * 60);
    for (plan, kind) in [
        (Plan::docker().grace(Duration::ZERO), ConfigErrorKind::Time),
        (Plan::docker().drain(Duration::ZERO), ConfigErrorKind::Time),
        (Plan::docker().pre_stop(day + secs(1)), ConfigErrorKind::Time),
        (Plan::docker().grace(Duration::MAX), ConfigErrorKind::Time),
        (Plan::docker().drain(secs(9)), ConfigErrorKind::Fit),
        (Plan::kubernetes().grace(secs(20)), ConfigErrorKind::Fit),
    ] {
        let error = Shutdown::embedded(plan.clone()).unwrap_err();
        assert_eq!(error.kind(), kind, "{plan:?}: {error}");
        assert_eq!(plan.check().unwrap_err(), error, "it can be asked for before");
    }
    for (plan, left) in
        [(Plan::docker(), 3), (Plan::kubernetes(), 9), (Plan::docker().drain(secs(8)), 0)]
    {
        assert_eq!(plan.check().unwrap(), secs(left));
        assert!(Shutdown::embedded(plan).is_ok());
    }
}

#[test]
fn outside_of_a_runtime_it_is_refused() {
    let error = Shutdown::embedded(Plan::docker()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Runtime);
}

#[tokio::test]
async fn a_process_has_one() {
    let _one = Shutdown::new(Plan::docker()).unwrap();
    assert_eq!(Shutdown::new(Plan::docker()).unwrap_err().kind(), ConfigErrorKind::Signals);
}

#[tokio::test(start_paused = true)]
async fn phases_that_cannot_fit_or_come_late_are_refused() {
    let shutdown = embedded();
    let nothing = || async {};
    let kind = |refused: Result<(), buttress_shutdown::ConfigError>| refused.unwrap_err().kind();
    assert_eq!(kind(shutdown.phase("a", millis(3_001), nothing())), ConfigErrorKind::Fit);
    assert_eq!(kind(shutdown.phase("a", Duration::ZERO, nothing())), ConfigErrorKind::Time);
    shutdown.phase("a", millis(2_000), nothing()).unwrap();
    assert_eq!(kind(shutdown.phase("b", millis(1_001), nothing())), ConfigErrorKind::Fit);
    shutdown.phase("b", millis(1_000), nothing()).unwrap();
    shutdown.trigger();
    assert_eq!(shutdown.wait().await.phases.len(), 2);
    assert_eq!(kind(shutdown.phase("c", millis(1), nothing())), ConfigErrorKind::Late);
}

#[tokio::test(start_paused = true)]
async fn the_lifecycle_is_moved_on() {
    let lifecycle = Lifecycle::new();
    let plan = Plan::docker().pre_stop(millis(1_000)).lifecycle(&lifecycle);
    let shutdown = Shutdown::embedded(plan).unwrap();
    assert_eq!(shutdown.boot(async { 7 }).await, Some(7));
    assert_eq!(lifecycle.state(), State::Running);
    let (_peer, io) = duplex(64);
    let connection = shutdown.connection(io);
    shutdown.trigger();
    let start = Instant::now();
    lifecycle.reached(State::Draining).await;
    assert!(start.elapsed() < millis(10));
    shutdown.not_accepting().await;
    assert_eq!(start.elapsed(), millis(1_000));
    drop(connection);
    lifecycle.reached(State::Stopping).await;
    assert_eq!((shutdown.wait().await.drained, start.elapsed()), (1, millis(1_000)));
}

#[tokio::test(start_paused = true)]
async fn a_killed_connection_wakes_who_waits_for_it_and_fails_from_then_on() {
    let shutdown = embedded();
    let (mut peer, io) = duplex(64);
    let mut connection = shutdown.connection(io);
    let reader = tokio::spawn(async move {
        let error = connection.read_u8().await.unwrap_err();
        (error.kind(), connection.write_all(b"late").await.unwrap_err().kind())
    });
    shutdown.trigger();
    let aborted = std::io::ErrorKind::ConnectionAborted;
    assert_eq!(reader.await.unwrap(), (aborted, aborted));
    assert_eq!(peer.read(&mut [0; 8]).await.unwrap(), 0);
    let report = shutdown.wait().await;
    assert_eq!((report.drained, report.killed, report.code()), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn both_halves_of_a_killed_connection_are_woken() {
    let shutdown = embedded();
    let (_peer, io) = duplex(8);
    let (mut reader, mut writer) = tokio::io::split(shutdown.connection(io));
    // The writer waits first, for a peer that reads nothing; then the reader does.
    let writes = tokio::spawn(async move { writer.write_all(&[0; 64]).await.unwrap_err().kind() });
    sleep(millis(1)).await;
    let reads = tokio::spawn(async move { reader.read_u8().await.unwrap_err().kind() });
    sleep(millis(1)).await;
    shutdown.trigger();
    let aborted = std::io::ErrorKind::ConnectionAborted;
    assert_eq!((writes.await.unwrap(), reads.await.unwrap()), (aborted, aborted));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_without_end_is_killed_too() {
    let shutdown = embedded();
    let mut connection = shutdown.connection(tokio::io::repeat(0));
    let reader = tokio::spawn(async move {
        let mut scrap = [0; 64];
        while connection.read(&mut scrap).await.is_ok() {
            sleep(millis(10)).await;
        }
    });
    shutdown.trigger();
    assert_eq!(shutdown.wait().await.killed, 1);
    reader.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn tasks_are_told_after_the_drain_and_aborted_when_they_do_not_end() {
    let shutdown = embedded();
    let told = Arc::new(Mutex::new(None));
    let (start, at) = (Instant::now(), Arc::clone(&told));
    shutdown.spawn("outbox", |stop| async move {
        stop.cancelled().await;
        *at.lock().unwrap() = Some(start.elapsed());
    });
    shutdown.spawn("stubborn", |_| std::future::pending());
    shutdown.spawn("done long ago", |_| async {});
    let (_peer, io) = duplex(64);
    let connection = shutdown.connection(io);
    shutdown.trigger();
    tokio::spawn(async move {
        sleep(millis(700)).await;
        drop(connection);
    });
    let report = shutdown.wait().await;
    assert_eq!(*told.lock().unwrap(), Some(millis(700)));
    assert_eq!((report.aborted.as_slice(), report.code()), (&["stubborn".into()][..], 1));
    assert_eq!(report.took, millis(1_700));
}

#[tokio::test]
async fn a_task_that_panics_begins_the_shutdown() {
    let shutdown = embedded();
    shutdown.spawn("outbox", |_| async { panic!("out of luck") });
    let report = shutdown.wait().await;
    assert_eq!(report.cause, Cause::TaskPanicked("outbox".into()));
    assert_eq!((report.panicked.as_slice(), report.code()), (&["outbox".into()][..], 101));
}

#[tokio::test(start_paused = true)]
async fn a_phase_that_hangs_costs_its_own_time() {
    let shutdown = embedded();
    shutdown.phase("hangs", millis(400), std::future::pending::<()>()).unwrap();
    shutdown.phase("fails", millis(400), async { Err("no route") }).unwrap();
    shutdown.phase("works", millis(400), async { Ok::<(), &str>(()) }).unwrap();
    shutdown.trigger();
    let report = shutdown.wait().await;
    let outcomes: Vec<_> = report.phases.iter().map(|phase| phase.outcome.clone()).collect();
    let failed = PhaseOutcome::Failed("no route".to_owned());
    assert_eq!(outcomes, [PhaseOutcome::TimedOut, failed, PhaseOutcome::Done]);
    assert_eq!((report.took, report.code()), (millis(400), 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_return_is_left_behind() {
    let shutdown = embedded();
    shutdown.trigger();
    assert_eq!(shutdown.serve(std::future::pending::<()>()).await, None);
    assert_eq!(shutdown.serve(async { 7 }).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_in_flight_until_its_body_ends_or_is_dropped() {
    let answer = service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"body"))))
    });
    for ends in [true, false] {
        let shutdown = embedded();
        let drain = shutdown.layer().layer(answer);
        let response = drain.oneshot(Request::new(Empty::new())).await.unwrap();
        shutdown.trigger();
        tokio::spawn(async move {
            sleep(millis(300)).await;
            if ends {
                let mut body = response.into_body();
                body.frame().await.unwrap().unwrap();
                std::future::pending::<()>().await;
            }
        });
        let report = shutdown.wait().await;
        assert_eq!((report.unanswered, report.took), (0, millis(300)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_unanswered() {
    let answer = service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"body"))))
    });
    let shutdown = embedded();
    let response = shutdown.layer().layer(answer).oneshot(Request::new(Empty::new())).await;
    shutdown.trigger();
    assert_eq!(shutdown.wait().await.unanswered, 1);
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn close_is_said_on_http1_from_the_notice_on() {
    let answer = service_fn(|request: Request<Empty<Bytes>>| async move {
        let mut response = Response::new(Empty::<Bytes>::new());
        if request.uri().path() == "/ws" {
            *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        }
        Ok::<_, std::convert::Infallible>(response)
    });
    for (triggered, version, path, said) in [
        (false, Version::HTTP_11, "/", false),
        (true, Version::HTTP_11, "/", true),
        (true, Version::HTTP_10, "/", true),
        (true, Version::HTTP_2, "/", false),
        (true, Version::HTTP_11, "/ws", false),
    ] {
        let shutdown = embedded();
        if triggered {
            shutdown.trigger();
        }
        let mut request = Request::new(Empty::new());
        *request.version_mut() = version;
        *request.uri_mut() = path.parse().unwrap();
        let response = shutdown.layer().layer(answer).oneshot(request).await.unwrap();
        let close = response.headers().get(CONNECTION).is_some_and(|value| value == "close");
        assert_eq!(close, said, "{triggered} {version:?} {path}");
    }
}

struct PanickingWaker;

impl std::task::Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("a waker's own mistake");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_does_not_stop_the_course() {
    let shutdown = embedded();
    let waker = Waker::from(Arc::new(PanickingWaker));
    let mut cx = Context::from_waker(&waker);
    let mut waits =
        [State::Draining, State::Stopping].map(|state| shutdown.lifecycle().reached(state));
    for wait in &mut waits {
        assert!(Pin::new(wait).poll(&mut cx).is_pending());
    }
    shutdown.trigger();
    assert_eq!(shutdown.wait().await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_boot_that_is_dropped_is_gone_before_the_phases_run() {
    struct Pool(Arc<Mutex<bool>>);
    impl Drop for Pool {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }

    let (shutdown, dropped) = (embedded(), Arc::new(Mutex::new(false)));
    let seen = Arc::clone(&dropped);
    let close = async move { if *seen.lock().unwrap() { Ok(()) } else { Err("still in use") } };
    shutdown.phase("pool", millis(100), close).unwrap();
    let pool = Pool(dropped);
    let begins = shutdown.clone();
    let booted = shutdown
        .boot(async move {
            let _pool = pool;
            begins.trigger();
            std::future::pending::<()>().await;
        })
        .await;
    assert_eq!(booted, None);
    assert_ne!(shutdown.lifecycle().state(), State::Running);
    assert_eq!(shutdown.wait().await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_response_says_of_its_connection_stays_beside_close() {
    let answer = service_fn(|_: Request<Empty<Bytes>>| async {
        let response = Response::builder().status(http::StatusCode::UPGRADE_REQUIRED);
        let response = response.header("upgrade", "websocket").header(CONNECTION, "upgrade");
        Ok::<_, std::convert::Infallible>(response.body(Empty::<Bytes>::new()).unwrap())
    });
    let shutdown = embedded();
    shutdown.trigger();
    let response = shutdown.layer().layer(answer).oneshot(Request::new(Empty::new())).await;
    let said: Vec<_> = response.unwrap().headers().get_all(CONNECTION).iter().cloned().collect();
    assert_eq!(said, ["upgrade", "close"]);
}

/// It has read the head, asks for no more of the body, and has nothing to write.
#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_a_handler_only_is_woken_and_ends() {
    let shutdown = embedded();
    let (mut peer, io) = duplex(64 * 1024);
    peer.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999\r\n\r\n").await.unwrap();
    peer.write_all(&[0; 32 * 1024]).await.unwrap();
    let hangs = hyper::service::service_fn(|_body| {
        std::future::pending::<Result<Response<Empty<Bytes>>, std::convert::Infallible>>()
    });
    let server = hyper::server::conn::http1::Builder::new();
    let connection = TokioIo::new(shutdown.connection(io));
    let served = tokio::spawn(server.serve_connection(connection, hangs));
    sleep(millis(1)).await;
    shutdown.trigger();
    assert_eq!(shutdown.wait().await.killed, 1);
    assert!(served.is_finished(), "the handler would hold what the phases are to close");
    assert_eq!(shutdown.open_connections(), 0);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Silence;

impl AsyncRead for Silence {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_waker_panics_does_not_save_the_others() {
    let shutdown = embedded();
    let counts: Vec<Arc<Count>> = (0..6).map(|_| Arc::default()).collect();
    let mut connections = Vec::new();
    for count in &counts {
        for waker in [Waker::from(Arc::new(PanickingWaker)), Waker::from(Arc::clone(count))] {
            let mut connection = shutdown.connection(Silence);
            let (mut scrap, mut cx) = ([0; 8], Context::from_waker(&waker));
            let mut scrap = ReadBuf::new(&mut scrap);
            assert!(Pin::new(&mut connection).poll_read(&mut cx, &mut scrap).is_pending());
            connections.push(connection);
        }
    }
    shutdown.trigger();
    assert_eq!(shutdown.wait().await.killed, 12);
    for count in counts {
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}

#[derive(Debug)]
struct Untold;

impl std::fmt::Display for Untold {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("an error that cannot be told")
    }
}

impl std::error::Error for Untold {}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_told_is_a_failed_phase() {
    let shutdown = embedded();
    shutdown.phase("untold", millis(100), async { Err(Untold) }).unwrap();
    shutdown.phase("next", millis(100), async {}).unwrap();
    shutdown.trigger();
    let report = shutdown.wait().await;
    assert!(matches!(report.phases[0].outcome, PhaseOutcome::Failed(_)), "{report:?}");
    assert_eq!(report.phases[1].outcome, PhaseOutcome::Done);
}

#[derive(Debug)]
struct Db(std::io::Error);

impl std::fmt::Display for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("db error")
    }
}

impl std::error::Error for Db {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_with_its_sources() {
    let shutdown = embedded();
    let close = async { Err(Db(std::io::Error::other("no route to host"))) };
    shutdown.phase("postgres", millis(100), close).unwrap();
    shutdown.trigger();
    let outcome = shutdown.wait().await.phases.remove(0).outcome;
    assert_eq!(outcome, PhaseOutcome::Failed("db error: no route to host".to_owned()));
}

#[tokio::test]
async fn a_time_for_the_first_byte_that_cannot_be_is_refused() {
    let shutdown = embedded();
    let day = Duration::from_secs(24 * 60 * 60);
    for (time, refused) in [
        (Duration::ZERO, true),
        (millis(1), false),
        (day, false),
        (day + millis(1), true),
        (Duration::MAX, true),
    ] {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = shutdown.listener(tcp).first_byte(time);
        assert_eq!(listener.is_err_and(|no| no.kind() == ConfigErrorKind::Time), refused);
    }
}
