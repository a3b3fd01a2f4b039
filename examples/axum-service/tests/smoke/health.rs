//! What the service says of how it is, and to whom.

use std::{io, net::TcpListener, process::Stdio, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode},
};
use buttress_testkit::{postgres, redis};
use serde_json::json;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use super::{PATIENCE, Service, json_of, not_run, only, text};

const PROBES: [&str; 8] =
    ["/ping", "/live", "/livez", "/startupz", "/ready", "/readyz", "/health", "/healthz"];
pub(super) const TOKEN: &str = "smoke-3vGf0gXkXq8mJw2b";
const HEALTH_JSON: &str = "application/health+json";

impl Service {
    async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response<Bytes> {
        let request = headers.iter().fold(self.request(method, path), |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn details(&self) -> Response<Bytes> {
        let bearer = format!("Bearer {TOKEN}");
        self.send_with("GET", "/status", &[("authorization", &bearer)]).await
    }

    /// Asks until this is so.
    pub(super) async fn until(&self, path: &str, holds: impl Fn(&Response<Bytes>) -> bool) {
        let asked = async {
            while !holds(&self.get(path).await) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{path} has not become so"));
    }

    /// Waits until every check has been looked at.
    async fn looked(&self) {
        let asked = async {
            while text(&self.details().await).contains("pending") {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap();
    }
}

#[tokio::test]
async fn every_probe_is_answered_with_one_word_to_get_and_head_alone() {
    let service = Service::start().await;
    for path in PROBES {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        match text(&answer) {
            "pong" => assert_eq!(path, "/ping"),
            // Degraded is up: a disk that is nearly full, say.
            r#"{"status":"pass"}"# | r#"{"status":"warn"}"# => {
                assert_eq!(only(answer.headers(), "content-type"), HEALTH_JSON, "{path}");
            }
            other => panic!("{path}: {other}"),
        }
        assert_eq!(only(answer.headers(), "cache-control"), "no-store", "{path}");
        assert_eq!(only(answer.headers(), "x-content-type-options"), "nosniff", "{path}");
        let head = service.send_with("HEAD", path, &[]).await;
        assert_eq!((head.status(), text(&head)), (StatusCode::OK, ""), "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = service.send_with(method, path, &[]).await;
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(only(answer.headers(), "allow"), "GET, HEAD", "{method} {path}");
        }
    }
    // Beside the paths, nothing is a probe.
    for path in ["/live/", "/LIVE", "/ready/x", "/status.css"] {
        assert_eq!(service.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_probe_speaks_as_it_is_asked_to() {
    let service = Service::start().await;
    for (accept, kind, body) in [
        ("*/*", HEALTH_JSON, r#"{"status":"pass"}"#),
        ("application/json", "application/json", r#"{"status":"pass"}"#),
        ("text/plain", "text/plain; charset=utf-8", "pass"),
        ("text/plain;q=0.5, application/json", "application/json", r#"{"status":"pass"}"#),
        ("text/html, */*;q=0.1", HEALTH_JSON, r#"{"status":"pass"}"#),
        ("image/png", HEALTH_JSON, r#"{"status":"pass"}"#),
    ] {
        let answer = service.send_with("GET", "/live", &[("accept", accept)]).await;
        assert_eq!(only(answer.headers(), "content-type"), kind, "{accept}");
        assert_eq!(text(&answer), body, "{accept}");
        assert_eq!(only(answer.headers(), "vary"), "accept", "{accept}");
    }
}

#[tokio::test]
async fn probes_are_nobodys_business() {
    let service = Service::with(&[("LIMIT_BURST", "1/2m")]).await;
    for path in PROBES {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(!answer.headers().contains_key("ratelimit"), "{path}");
    }
    assert_eq!(service.get("/users/999").await.status(), StatusCode::OK);
    let metrics = service.get("/metrics").await;
    let counted = |path: &str| text(&metrics).contains(&format!("\"{path}\""));
    assert!(!PROBES.iter().any(|path| counted(path)), "{}", text(&metrics));
    let last = service.line(&["/users/999"]).await;
    assert_eq!(last["status"], 200);
    let log = service.log.borrow().clone();
    assert!(!PROBES.iter().any(|path| log.contains(&format!("\"path\":\"{path}\""))), "{log}");
}

#[tokio::test]
async fn details_are_for_those_who_have_the_token() {
    let service = Service::with(&[("STATUS_TOKEN", TOKEN)]).await;
    service.looked().await;
    let bearer = format!("Bearer {TOKEN}");
    for (authorization, status) in [
        ("", 401),
        (TOKEN, 401),
        ("Bearer", 401),
        ("Bearer smoke-3vGf0gXkXq8mJw2B", 401),
        ("Basic c21va2U6c21va2U=", 401),
        (&bearer, 200),
        // `operator:` and the token, as a browser sends it.
        ("Basic b3BlcmF0b3I6c21va2UtM3ZHZjBnWGtYcThtSncyYg==", 200),
    ] {
        let answer = service.send_with("GET", "/status", &[("authorization", authorization)]).await;
        assert_eq!(answer.status(), status, "{authorization}");
        assert_eq!(text(&answer).contains("memory"), status == 200, "{authorization}");
        assert_eq!(only(answer.headers(), "cache-control"), "no-store", "{authorization}");
    }
    let details = json_of(&service.details().await);
    for name in [
        "memory",
        "memory_growth",
        "cpu",
        "load",
        "file_descriptors",
        "disk",
        "upstream",
        "secrets",
        "books",
    ] {
        let check = &details["checks"][name];
        assert!(check["status"].is_string(), "{name}: {details}");
        assert_eq!(check["critical"], name == "books", "{name}");
    }
    assert_eq!(details["heartbeats"], json!({ "pulse": "alive" }));
    assert_eq!(details["system"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(details["system"]["state"], "running");

    let page = [("authorization", &*bearer), ("accept", "text/html,*/*;q=0.8")];
    let page = service.send_with("GET", "/status", &page).await;
    assert_eq!(only(page.headers(), "content-type"), "text/html; charset=utf-8");
    let policy = only(page.headers(), "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(text(&page).contains("file_descriptors"), "{}", text(&page));
    assert!(!text(&page).contains("<script"), "{}", text(&page));
}

#[tokio::test]
async fn without_a_token_nobody_is_told_details() {
    let service = Service::start().await;
    for authorization in ["", "Bearer ", "Basic Og=="] {
        let answer = service.send_with("GET", "/status", &[("authorization", authorization)]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{authorization}");
    }
}

/// The address of a database has a host, a user and a password in it.
#[tokio::test]
async fn nobody_is_told_what_the_service_depends_on_or_why_it_is_down() {
    let test = "nobody_is_told_what_the_service_depends_on_or_why_it_is_down";
    let Some(mut server) = installed(postgres::Server::start().await, test, "postgres") else {
        return;
    };
    for sql in [
        r#"CREATE ROLE "planted-user" LOGIN PASSWORD 'hunter2'"#,
        r#"CREATE DATABASE "planted-db" OWNER "planted-user""#,
    ] {
        server.sql(sql).await.unwrap();
    }
    let postgres = server.address().to_string();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = silent.local_addr().unwrap().to_string();
    let service = Service::with(&[
        ("STATUS_TOKEN", TOKEN),
        ("DATABASE_URL", &format!("postgres://planted-user:hunter2@{postgres}/planted-db")),
        ("REDIS_URL", &format!("redis://planted-user:hunter2@{redis}")),
    ])
    .await;
    service.until("/startupz", |answer| answer.status() == StatusCode::OK).await;
    server.kill().unwrap();
    service.until("/ready", |answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE).await;
    service.looked().await;
    let secrets = ["planted", "hunter2", &postgres, &redis];
    // With the token there are the names, and a word of the program's own.
    let details = service.details().await;
    assert_eq!(details.status(), StatusCode::SERVICE_UNAVAILABLE);
    let checks = &json_of(&details)["checks"];
    assert_eq!(checks["postgres"]["critical"], true, "{checks}");
    assert_eq!(checks["postgres"]["status"], "unhealthy", "{checks}");
    assert_eq!(checks["redis"]["critical"], false, "{checks}");
    let mut answers = vec![details];
    for path in PROBES {
        // It has been up once.
        let up = matches!(path, "/ping" | "/live" | "/livez" | "/startupz");
        for (method, accept) in [
            ("GET", "*/*"),
            ("GET", "text/plain"),
            ("GET", "text/html"),
            ("HEAD", "*/*"),
            ("POST", "*/*"),
        ] {
            let answer = service.send_with(method, path, &[("accept", accept)]).await;
            let status = match (method, up) {
                ("POST", _) => StatusCode::METHOD_NOT_ALLOWED,
                (_, true) => StatusCode::OK,
                (_, false) => StatusCode::SERVICE_UNAVAILABLE,
            };
            assert_eq!(answer.status(), status, "{method} {path}");
            let whole = format!("{:?} {}", answer.headers(), text(&answer));
            let names = ["postgres", "redis", "memory", "disk", "upstream"];
            assert!(!names.iter().any(|name| whole.contains(name)), "{method} {path}: {whole}");
            answers.push(answer);
        }
    }
    for (path, headers) in [
        ("/status", &[][..]),
        ("/status", &[("accept", "text/html")]),
        ("/status.css", &[]),
        ("/metrics", &[]),
    ] {
        answers.push(service.send_with("GET", path, headers).await);
    }
    for answer in &answers {
        let whole = format!("{:?} {}", answer.headers(), text(answer));
        let told = secrets.iter().find(|secret| whole.contains(**secret));
        assert!(told.is_none(), "{told:?} is in {whole}");
    }
    // Nor does the log have the password.
    service.line(&["postgres"]).await;
    assert!(!service.log.borrow().contains("hunter2"));
}

/// A server of this test's own; `None`, and a word about it, where its programs are not installed.
pub(super) fn installed<T>(started: io::Result<T>, test: &str, tool: &str) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            not_run(test, tool);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn while_postgres_is_away_nobody_is_sent_here_and_nobody_restarts_it() {
    let test = "while_postgres_is_away_nobody_is_sent_here_and_nobody_restarts_it";
    let Some(mut server) = installed(postgres::Server::start().await, test, "postgres") else {
        return;
    };
    let url = server.url();
    let service = Service::with(&[("DATABASE_URL", &url), ("STATUS_TOKEN", TOKEN)]).await;
    service.until("/ready", |answer| answer.status() == StatusCode::OK).await;
    assert_eq!(json_of(&service.details().await)["checks"]["postgres"]["status"], "healthy");

    server.kill().unwrap();
    service.until("/ready", |answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE).await;
    for (path, status) in [("/live", 200), ("/startupz", 200), ("/health", 503), ("/users/1", 200)]
    {
        assert_eq!(service.get(path).await.status(), status, "{path}");
    }
    let metrics = service.get("/metrics").await;
    assert!(text(&metrics).contains("health_check_status{check=\"postgres\"} 3"));

    server.restart().await.unwrap();
    service.until("/ready", |answer| answer.status() == StatusCode::OK).await;
}

#[tokio::test]
async fn without_its_redis_the_service_is_degraded_and_stays_ready() {
    let test = "without_its_redis_the_service_is_degraded_and_stays_ready";
    let Some(mut server) = installed(redis::Server::start().await, test, "redis-server") else {
        return;
    };
    let url = server.url();
    let service = Service::with(&[("REDIS_URL", &url), ("STATUS_TOKEN", TOKEN)]).await;
    let status = async || json_of(&service.details().await)["checks"]["redis"]["status"].clone();
    let becomes = async |wanted: &str| {
        let asked = async {
            while status().await != wanted {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("redis is not {wanted}"));
    };
    becomes("healthy").await;
    // It listens, and does not answer.
    server.freeze().unwrap();
    becomes("unhealthy").await;
    let ready = service.get("/ready").await;
    assert_eq!((ready.status(), text(&ready)), (StatusCode::OK, r#"{"status":"warn"}"#));
    server.thaw().unwrap();
    becomes("healthy").await;
    server.kill().unwrap();
    becomes("unhealthy").await;
    assert_eq!(service.get("/ready").await.status(), StatusCode::OK);
}

/// Under the page's own policy, with the password that a browser is asked for.
#[tokio::test]
async fn a_browser_shows_the_status_page_and_has_nothing_to_say_about_it() {
    let service = Service::with(&[("STATUS_TOKEN", TOKEN)]).await;
    service.looked().await;
    let url = format!("http://operator:{TOKEN}@{}/status", service.address());
    let profile = std::env::temp_dir().join(format!("example-axum-{}", std::process::id()));
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
        .args(["--disable-component-update", "--disable-quic"])
        .args(["--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match timeout(PATIENCE, browser).await.unwrap() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return not_run("a_browser_shows_the_status_page", "chromium");
        }
        output => output.unwrap(),
    };
    std::fs::remove_dir_all(profile).unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    for part in ["file_descriptors", "upstream", "pulse"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let console: Vec<_> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:#?}");
}
