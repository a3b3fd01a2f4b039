//! Backtraces, which the environment has to ask for before the process begins.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{convert::Infallible, process::Command};

use buttress_problem::{Failure, ProblemLayer, install_panic_hook};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use support::Log;
use tower::{Layer, ServiceExt, service_fn};
use tracing::level_filters::LevelFilter;

mod support;

const NAME: &str = "backtraces_are_for_developers_and_debug_logs";
const HERE: &str = "tests/backtrace.rs";
const ASKED: &str = "RUST_LIB_BACKTRACE";

/// Whether the document and the log, from this level on, have a backtrace that names this file.
async fn shown(
    layer: ProblemLayer,
    level: LevelFilter,
    answer: fn() -> Response<Full<Bytes>>,
) -> (bool, bool) {
    let (log, _listening) = Log::listen_from(level);
    let service = layer.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer()) }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let told = document.get("backtrace").is_some_and(|lines| lines.to_string().contains(HERE));
    (told, log.line().get("backtrace").is_some_and(|text| text.contains(HERE)))
}

/// Runs itself with what asks for backtraces.
#[tokio::test]
async fn backtraces_are_for_developers_and_debug_logs() {
    if std::env::var_os(ASKED).is_none_or(|asked| asked != "1") {
        let itself = std::env::current_exe().unwrap();
        let ran = Command::new(itself).args(["--exact", NAME]).env(ASKED, "1").output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        return;
    }
    install_panic_hook();
    for answer in [|| Failure::internal("x").into_http(), || panic!("x")] {
        let (info, debug) = (LevelFilter::INFO, LevelFilter::DEBUG);
        assert_eq!(shown(ProblemLayer::new(), info, answer).await, (false, false));
        assert_eq!(shown(ProblemLayer::new(), debug, answer).await, (false, true));
        assert_eq!(shown(ProblemLayer::new().development(), info, answer).await, (true, true));
    }
}
