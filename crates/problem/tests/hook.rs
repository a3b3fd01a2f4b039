//! The panic hook. It is the process's, so it has a test binary of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    cell::Cell,
    convert::Infallible,
    fmt,
    panic::{catch_unwind, resume_unwind, set_hook, take_hook},
    sync::{Mutex, Once},
    thread,
};

use buttress_core::context::{InRequest, RequestContext, in_request};
use buttress_problem::{ProblemLayer, install_panic_hook};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use support::{Log, SECRET};
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{layer, prelude::*, registry};

mod support;

thread_local! {
    /// How often the hook before ours was called on this thread.
    static PREVIOUS: Cell<u32> = const { Cell::new(0) };
}

type Answer = Result<Response<Full<Bytes>>, Infallible>;

async fn answer(layer: ProblemLayer, panics: fn()) -> Bytes {
    let service = layer.layer(service_fn(|_: Request<()>| async {
        panics();
        Answer::Ok(Response::default())
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            PREVIOUS.set(PREVIOUS.get() + 1);
            usual(panic);
        }));
        install_panic_hook();
    });
    install_panic_hook();
}

fn request() -> RequestContext {
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static("r-1"));
    request
}

#[tokio::test]
async fn a_panic_that_the_layer_catches_is_one_event_with_its_place() {
    install();
    let (log, _listening) = Log::listen();
    let served = answer(ProblemLayer::new(), || panic!("here"));
    let body = InRequest::new(Some(request()), served).await;
    let line = log.line();
    assert_eq!((line.level, line.target), (Level::ERROR, "panic"));
    assert_eq!((line.field("error"), line.field("request_id")), ("here", "r-1"));
    assert_eq!((line.field("error_type"), line.get("thread")), ("panic", thread::current().name()));
    let at = line.field("at");
    assert!(at.contains("tests/hook.rs:") && at.split(':').count() == 3, "{at}");
    assert!(!body.windows(7).any(|part| part == b"hook.rs"));
    assert_eq!(PREVIOUS.get(), 0, "nothing is written past the log");
}

#[tokio::test]
async fn a_panic_that_nobody_of_ours_catches_is_one_event_too() {
    install();
    let (log, _listening) = Log::listen();

    // Outside of any request.
    let _ = catch_unwind(|| panic!("outside"));
    let line = log.take_line();
    assert_eq!((line.field("error"), line.get("request_id")), ("outside", None));

    // In a task that a request has spawned, in its context or without.
    request().scope(|| tokio::spawn(in_request(async { panic!("spawned") }))).await.unwrap_err();
    let line = log.take_line();
    assert_eq!((line.field("error"), line.field("request_id")), ("spawned", "r-1"));
    tokio::spawn(async { panic!("spawned alone") }).await.unwrap_err();
    assert_eq!(log.take_line().field("error"), "spawned alone");

    // By the service itself; and one of `resume_unwind` is not taken for that, nor lost.
    answer(ProblemLayer::new(), || {
        let _ = catch_unwind(|| panic!("caught by the service"));
        resume_unwind(Box::new("told to no hook"));
    })
    .await;
    let lines = log.lines();
    let [caught, resumed] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(caught.field("error"), "caught by the service");
    assert_eq!((resumed.field("error"), resumed.get("at")), ("told to no hook", None));
    assert_eq!(PREVIOUS.get(), 0);
}

#[tokio::test]
async fn the_panic_of_a_payloads_own_drop_is_another() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(1);
        }
    }
    install();
    let (log, _listening) = Log::listen();
    let layer = ProblemLayer::new().development();
    let body = answer(layer, || std::panic::panic_any(Bomb)).await;
    let line = line!() - 1;
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let at = document["at"].as_str().unwrap();
    assert!(at.contains(&format!("tests/hook.rs:{line}:")), "{at}");
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test]
async fn in_development_the_client_is_told_the_place_too() {
    install();
    let (_log, _listening) = Log::listen();
    let body = answer(ProblemLayer::new().development(), || panic!("here")).await;
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(document["at"].as_str().unwrap().contains("tests/hook.rs:"));
    assert_eq!(document["detail"], "here");
}

#[test]
fn the_event_is_in_the_span_in_which_it_panicked() {
    install();
    let (log, _listening) = Log::listen();
    let _ = catch_unwind(|| tracing::info_span!("checkout").in_scope(|| panic!("{SECRET}")));
    let line = log.line();
    assert_eq!((line.field("error"), line.span), (SECRET, Some("checkout")));
}

#[test]
fn where_nobody_listens_the_hook_before_is_told() {
    install();
    support::init();
    // No subscriber, and one that wants no errors of this target.
    let _ = catch_unwind(|| panic!("to nobody"));
    assert_eq!(PREVIOUS.get(), 1);
    let (log, _listening) = Log::listen_from(LevelFilter::OFF);
    let _ = catch_unwind(|| panic!("to the deaf"));
    assert_eq!((PREVIOUS.get(), log.lines().len()), (2, 0));
}

/// Formats each event while it holds its lock, as a careless one does, and panics if it is poisoned.
struct Careless(Mutex<()>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Careless {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let _held = self.0.lock().unwrap();
        let mut said = String::new();
        event.record(&mut |_: &tracing::field::Field, value: &dyn fmt::Debug| {
            said.push_str(&format!("{value:?}"));
        });
    }
}

#[test]
fn a_subscriber_that_panics_at_every_event_aborts_nothing() {
    install();
    support::init();
    // Poisoned from the start.
    let careless = Careless(Mutex::new(()));
    thread::scope(|scope| {
        let poison = || {
            let _held = careless.0.lock();
            resume_unwind(Box::new(()));
        };
        scope.spawn(poison).join().unwrap_err();
    });
    let _listening = registry().with(careless).set_default();
    // The event panics, and so does what would log that.
    let payload = catch_unwind(|| tracing::info!("an event")).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("PoisonError"));
    assert_eq!(PREVIOUS.get(), 1);
}
