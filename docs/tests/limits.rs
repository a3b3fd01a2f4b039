//! What the guide and the recipes say of limits.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::{convert::Infallible, fs, path::Path, time::Duration};

use axum::{Router, body::Body, routing::get};
use buttress::{Stack, client_ip::ClientIp};
use buttress_core::client_ip::Peer;
use buttress_limit::{Key, LimitLayer, RedisStore, Rule};
use buttress_testkit::redis::Server;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

const PATIENCE: Duration = Duration::from_secs(9);

/// The lines of the recipe that begin so.
fn lines(begin: &str) -> Vec<String> {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/one-limit.md");
    let recipe = fs::read_to_string(recipe).unwrap();
    recipe.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_user_of_the_recipe_may_do_what_a_limit_does() {
    let server = Server::start().await.unwrap();
    let [user] = lines("ACL SETUSER ").try_into().unwrap();
    assert_eq!(server.command(&user).await.unwrap(), "+OK");
    // Nobody else may do anything.
    assert_eq!(server.command("ACL SETUSER default resetkeys -@all").await.unwrap(), "+OK");

    let store = RedisStore::new(&format!("redis://limits:password@{}", server.address())).unwrap();
    let limit = LimitLayer::with_store(store.clone(), Key::everyone(), [Rule::auth()]).unwrap();
    let handle = limit.handle();
    tokio::time::timeout(PATIENCE, store.connected()).await.unwrap();
    let service = limit.layer(service_fn(|request: Request<&'static str>| async move {
        let mut response = Response::new(http_body_util::Empty::<&[u8]>::new());
        *response.status_mut() = request.into_body().parse().unwrap();
        Ok::<_, Infallible>(response)
    }));
    let ask = |status| service.clone().oneshot(Request::new(status));
    // A charge that is given back, five that are not, and a reset, which the store sends later.
    assert_eq!(ask("200").await.unwrap().status(), 200);
    let used_up = async { while ask("401").await.unwrap().status() == 401 {} };
    tokio::time::timeout(PATIENCE, used_up).await.unwrap();
    assert!(handle.reset(&Request::new(())));
    let forgotten = async { while ask("401").await.unwrap().status() == 429 {} };
    tokio::time::timeout(PATIENCE, forgotten).await.unwrap();
    let stats = store.stats();
    assert_eq!((stats.is_up, stats.by_fallback, stats.failures), (true, 0, 0));
}

#[tokio::test]
async fn redis_takes_the_settings_of_the_recipe() {
    let server = Server::start().await.unwrap();
    let settings = [lines("maxmemory"), lines("save "), lines("appendonly ")].concat();
    assert_eq!(settings.len(), 4);
    for setting in settings {
        assert_eq!(server.command(&format!("CONFIG SET {setting}")).await.unwrap(), "+OK");
    }
}

#[tokio::test]
async fn of_a_hundred_and_fifty_requests_those_after_the_hundredth_are_refused() {
    let limit = LimitLayer::new(Key::client(), [Rule::general()]).unwrap();
    let app: Router = Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(Stack::production(ClientIp::peer()).limit(limit));
    for n in 1..=150 {
        let peer = Peer([192, 0, 2, 1].into());
        let request = Request::get("/").extension(peer).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), if n <= 100 { 200 } else { 429 }, "{n}");
        let wait = answer.headers().get("retry-after");
        let wait: Option<u64> = wait.map(|seconds| seconds.to_str().unwrap().parse().unwrap());
        // The first unit comes back after 9 s.
        assert_eq!(wait.is_some_and(|seconds| (1..=9).contains(&seconds)), n > 100, "{wait:?}");
    }
}
