//! Nodes over one Redis, for tests.

use std::{convert::Infallible, time::Duration};

use buttress_limit::{Charge, Key, LimitLayer, RedisLimiter, RedisStore, Rule};
use buttress_testkit::redis::Server;
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, ServiceExt, service_fn};

/// The store's own.
pub const TIMEOUT: Duration = Duration::from_millis(30);
/// What may come on top of it on a machine that is busy.
pub const SLACK: Duration = Duration::from_millis(170);

/// A store that waits long enough for a machine that is busy.
pub async fn patient(server: &Server) -> RedisStore {
    connected(RedisStore::new(&server.url()).unwrap().timeout(Duration::from_secs(5)).unwrap())
        .await
}

pub async fn connected(store: RedisStore) -> RedisStore {
    store.connected().await;
    store
}

pub fn limiter(store: &RedisStore, rules: impl IntoIterator<Item = Rule>) -> RedisLimiter {
    RedisLimiter::new(store.clone(), rules).unwrap()
}

pub async fn passed(limiter: &RedisLimiter, key: &str, times: usize) -> usize {
    let mut passed = 0;
    for _ in 0..times {
        passed += usize::from(!limiter.check(key).await.is_limited());
    }
    passed
}

pub fn layer(store: &RedisStore, rule: Rule) -> LimitLayer {
    LimitLayer::with_store(store.clone(), Key::header(HeaderName::from_static("who")), [rule])
        .unwrap()
}

pub fn by(who: &str) -> Request<()> {
    Request::builder().header("who", who).body(()).unwrap()
}

/// A service that answers 401 to who says `wrong`, and charges nine more where it can.
pub async fn send(layer: &LimitLayer, request: Request<()>) -> Response<()> {
    let inner = service_fn(|request: Request<()>| async move {
        if let Some(charge) = request.extensions().get::<Charge>() {
            charge.charge(9);
        }
        let mut response = Response::new(Empty::<Bytes>::new());
        if request.headers().contains_key("wrong") {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        Ok::<_, Infallible>(response)
    });
    layer.layer(inner).oneshot(request).await.unwrap().map(drop)
}

pub async fn admitted(layer: &LimitLayer, who: &str, times: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        admitted += usize::from(send(layer, by(who)).await.status() == StatusCode::OK);
    }
    admitted
}

/// How many scripts the server has run since it was last asked.
pub async fn scripts(server: &Server) -> u64 {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    assert_eq!(server.command("CONFIG RESETSTAT").await.unwrap(), "+OK");
    let calls = |line: &str| line.split_once("calls=")?.1.split_once(',')?.0.parse::<u64>().ok();
    stats.lines().filter(|line| line.starts_with("cmdstat_eval")).filter_map(calls).sum()
}

/// So much later says a server what it says.
pub async fn far_away(server: &Server, delay: Duration) -> String {
    let (listener, to) =
        (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), server.address());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(to).await.unwrap();
            let ((mut asks, mut hears), (mut says, mut asked)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut asks, &mut asked).await });
            tokio::spawn(async move {
                let mut said = [0; 4_096];
                while let Ok(length @ 1..) = says.read(&mut said).await {
                    tokio::time::sleep(delay).await;
                    if hears.write_all(said.get(..length).unwrap_or_default()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("redis://{address}")
}
