//! What is answered, to whom.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod common;

use std::time::Duration;

use buttress_core::{Secret, source::CheckReport};
use buttress_health::{ConfigErrorKind, Endpoint, Entry, FnCheck, Health, HealthLayer, Registry};
use common::{Answer, PLANTED, Script, after_runs, get, probes, send};
use http::{Method, Request};
use tower::{Layer, Service, ServiceExt};

const TOKEN: &str = "a-token-of-the-operators";
const PATHS: [&str; 8] =
    ["/ping", "/live", "/livez", "/startupz", "/ready", "/readyz", "/health", "/healthz"];

/// With a check that fails, and says in its error what nobody may read.
async fn failing() -> Health {
    let marked = FnCheck::new("<script>alert(1)</script>", || async {
        Ok(CheckReport::ok().with("a\"b", "<img src=x>"))
    });
    let (health, runner) = Registry::new()
        .version("1.2.3")
        .check(Entry::critical(Script::new("db-primary", "F")))
        .unwrap()
        .check(Entry::optional(marked))
        .unwrap()
        .split();
    tokio::spawn(runner.run());
    after_runs(&health, "db-primary", 2).await;
    health
}

fn guarded(health: &Health) -> HealthLayer {
    HealthLayer::new(health).status_token(TOKEN.into()).unwrap()
}

async fn ask(layer: HealthLayer, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(Request::get("/status"), |request, (name, value)| request.header(*name, *value));
    send(&layer.into_service(), request.body(()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_body_is_the_status_and_nothing_else() {
    let health = failing().await;
    let service = guarded(&health).into_service();
    for path in PATHS {
        for accept in ["*/*", "application/json", "text/plain", "text/html", "image/png"] {
            let request = Request::get(path).header("accept", accept).body(()).unwrap();
            let answer = send(&service, request).await;
            let all = format!("{answer:?}");
            for planted in [PLANTED, "hunter2", "db-7", "internal", "db-primary", "connection"] {
                assert!(!all.contains(planted), "{path} as {accept}: {all}");
            }
            let bodies = [
                "pong",
                "pass",
                "warn",
                "fail",
                r#"{"status":"pass"}"#,
                r#"{"status":"warn"}"#,
                r#"{"status":"fail"}"#,
            ];
            assert!(bodies.contains(&answer.text()), "{path} as {accept}: {}", answer.text());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_cause_is_in_no_details_either() {
    let health = failing().await;
    for accept in ["application/json", "text/html"] {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("accept", accept), ("authorization", bearer.as_str())];
        let answer = ask(guarded(&health), &headers).await;
        assert_eq!(answer.status, 503);
        assert!(answer.text().contains("db-primary"), "{accept}");
        assert!(answer.text().contains("no connection"), "{accept}");
        for planted in ["hunter2", "db-7", "internal", "postgres:"] {
            assert!(!answer.text().contains(planted), "{accept}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn get_and_head_are_answered_and_nothing_else() {
    let health = failing().await;
    let service = HealthLayer::new(&health).status_for_anyone().into_service();
    for path in PATHS.into_iter().chain(["/status", "/status.css"]) {
        let got = get(&service, path).await;
        let head = send(&service, Request::head(path).body(()).unwrap()).await;
        assert_eq!(head.status, got.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(got.header("content-length"), got.body.len().to_string(), "{path}");
        for name in ["content-type", "cache-control", "x-content-type-options"] {
            assert_eq!(head.header(name), got.header(name), "{path}: {name}");
        }
        assert_eq!(got.header("cache-control"), "no-store", "{path}");
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let request = Request::builder().method(&method).uri(path).body(()).unwrap();
            let answer = send(&service, request).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), "GET, HEAD", "{method} {path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
            assert_eq!(answer.reason, Some("method_not_allowed"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_type_is_what_the_client_would_have() {
    let (health, _runner) = Registry::new().split();
    for (path, accept, kind, body) in [
        ("/health", "", "application/health+json", r#"{"status":"pass"}"#),
        ("/health", "*/*", "application/health+json", r#"{"status":"pass"}"#),
        ("/ready", "application/json", "application/json", r#"{"status":"pass"}"#),
        ("/live", "text/plain", "text/plain; charset=utf-8", "pass"),
        ("/startupz", "image/png", "application/health+json", r#"{"status":"pass"}"#),
        ("/ping", "application/json", "text/plain; charset=utf-8", "pong"),
    ] {
        let request = Request::get(path).header("accept", accept).body(()).unwrap();
        let answer = send(&probes(&health), request).await;
        assert_eq!((answer.header("content-type"), answer.text()), (kind, body), "{path} {accept}");
        assert_eq!(answer.header("vary"), "accept");
    }
}

#[tokio::test(start_paused = true)]
async fn details_are_for_who_has_the_token() {
    let health = failing().await;
    let basic = "Basic b3BzOmEtdG9rZW4tb2YtdGhlLW9wZXJhdG9ycw==";
    for (authorization, status) in [
        ("Bearer a-token-of-the-operators", 503),
        ("bearer a-token-of-the-operators", 503),
        (basic, 503),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer a-token-of-the-operator", 401),
        ("Bearer a-token-of-the-operators2", 401),
        ("Basic a-token-of-the-operators", 401),
        ("Basic b3BzOndyb25n", 401),
        ("Digest a-token-of-the-operators", 401),
    ] {
        let answer = ask(guarded(&health), &[("authorization", authorization)]).await;
        assert_eq!(answer.status, status, "{authorization}");
        assert_eq!(answer.text().contains("db-primary"), status == 503, "{authorization}");
        if status == 401 {
            assert_eq!(answer.reason, Some("no_credentials"));
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{authorization}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn without_a_word_on_who_may_see_it_there_is_no_status() {
    let (health, _runner) = Registry::new().split();
    for path in ["/status", "/status.css", "/nothing", "/", "/healthy", "/health/"] {
        assert_eq!(get(&probes(&health), path).await.status, 404, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn details_say_all_that_is_known() {
    let health = failing().await;
    let answer = ask(HealthLayer::new(&health).status_for_anyone(), &[]).await;
    assert_eq!(answer.header("content-type"), "application/health+json");
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["status"], "fail");
    assert_eq!(json["overall"], "unhealthy");
    assert_eq!(json["ready"], false);
    assert_eq!(json["live"], true);
    assert_eq!(json["system"]["version"], "1.2.3");
    assert_eq!(json["system"]["state"], "running");
    assert_eq!(json["system"]["pid"], std::process::id());
    let check = &json["checks"]["db-primary"];
    assert_eq!(check["status"], "unhealthy");
    assert_eq!(check["critical"], true);
    assert_eq!(check["reason"], "no connection");
    assert_eq!(check["consecutiveFailures"], 2);
    assert_eq!(check["lastCheck"], check["lastFailure"]);
    assert!(check["lastSuccess"].is_null());
    assert!(check["responseTimeMs"].is_number());
    let check = &json["checks"]["<script>alert(1)</script>"];
    assert_eq!(check["status"], "healthy");
    assert_eq!(check["data"]["a\"b"], "<img src=x>");
}

#[tokio::test(start_paused = true)]
async fn a_browser_gets_a_page_that_runs_nothing_and_asks_again() {
    let health = failing().await;
    let layer = HealthLayer::new(&health).status_for_anyone();
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = ask(layer.clone(), &[("accept", accept)]).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    let text = page.text();
    assert!(text.contains(r#"<meta http-equiv="refresh" content="5">"#));
    assert!(text.contains(r#"<link rel="stylesheet" href="./status.css">"#));
    for inline in ["<script", "<style", "style=", "<img", "onload"] {
        assert!(!text.contains(inline), "{inline}");
    }
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    let style = get(&layer.into_service(), "/status.css").await;
    assert_eq!(
        (style.status.as_u16(), style.header("content-type")),
        (200, "text/css; charset=utf-8")
    );
}

#[tokio::test]
async fn paths_can_be_put_elsewhere() {
    let (health, _runner) = Registry::new().split();
    let service = HealthLayer::new(&health)
        .prefix("/api/v1")
        .unwrap()
        .without(Endpoint::Ready)
        .path(Endpoint::Ready, "/actuator/ready")
        .unwrap()
        .into_service();
    for (path, status) in [
        ("/api/v1/health", 200),
        ("/api/v1/health?full=1", 200),
        ("/api/v1/actuator/ready", 200),
        ("/api/v1/ready", 404),
        ("/health", 404),
        ("/api/v1", 404),
    ] {
        assert_eq!(get(&service, path).await.status, status, "{path}");
    }
}

#[test]
fn what_cannot_be_right_is_refused() {
    let layer = || HealthLayer::new(&Registry::new().split().0);
    for path in ["", "/", "api", "/api/", "/a b", "/a?b", "/a#b", "/\u{e4}"] {
        assert_eq!(layer().prefix(path).unwrap_err().kind(), ConfigErrorKind::Path, "{path}");
        let error = layer().path(Endpoint::Live, path).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Path, "{path}");
    }
    let taken = layer().path(Endpoint::Live, "/health").unwrap_err();
    assert_eq!(taken.kind(), ConfigErrorKind::Path);
    // The page's stylesheet is there.
    for (first, second) in [("/a", "/a.css"), ("/a.css", "/a")] {
        for (one, other) in [(Endpoint::Status, Endpoint::Live), (Endpoint::Live, Endpoint::Status)]
        {
            let both = layer().path(one, first).unwrap().path(other, second);
            let is_taken = (one == Endpoint::Status) == first.ends_with('a');
            assert_eq!(both.is_err(), is_taken, "{one:?} {first}, {other:?} {second}");
        }
    }
    for token in ["", "fifteen-letters", "a token with blanks", "a-token-of-umlauts-\u{e4}"] {
        let error = layer().status_token(token.into()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Token, "{token}");
    }
}

#[test]
fn the_token_is_printed_nowhere() {
    let (health, _runner) = Registry::new().split();
    let layer = HealthLayer::new(&health).status_token(Secret::from(TOKEN)).unwrap();
    assert!(!format!("{layer:?} {:?}", layer.clone().into_service()).contains(TOKEN));
}

/// A forwarding layer would let the probe wait for the slot.
#[tokio::test(start_paused = true)]
async fn a_probe_is_answered_while_the_inner_service_has_no_room() {
    let (health, _runner) = Registry::new().split();
    let slow = tower::service_fn(|_: Request<()>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, std::convert::Infallible>(http::Response::new(String::from("slow")))
    });
    let service = HealthLayer::new(&health)
        .layer(tower::limit::GlobalConcurrencyLimitLayer::new(1).layer(slow));
    let request = |path| Request::get(path).body(()).unwrap();
    let mut first = service.clone();
    let taken = tokio::spawn(first.ready().await.unwrap().call(request("/")));
    tokio::task::yield_now().await;

    let before = tokio::time::Instant::now();
    assert_eq!(send(&service, request("/health")).await.status, 200);
    assert_eq!(before.elapsed(), Duration::ZERO);

    let second = send(&service, request("/")).await;
    assert_eq!(second.text(), "slow");
    assert_eq!(before.elapsed().as_secs(), 120, "it waited for the first one's slot");
    assert_eq!(taken.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn around_an_axum_router_it_answers_what_the_router_does_not_know() {
    use axum::{Router, body::Body, routing::get};
    let (health, _runner) = Registry::new().split();
    let router: Router = Router::new().route("/", get(|| async { "hello" }));
    let service = HealthLayer::new(&health).layer(router);
    for (path, status) in [("/readyz", 200), ("/", 200), ("/other", 404)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_sends_probes_reserves_nothing() {
    let (health, _runner) = Registry::new().split();
    let inner = tower::service_fn(|_: Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::from("hello")))
    });
    let service = HealthLayer::new(&health)
        .layer(tower::limit::GlobalConcurrencyLimitLayer::new(1).layer(inner));
    let request = |path| Request::get(path).body(()).unwrap();
    let mut idle = service.clone();
    for _ in 0..3 {
        let answer = idle.ready().await.unwrap().call(request("/health")).await.unwrap();
        assert_eq!(answer.status(), 200);
        idle.ready().await.unwrap();
    }
    let other = tokio::time::timeout(Duration::from_secs(1), send(&service, request("/"))).await;
    assert_eq!(other.unwrap().text(), "hello");
    drop(idle);
}

/// A look may end while a page is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn details_are_those_of_one_moment() {
    let (script, millisecond) = (Script::new("db", "P"), Duration::from_millis(1));
    // A machine that is busy elsewhere makes nothing stale.
    let entry = Entry::critical(script.clone()).timeout(Duration::from_secs(600)).unwrap();
    let entry = entry.fall(1).unwrap().interval(millisecond).unwrap();
    let (health, runner) = Registry::new().check(entry).unwrap().split();
    let flips = tokio::spawn(async move {
        for _ in 0..400 {
            for row in ["F", "P"] {
                script.now(row);
                tokio::time::sleep(millisecond).await;
            }
        }
    });
    tokio::spawn(runner.run());
    let layer = HealthLayer::new(&health).status_for_anyone();
    while !flips.is_finished() {
        let answer = ask(layer.clone(), &[]).await;
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let check = &json["checks"]["db"];
        if check["lastCheck"].is_null() {
            continue;
        }
        let is_up = answer.status == 200;
        assert_eq!(json["status"] == "pass", is_up, "{json}");
        assert_eq!(json["overall"] == "healthy", is_up, "{json}");
        assert_eq!(json["ready"] == true, is_up, "{json}");
        assert_eq!(check["status"] == "healthy", is_up, "{json}");
        assert_eq!(check["reason"].is_null(), is_up, "{json}");
        assert_eq!(check["consecutiveFailures"] == 0, is_up, "{json}");
    }
}

#[tokio::test]
async fn metrics_are_for_who_may_see_details_and_are_the_renderers() {
    let (health, _runner) = Registry::new().split();
    let render = |headers: &http::HeaderMap| {
        let wants = headers.get("accept").is_some();
        (
            if wants { "application/openmetrics-text" } else { "text/plain; version=0.0.4" },
            "up 1\n".into(),
        )
    };
    let bearer = format!("Bearer {TOKEN}");
    let get = |headers: &[(&str, &str)]| {
        let headers = headers.iter();
        headers
            .fold(Request::get("/metrics"), |request, (name, value)| request.header(*name, *value))
            .body(())
            .unwrap()
    };
    for layer in [
        HealthLayer::new(&health),
        HealthLayer::new(&health).metrics(render),
        HealthLayer::new(&health).status_for_anyone(),
    ] {
        assert_eq!(send(&layer.into_service(), get(&[])).await.status, 404);
    }
    let service = guarded(&health).metrics(render).into_service();
    assert_eq!(send(&service, get(&[])).await.status, 401);
    let answer = send(&service, get(&[("authorization", &bearer)])).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "up 1\n"));
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = send(&service, get(&[("authorization", &bearer), ("accept", "a/b")])).await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text");
}

#[tokio::test]
async fn a_content_type_that_no_header_can_carry_is_plain_text() {
    let (health, _runner) = Registry::new().split();
    let service = HealthLayer::new(&health)
        .status_for_anyone()
        .metrics(|_| ("text/plain\r\nx: y", String::new()))
        .into_service();
    assert_eq!(get(&service, "/metrics").await.header("content-type"), "text/plain");
}
