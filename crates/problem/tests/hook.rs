//! The panic hook. It is the process's, so it has a test binary of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    panic::{catch_unwind, resume_unwind, set_hook},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use buttress_problem::{ProblemLayer, install_panic_hook};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use support::Log;
use tower::{Layer, ServiceExt, service_fn};

mod support;

static PREVIOUS: AtomicU32 = AtomicU32::new(0);

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
    set_hook(Box::new(|_| {
        PREVIOUS.fetch_add(1, SeqCst);
    }));
    install_panic_hook();
    install_panic_hook();
}

/// One test: they would share the process's hook.
#[tokio::test]
async fn the_log_has_file_line_and_column_of_the_panic_itself() {
    install();
    let (log, _listening) = Log::listen();
    let body = answer(ProblemLayer::new(), || panic!("here")).await;
    let at = log.line().field("at").to_owned();
    assert!(at.contains("tests/hook.rs:") && at.split(':').count() == 3, "{at}");
    assert!(!body.windows(7).any(|part| part == b"hook.rs"));
    assert_eq!(PREVIOUS.load(SeqCst), 1, "the hook before ours is called, and once");

    // One that the service itself has caught is not taken for another's.
    let (log, _listening) = Log::listen();
    answer(ProblemLayer::new(), || {
        let _ = catch_unwind(|| panic!("caught by the service"));
        resume_unwind(Box::new("told to no hook"));
    })
    .await;
    let line = log.line();
    assert_eq!((line.field("error"), line.get("at")), ("told to no hook", None));

    // Nor is one of the payload's own drop.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(1);
        }
    }
    let (log, _listening) = Log::listen();
    let line = line!() + 1;
    answer(ProblemLayer::new(), || std::panic::panic_any(Bomb)).await;
    assert!(log.line().field("at").contains(&format!("tests/hook.rs:{line}:")));

    // In development the client is told too.
    let body = answer(ProblemLayer::new().development(), || panic!("here")).await;
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(document["at"].as_str().unwrap().contains("tests/hook.rs:"));
    assert_eq!(document["detail"], "here");

    // Outside of a request nothing is kept, and the hook before ours still told.
    let before = PREVIOUS.load(SeqCst);
    let _ = catch_unwind(|| panic!("outside"));
    assert_eq!(PREVIOUS.load(SeqCst), before + 1);
}
