//! How the service limits its clients.

use std::{
    io,
    net::TcpListener,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode},
};
use buttress_testkit::redis::Server;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    API_HEADERS, PATIENCE, Service, assert_problem, example, id, json_of, not_run, only, text,
};

const ORIGIN: &str = "http://localhost:5173";
const RIGHT: &str = r#"{"user":"ada","password":"lovelace"}"#;
const WRONG: &str = r#"{"user":"ada","password":"byron-1788"}"#;

impl Service {
    async fn login(&self, json: &str) -> Response<Bytes> {
        let request = self.request("POST", "/login").header("content-type", "application/json");
        self.send(request.body(Body::from(json.to_owned())).unwrap()).await
    }

    /// As a proxy at the loopback address would, for a client at this one.
    async fn get_for(&self, client: &str, path: &str) -> Response<Bytes> {
        let request = self.request("GET", path).header("x-forwarded-for", client);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// The value of this sample on `/metrics`.
    pub(super) async fn sample(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await;
        let line = text(&page).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {}", text(&page))).parse().unwrap()
    }
}

/// That it is a refusal of this rule's.
fn assert_limited(answer: &Response<Bytes>, rule: &str) {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{}", text(answer));
    assert_problem(answer, rule);
    let problem = json_of(answer);
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["violated-policies"], json!([rule]));
    assert!(retry_after(answer) >= 1);
}

fn retry_after(answer: &Response<Bytes>) -> u64 {
    only(answer.headers(), "retry-after").parse().unwrap()
}

/// The lines of a header that is a list.
fn list<'a>(answer: &'a Response<Bytes>, name: &str) -> Vec<&'a str> {
    answer.headers().get_all(name).iter().map(|line| line.to_str().unwrap()).collect()
}

/// What is left of a rule.
fn remaining(answer: &Response<Bytes>, rule: &str) -> u64 {
    let lines = list(answer, "ratelimit").join(", ");
    let (_, rest) = lines.split_once(&format!("\"{rule}\";r=")).expect(&lines);
    rest.split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn where_nothing_is_said_the_limits_are_those_of_the_readme() {
    let service = Service::of(&mut example()).await;
    let general = r#""general";q=100;w=900, "burst";q=10;w=1"#;
    assert_eq!(list(&service.get("/users/1").await, "ratelimit-policy"), [general]);
    let search = service.get("/search?q=engine").await;
    assert_eq!(list(&search, "ratelimit-policy"), [r#""strict";q=20;w=900"#, general]);
    let login = service.login(RIGHT).await;
    assert_eq!(list(&login, "ratelimit-policy"), [r#""auth";q=5;w=900"#, general]);
    service.line(&[r#""target":"stack""#, "limit        general 100/15m, burst 10/1s"]).await;
}

#[tokio::test]
async fn the_eleventh_at_once_is_refused_and_costs_nothing() {
    let limits = [("LIMIT_GENERAL", "100/15m"), ("LIMIT_BURST", "10/2m")];
    let service = Service::with(&limits).await;
    for n in 1..=10 {
        let answer = service.get("/users/42").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(remaining(&answer, "burst"), 10 - n);
        assert_eq!(remaining(&answer, "general"), 100 - n);
    }
    let answer = service.get("/users/42").await;
    assert_limited(&answer, "burst");
    assert!((8..=12).contains(&retry_after(&answer)), "{}", retry_after(&answer));
    assert_eq!(remaining(&answer, "general"), 90);

    let line = service.access_line("/users/42", id(&answer)).await;
    assert_eq!(
        (&line["rejected_by"], &line["reason"]),
        (&json!("limit"), &json!("quota_exceeded"))
    );
    assert_eq!(line["status"], 429);
    assert_eq!(line["client_ip"], "127.0.0.1");

    for (name, value) in [
        (r#"limit_requests_total{limit="general",outcome="admitted"}"#, 10),
        (r#"limit_refusals_total{limit="general",rule="burst",tier="",shadow="false"}"#, 1),
        (r#"limit_refusals_total{limit="general",rule="general",tier="",shadow="false"}"#, 0),
        (r#"limit_requests_total{limit="auth",outcome="admitted"}"#, 0),
        (r#"limit_waiting_requests{limit="slow"}"#, 0),
        ("limit_store_slots", 131_072),
    ] {
        assert_eq!(service.sample(name).await, value, "{name}");
    }
}

#[tokio::test]
async fn a_page_of_the_front_end_can_read_a_429() {
    let service = Service::with(&[("LIMIT_GENERAL", "1/15m")]).await;
    for status in [200, 429] {
        let request = service.request("GET", "/users/42").header("origin", ORIGIN);
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), status);
        assert_eq!(only(answer.headers(), "access-control-allow-origin"), ORIGIN);
        let exposed = only(answer.headers(), "access-control-expose-headers");
        for name in ["retry-after", "ratelimit", "ratelimit-policy", "x-request-id"] {
            assert!(exposed.split(',').any(|exposed| exposed == name), "{name}: {exposed}");
        }
        for (name, value) in API_HEADERS {
            assert_eq!(only(answer.headers(), name), value, "{status}: {name}");
        }
        assert_eq!(id(&answer).len(), 36);
    }
    // To ask whether it may ask costs nothing, and is answered to who has nothing left.
    let preflight = service
        .request("OPTIONS", "/users/42")
        .header("origin", ORIGIN)
        .header("access-control-request-method", "GET");
    let answer = service.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_operators_read_has_no_limit_and_every_other_route_has() {
    let service = Service::with(&[("LIMIT_GENERAL", "1/15m")]).await;
    assert_eq!(service.get("/users/42").await.status(), 200);
    for path in ["/users/42", "/", "/search?q=", "/slow?ms=0", "/outbound", "/upstream", "/nowhere"]
    {
        assert_limited(&service.get(path).await, "general");
    }
    assert_limited(&service.login(RIGHT).await, "general");
    for path in ["/metrics", "/report", "/metrics", "/report"] {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert!(list(&answer, "ratelimit").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn of_six_wrong_passwords_at_once_five_are_tried() {
    let service = Service::start().await;
    let answers = join_all((0..6).map(|_| service.login(WRONG))).await;
    let (tried, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status() == StatusCode::UNAUTHORIZED);
    assert_eq!((tried.len(), refused.len()), (5, 1));
    for answer in tried {
        assert_problem(answer, "a wrong password");
        assert_eq!(json_of(answer)["detail"], "the user or the password is wrong");
    }
    assert_limited(refused[0], "auth");
    assert!((120..=180).contains(&retry_after(refused[0])));
    assert_limited(&service.login(RIGHT).await, "auth");
    assert!(!service.whole_log().await.contains("byron-1788"));
}

#[tokio::test]
async fn a_right_password_costs_nothing() {
    let service = Service::start().await;
    assert_eq!(service.login(WRONG).await.status(), StatusCode::UNAUTHORIZED);
    for _ in 0..10 {
        let answer = service.login(RIGHT).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(json_of(&answer), json!({ "user": "ada" }));
        assert_eq!(remaining(&answer, "auth"), 4);
        assert_eq!(service.access_line("/login", id(&answer)).await["user_id"], "ada");
    }
    for _ in 0..4 {
        assert_eq!(service.login(WRONG).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_limited(&service.login(RIGHT).await, "auth");
}

#[tokio::test]
async fn a_login_that_is_none_is_a_problem_document_that_quotes_nothing() {
    let service = Service::start().await;
    for (media_type, body, status) in [
        ("application/json", r#"{"user":"ada","#, 400),
        ("text/plain", RIGHT, 415),
        ("application/json", r#"{"user":"ada"}"#, 422),
        ("application/json", r#"{"user":"ada","password":1788}"#, 422),
    ] {
        let request = service.request("POST", "/login").header("content-type", media_type);
        let answer = service.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status(), status, "{body}");
        assert_problem(&answer, body);
        assert!(!text(&answer).contains("1788") && !text(&answer).contains("lovelace"));
    }
}

#[tokio::test]
async fn a_search_finds_titles_and_authors_twenty_times() {
    let service = Service::start().await;
    let answer = service.get("/search?q=ENGINE").await;
    let engine = json!({
        "title": "Sketch of the Analytical Engine",
        "author": "Luigi Menabrea, Ada Lovelace",
        "year": 1843,
    });
    assert_eq!(json_of(&answer), json!({ "matches": [engine] }));
    let of_mary = json_of(&service.get("/search?q=mary").await);
    assert_eq!(of_mary["matches"].as_array().unwrap().len(), 2);
    assert_eq!(json_of(&service.get("/search?q=%22").await), json!({ "matches": [] }));
    for left in (0..17).rev() {
        assert_eq!(remaining(&service.get("/search?q=").await, "strict"), left);
    }
    assert_limited(&service.get("/search?q=").await, "strict");
    assert_eq!(service.get("/users/42").await.status(), 200);
}

#[tokio::test]
async fn who_comes_too_often_waits_before_it_is_refused() {
    let service = Service::start().await;
    let asked = |left: u64| {
        let service = &service;
        async move {
            let begun = Instant::now();
            let answer = service.get("/slow?ms=0").await;
            assert_eq!((answer.status(), remaining(&answer, "slow")), (StatusCode::OK, left));
            begun.elapsed()
        }
    };
    for left in (25..30).rev() {
        asked(left).await;
    }
    assert!(asked(24).await >= Duration::from_millis(200));
    assert!(asked(23).await >= Duration::from_millis(400));
}

#[tokio::test]
async fn no_header_makes_another_client_of_a_stranger() {
    let service = Service::with(&[("LIMIT_GENERAL", "1/15m")]).await;
    assert_eq!(service.get("/users/42").await.status(), 200);
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "127.0.0.2"),
        ("x-forwarded-for", "::1"),
        ("forwarded", "for=203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
        ("true-client-ip", "203.0.113.9"),
        ("cf-connecting-ip", "203.0.113.9"),
    ] {
        let request = service.request("GET", "/users/42").header(name, value);
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        assert_limited(&answer, "general");
        assert_eq!(service.access_line("/users/42", id(&answer)).await["client_ip"], "127.0.0.1");
    }
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_limit_and_cannot_choose_another() {
    let trusted = [("LIMIT_GENERAL", "1/15m"), ("TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1")];
    let service = Service::with(&trusted).await;
    for (forwarded, client, status) in [
        ("198.51.100.7", "198.51.100.7", 200),
        ("198.51.100.8", "198.51.100.8", 200),
        ("198.51.100.7", "198.51.100.7", 429),
        // What a client claims stands left of what the proxies wrote.
        ("203.0.113.9, 198.51.100.7", "198.51.100.7", 429),
        ("203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7", 429),
        ("::ffff:198.51.100.7", "198.51.100.7", 429),
        ("198.51.100.7:4711", "198.51.100.7", 429),
        // An IPv6 client is all of its provider's /56.
        ("2001:db8:0:100::1", "2001:db8:0:100::1", 200),
        ("2001:db8:0:1ff::2", "2001:db8:0:1ff::2", 429),
        ("2001:db8:0:200::1", "2001:db8:0:200::1", 200),
    ] {
        let answer = service.get_for(forwarded, "/users/42").await;
        assert_eq!(answer.status(), status, "{forwarded}");
        let line = service.access_line("/users/42", id(&answer)).await;
        assert_eq!(line["client_ip"], client, "{forwarded}");
    }
}

/// A Redis of this test's own; `None`, and a word about it, where there is no `redis-server`.
async fn redis(test: &str) -> Option<Server> {
    match Server::start().await {
        Ok(server) => Some(server),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            not_run(test, "redis-server");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// How many answers of this status there were, of thirty that both gave by turns, and how many of
/// the thirty their fall-backs may have decided: Redis has 30 ms, and the machine much else to do.
async fn by_turns(
    services: [&Service; 2],
    status: u16,
    ask: impl AsyncFn(&Service) -> Response<Bytes>,
) -> (u64, u64) {
    let before = fallbacks(services).await;
    let mut answers = 0;
    for turn in 0..30 {
        answers += u64::from(ask(services[turn % 2]).await.status() == status);
    }
    (answers, fallbacks(services).await - before)
}

/// Decisions that Redis has not taken.
async fn fallbacks(services: [&Service; 2]) -> u64 {
    let [first, second] =
        services.map(|service| service.sample(r#"limit_store_decisions_total{source="fallback"}"#));
    first.await + second.await
}

#[tokio::test]
async fn two_instances_share_their_limits_by_redis_and_outlive_it() {
    let test = "two_instances_share_their_limits_by_redis_and_outlive_it";
    let Some(mut redis) = redis(test).await else { return };
    let url = redis.url();
    let variables =
        [("LIMIT_GENERAL", "40/15m"), ("TRUSTED_PROXIES", "127.0.0.1"), ("REDIS_URL", &*url)];
    let (first, second) = tokio::join!(Service::with(&variables), Service::with(&variables));
    let both = [&first, &second];
    for service in both {
        assert_eq!(service.sample("limit_store_up").await, 1);
    }
    let search = async |service: &Service| service.get_for("198.51.100.7", "/search?q=").await;
    let (found, unsure) = by_turns(both, 200, search).await;
    assert!(found.abs_diff(20) <= unsure, "{found} of 20, and {unsure} not by Redis");
    let guess = async |service: &Service| service.login(WRONG).await;
    let (tried, local) = by_turns(both, 401, guess).await;
    assert!(tried.abs_diff(5) <= local, "{tried} of 5, and {local} not by Redis");

    redis.kill().unwrap();
    for service in both {
        // Each knows how many there were at both.
        let answer = search(service).await;
        if unsure == 0 {
            assert_limited(&answer, "strict");
        }
        assert_eq!(service.get_for("198.51.100.8", "/search?q=").await.status(), 200);
        assert_eq!(service.line(&["Redis is down"]).await["level"], "WARN");
        assert_eq!(service.sample("limit_store_up").await, 0);
    }

    redis.restart().await.unwrap();
    for service in both {
        let up = async {
            while service.sample("limit_store_up").await == 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, up).await.unwrap();
        assert_eq!(service.get_for("198.51.100.8", "/search?q=").await.status(), 200);
    }
}

#[tokio::test]
async fn a_service_whose_redis_is_not_there_warns_and_serves() {
    // Bound, and nobody is let in: the port is nobody else's either.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:hunter2@{}", taken.local_addr().unwrap());
    let service = Service::with(&[("LIMIT_GENERAL", "2/15m"), ("REDIS_URL", &url)]).await;
    let line = service.line(&["Redis does not answer"]).await;
    assert_eq!(line["level"], "WARN");
    assert_eq!(remaining(&service.get("/users/1").await, "general"), 1);
    assert_eq!(remaining(&service.get("/users/1").await, "general"), 0);
    assert_limited(&service.get("/users/1").await, "general");
    assert_eq!(service.sample("limit_store_up").await, 0);
    assert!(!service.log.borrow().contains("hunter2"));
}
