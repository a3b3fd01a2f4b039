//! What the guide and the recipe say of probes and of the end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{convert::Infallible, fs, path::Path, time::Duration};

use axum::body::Body;
use buttress::{
    health::{Entry, FnCheck, HealthLayer, Registry},
    lifecycle::{Lifecycle, State},
    shutdown::{Plan, Shutdown},
    source::CheckReport,
};
use http::{Request, StatusCode};
use tower::ServiceExt;

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What comes after each `before`, up to `after`.
fn between<'a>(page: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    page.split(before).skip(1).map(|rest| rest.split(after).next().unwrap()).collect()
}

#[tokio::test]
async fn each_path_that_a_platform_is_told_of_is_a_probe() {
    let guide = page("guide/lifecycle.md");
    let recipe = page("recipes/rolling-restart.md");
    let mut paths = between(&guide, "httpGet: {path: ", ",");
    assert_eq!(paths, ["/startupz", "/livez", "/readyz"]);
    paths.extend(between(&recipe, "httpchk GET ", "\n"));
    paths.extend(between(&recipe, "$host:3000", "\""));
    paths.extend(between(&recipe, "health::probe(\"http://127.0.0.1:3000", "\""));
    assert_eq!(paths.len(), 6);

    let lifecycle = Lifecycle::new();
    lifecycle.advance(State::Running);
    let (health, _runner) = Registry::new().lifecycle(&lifecycle).split();
    let service = HealthLayer::new(&health).into_service();
    for path in paths {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_plans_of_the_pages_fit_what_their_platforms_give() {
    let guide = page("guide/lifecycle.md");
    assert_eq!(between(&guide, "terminationGracePeriodSeconds: ", "\n"), ["30"]);
    assert_eq!(between(&guide, "\"stopTimeout\": ", ","), ["30"]);
    let secs = Duration::from_secs;
    for plan in [
        Plan::kubernetes().pre_stop(secs(5)).drain(secs(15)),
        Plan::kubernetes().grace(secs(30)).pre_stop(secs(5)).drain(secs(15)),
        Plan::kubernetes().grace(secs(90)),
        Plan::docker(),
    ] {
        let shutdown = Shutdown::embedded(plan.clone()).unwrap();
        shutdown.phase("database", secs(3), async {}).unwrap_or_else(|e| panic!("{plan:?}: {e}"));
    }
}

/// How soon it is known, of the guide's table.
#[tokio::test(start_paused = true)]
async fn a_runner_that_is_gone_is_seen_after_32_seconds() {
    let check = FnCheck::new("database", || async { Ok(CheckReport::ok()) });
    let (health, runner) = Registry::new().check(Entry::critical(check)).unwrap().split();
    let ready = || {
        let request = Request::get("/health").body(Body::empty()).unwrap();
        let answer = HealthLayer::new(&health).into_service().oneshot(request);
        async { Ok::<_, Infallible>(answer.await?.status().as_u16()) }
    };
    let runner = tokio::spawn(runner.run());
    while ready().await.unwrap() != 200 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    runner.abort();
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(ready().await.unwrap(), 200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ready().await.unwrap(), 503);
}
