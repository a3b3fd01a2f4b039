//! The pool of Redis connections.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use buttress_core::{
    context::{self, Operation, RequestContext},
    source::Check,
};
use buttress_pool::{
    AcquireErrorKind, Backoff, ConfigErrorKind, ConnectErrorKind, Limits, Redis, RedisPool,
    deadpool_redis::redis::{self, AsyncCommands, RedisResult},
};
use buttress_testkit::redis::Server;
use http::HeaderValue;
use tokio::time::{sleep, timeout};

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

fn quick() -> Backoff {
    Backoff::new().first(ms(20)).longest(ms(50)).give_up_after(ms(10_000))
}

fn pool(url: String, limits: Limits) -> RedisPool {
    Redis::new(url).unwrap().limits(limits).command_timeout(ms(300)).pool().unwrap()
}

#[tokio::test]
async fn a_server_that_is_not_up_yet_is_waited_for_and_progress_is_shown() {
    let log = Log::new();
    let mut server = Server::start().await.unwrap();
    server.kill().unwrap();
    let pool = pool(server.url(), Limits::new().min_idle(2));
    let (connected, restarted) = tokio::join!(pool.connect_with_retry(quick()), async {
        until("two attempts", async || log.lines("no connection yet").len() >= 2).await;
        server.restart().await
    });
    restarted.unwrap();
    connected.unwrap();
    assert_eq!(pool.status().idle, 2);
    assert!(log.lines("no connection yet")[0].contains("the connection was refused"));
}

#[tokio::test]
async fn what_would_stay_wrong_fails_at_once_with_a_clear_word() {
    let server = Server::start().await.unwrap();
    assert_eq!(server.command("CONFIG SET requirepass right").await.unwrap(), "+OK");
    let at = server.address();
    let cases = [
        (format!("redis://:planted@{at}"), ConnectErrorKind::Credentials),
        (format!("redis://{at}"), ConnectErrorKind::Credentials),
        (format!("redis://:right@{at}/99"), ConnectErrorKind::NoDatabase),
    ];
    for (url, kind) in cases {
        let began = Instant::now();
        let error = pool(url, Limits::new()).connect_with_retry(quick()).await.unwrap_err();
        assert!(began.elapsed() < ms(2000), "{error}");
        assert_eq!((error.kind(), error.attempts()), (kind, 1), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
    pool(format!("redis://:right@{at}"), Limits::new()).connect_with_retry(quick()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_has_no_connection_left_is_waited_for() {
    let server = Server::start().await.unwrap();
    let all = pool(server.url(), Limits::new().min_idle(1));
    all.connect_with_retry(quick()).await.unwrap();
    assert_eq!(server.command("CONFIG SET maxclients 1").await.unwrap(), "+OK");
    let pool = pool(server.url(), Limits::new());
    let error = pool.connect_with_retry(quick().give_up_after(ms(0))).await.unwrap_err();
    assert!(error.kind().is_transient(), "{error:?}");
    let (connected, closed) =
        tokio::join!(pool.connect_with_retry(quick()), all.close_and_wait(ms(1000)));
    closed.unwrap();
    connected.unwrap();
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_costs_the_connection() {
    let server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().size(1));
    let mut held = pool.get().await.unwrap();
    let pop = held.blpop::<_, Option<(String, String)>>("queue", 0.0);
    assert!(timeout(ms(50), pop).await.is_err());
    drop(held);
    let mut next = pool.get().await.unwrap();
    let _: () = next.rpush("queue", "for another").await.unwrap();
    let left: u64 = next.llen("queue").await.unwrap();
    assert_eq!(left, 1, "nobody pops it who has left");
    assert_eq!(metric(&pool, "pool_closed_total", "abandoned"), 1.0);
}

#[tokio::test]
async fn a_watch_is_not_handed_on() {
    let server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().size(1));
    let mut first = pool.get().await.unwrap();
    let () = redis::cmd("WATCH").arg("a").query_async(&mut first).await.unwrap();
    drop(first);
    server.command("SET a 2").await.unwrap();
    let mut second = pool.get().await.unwrap();
    let set = redis::pipe().atomic().set("b", 1).query_async::<Option<()>>(&mut second).await;
    assert!(set.unwrap().is_some());
    assert_eq!(metric(&pool, "pool_created_total", "redis"), 1.0);
}

#[tokio::test]
async fn a_connection_that_was_changed_is_not_handed_on() {
    let server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().size(1));
    let mut first = pool.get().await.unwrap();
    let () = redis::cmd("select").arg(3).query_async(&mut first).await.unwrap();
    let _: () = first.set("a", 3).await.unwrap();
    drop(first);
    let other: Option<u64> = pool.get().await.unwrap().get("a").await.unwrap();
    assert_eq!(other, None);
    assert_eq!(metric(&pool, "pool_closed_total", "changed"), 1.0);
}

#[tokio::test]
async fn closing_names_what_is_still_out_and_long_use_is_warned_of() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().long_use(ms(50)));
    let (held, line) = (pool.get().await.unwrap(), line!());
    let place = format!("{}:{line}:", file!());
    until("it is warned of", async || !log.lines("out for long").is_empty()).await;
    assert!(log.lines("out for long")[0].contains(&place));
    let still = pool.close_and_wait(ms(50)).await.unwrap_err();
    assert!(still.to_string().contains(&place), "{still}");
    drop(held);
    pool.close_and_wait(ms(1000)).await.unwrap();
    assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Closed);
}

#[tokio::test]
async fn unused_connections_are_closed() {
    let server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().idle(ms(100)));
    drop(pool.get().await.unwrap());
    until("it is closed", async || pool.status().idle == 0).await;
    assert_eq!(metric(&pool, "pool_closed_total", "idle"), 1.0);
    sleep(ms(20)).await;
}

#[tokio::test]
async fn slow_lines_name_the_command_and_nothing_else() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let settings = Redis::new(server.url()).unwrap().slow_command(Duration::ZERO).name("cache");
    let pool = settings.pool().unwrap();
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static("0189-request"));
    let serve = request.scope(|| {
        context::in_request(async {
            let mut connection = pool.get().await.unwrap();
            let _: () = connection.set("planted", "planted").await.unwrap();
            let mut pipeline = redis::pipe();
            pipeline.get("planted").ignore().del("planted").ignore();
            let () = pipeline.query_async(&mut connection).await.unwrap();
            let own = redis::cmd("planted with words").query_async::<()>(&mut connection).await;
            own.unwrap_err();
            let mut module = redis::cmd("json.set");
            module.arg("planted").query_async::<()>(&mut connection).await.unwrap_err();
        })
    });
    serve.await;
    let lines = log.lines("slow statement");
    assert!(lines[0].contains("statement=\"SET\"") && lines[0].contains("0189-request"));
    assert!(lines[1].contains("statement=\"pipeline of 2: GET DEL\""), "{}", lines[1]);
    assert!(lines[2].contains("statement=\"?\""), "{}", lines[2]);
    assert!(lines[3].contains("statement=\"JSON.SET\""), "{}", lines[3]);
    assert!(!lines.concat().contains("planted"), "{lines:?}");
    assert_eq!(request.operations(Operation::Db).count, 4);
    assert_eq!(metric(&pool, "pool_slow_total", "cache"), 4.0);
}

#[tokio::test]
async fn no_password_is_in_any_debug_or_refusal() {
    let error = Redis::new("redis://:planted@host:port").unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Address);
    assert!(!format!("{error} {error:?}").contains("planted"));
    let settings = Redis::new("redis://app:planted@cache:6380/3").unwrap();
    let said = format!("{settings:?}");
    assert!(said.contains("cache:6380/3") && !said.contains("planted"), "{said}");
    let pool = settings.pool().unwrap();
    let said = format!("{pool:?} {:?} {:?}", pool.check(), pool.saturation());
    assert!(!said.contains("planted"), "{said}");
    let said = format!("{:?}", Redis::new("redis://app:planted@[::1]:6380/3").unwrap());
    assert!(said.contains("at: \"[::1]:6380/3\""), "{said}");
}

/// With a piece of the password as the port or the database, and so in the logs.
#[test]
fn an_address_that_would_be_misread_is_refused() {
    for address in [
        "redis://app:12345#planted@cache:6379/3",
        "redis://app:12345/planted@cache",
        "Redis://app:12345/678?planted@cache",
        " \u{1}valkey://app:12345/678?planted@cache",
    ] {
        let error = Redis::new(address).unwrap_err();
        assert!(error.to_string().contains("percent-encoded"), "{address}: {error}");
    }
    let right = format!("{:?}", Redis::new("redis://app:12345%23planted@cache/#insecure").unwrap());
    assert!(right.contains("cache:6379/0"), "{right}");
}

#[test]
fn what_asks_for_encryption_is_never_plain() {
    for address in ["rediss://:planted@cache", "ValkeyS://:planted@cache:6380/1"] {
        let error = Redis::new(address).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Tls);
        assert!(error.to_string().contains("tokio-rustls-comp"), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
}

/// As a server answers to a command that it does not know: with its arguments.
#[tokio::test]
async fn what_a_server_says_of_the_password_is_not_told() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let log = Log::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = vec![0; 4096];
            while stream.read(&mut asked).await.unwrap_or(0) > 0 {
                let answer = b"-ERR unknown command, with args beginning with: 'planted' \r\n";
                let _ = stream.write_all(&answer.repeat(8)).await;
            }
        }
    });
    for protocol in ["", "?protocol=resp3"] {
        let url = format!("redis://app:planted@{at}/{protocol}");
        let pool = pool(url, Limits::new().create(ms(2000)));
        let error = pool.connect_with_retry(quick()).await.unwrap_err();
        let got = pool.get().await.unwrap_err();
        let unhealthy = pool.check().check().await.unwrap_err();
        let mut told = format!("{error} {error:?} {got} {got:?} {unhealthy} {unhealthy:?}");
        for error in [&error as &dyn Error, &got, &unhealthy] {
            let mut source = error.source();
            while let Some(error) = source {
                told += &format!("{error} {error:?}");
                source = error.source();
            }
        }
        told += &log.text();
        assert!(!told.contains("planted"), "{told}");
        assert!(!error.kind().is_transient() && error.attempts() == 1, "{error}");
    }
}

/// The crate redis finds the host where it is meant, whatever is in the password, or refuses.
#[test]
fn a_piece_of_a_password_is_no_host() {
    for special in ["@", "/", "?", "#", "%", ":", "&", "="] {
        let address = format!("redis://app:hun{special}ter@cache:6380/3");
        match Redis::new(address.clone()) {
            Ok(settings) => {
                let said = format!("{settings:?}");
                assert!(said.contains("at: \"cache:6380/3\""), "{address}: {said}");
            }
            Err(error) => assert_eq!(error.kind(), ConfigErrorKind::Address, "{address}"),
        }
    }
}

#[tokio::test]
async fn a_reset_or_an_open_multi_is_not_handed_on() {
    let server = Server::start().await.unwrap();
    let pool = pool(format!("{}/3", server.url()), Limits::new().size(1));
    for command in ["RESET", "MULTI"] {
        let mut connection = pool.get().await.unwrap();
        let () = redis::cmd(command).query_async(&mut connection).await.unwrap();
        drop(connection);
        let _: () = pool.get().await.unwrap().set(command, 1).await.unwrap();
    }
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut pool.get().await.unwrap()).await.unwrap();
    assert_eq!(keys, 2, "in the database of the address");
}

#[tokio::test]
async fn after_a_restart_the_pool_recovers() {
    let mut server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().size(2));
    let mut held = pool.get().await.unwrap();
    let _: () = held.set("a", 1).await.unwrap();
    server.kill().unwrap();
    assert!(held.set::<_, _, ()>("a", 1).await.is_err());
    drop(held);
    assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Connect);
    server.restart().await.unwrap();
    let _: () = pool.get().await.unwrap().set("a", 1).await.unwrap();
    assert_eq!(metric(&pool, "pool_closed_total", "lost"), 1.0);
}

#[tokio::test]
async fn while_the_server_is_frozen_nothing_waits_for_ever() {
    let server = Server::start().await.unwrap();
    let limits = Limits::new().size(1).wait(ms(100)).create(ms(200)).recycle(ms(200));
    let pool = pool(server.url(), limits);
    let mut held = pool.get().await.unwrap();
    server.freeze().unwrap();
    let began = Instant::now();
    let (answer, waiter): (RedisResult<()>, _) = tokio::join!(held.set("a", 1), pool.get());
    assert!(answer.unwrap_err().is_timeout());
    assert_eq!(waiter.unwrap_err().kind(), AcquireErrorKind::Wait);
    assert!((ms(300)..ms(1000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    drop(held);
    assert_eq!(pool.status().idle, 0);
    let began = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert_eq!(error.connect_error().unwrap().kind(), ConnectErrorKind::Timeout);
    assert!(began.elapsed() < ms(1000));
    server.thaw().unwrap();
    let _: () = pool.get().await.unwrap().set("a", 1).await.unwrap();
    // One that lies in the pool does not answer either.
    server.freeze().unwrap();
    let began = Instant::now();
    assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Connect);
    assert!((ms(400)..ms(1000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(metric(&pool, "pool_timeouts_total", "recycle"), 1.0);
}
