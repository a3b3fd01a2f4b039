//! When the service starts: is there a server, and does it take us?

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{error::Error, time::Instant};

use buttress_pool::{
    AcquireErrorKind, Backoff, ConfigErrorKind, ConnectErrorKind, Limits, PgPool, Postgres, Secret,
    deadpool_postgres::tokio_postgres::NoTls,
};
use buttress_testkit::postgres::{PASSWORD, Server};
use tokio::net::{TcpListener, TcpStream};

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

fn quick() -> Backoff {
    Backoff::new().first(ms(20)).longest(ms(50)).give_up_after(ms(10_000))
}

fn pool(url: String) -> PgPool {
    Postgres::new(url).unwrap().limits(Limits::new().size(2).create(ms(1000))).pool().unwrap()
}

#[tokio::test]
async fn a_server_that_is_not_up_yet_is_waited_for_and_progress_is_shown() {
    let log = Log::new();
    let mut server = Server::start().await.unwrap();
    server.kill().unwrap();
    let pool = pool(server.url());
    let connect = pool.connect_with_retry(quick());
    let (connected, restarted) = tokio::join!(connect, async {
        until("two attempts", async || log.lines("no connection yet").len() >= 2).await;
        server.restart().await
    });
    restarted.unwrap();
    connected.unwrap();
    assert_eq!(pool.status().idle, 1);
    let progress = log.lines("no connection yet");
    assert!(progress[0].contains("attempts=1") && progress[1].contains("attempts=2"));
    assert!(progress[0].contains("the connection was refused"), "{}", progress[0]);
    assert!(log.lines(" connected")[0].contains(&server.address().to_string()));
    assert!(!log.text().contains(PASSWORD));
}

#[tokio::test]
async fn a_server_that_starts_up_is_waited_for() {
    // It recovers for as long as it takes to send everybody away with 57P03.
    let mut server = Server::start().await.unwrap();
    server.kill().unwrap();
    let pool = pool(server.url());
    let listener = TcpListener::bind(server.address()).await.unwrap();
    let refuse = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        stream.write_u8(b'E').await.unwrap();
        stream.write_u32(4 + u32::try_from(fields.len()).unwrap()).await.unwrap();
        stream.write_all(fields).await.unwrap();
    };
    let once = Backoff::new().give_up_after(ms(0));
    let (error, ()) = tokio::join!(pool.connect_with_retry(once), refuse);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::NotReady);
    assert!(error.kind().is_transient());
    drop(listener);
    server.restart().await.unwrap();
    pool.connect_with_retry(quick()).await.unwrap();
}

#[tokio::test]
async fn what_would_stay_wrong_fails_at_once_with_a_clear_word() {
    let server = Server::start().await.unwrap();
    let right = server.url();
    let cases = [
        (right.replace(PASSWORD, "wrong-planted"), ConnectErrorKind::Credentials, "password"),
        (right.replace("test:", "nobody:"), ConnectErrorKind::Credentials, "user"),
        (right.replace("/postgres", "/nowhere"), ConnectErrorKind::NoDatabase, "no such database"),
        (right.replace(&format!(":{PASSWORD}"), ""), ConnectErrorKind::Other, "password missing"),
        (format!("{right}?options=-c%20a%3Db"), ConnectErrorKind::Other, "SQLSTATE 42704"),
    ];
    for (url, kind, word) in cases {
        let began = Instant::now();
        let error = pool(url).connect_with_retry(quick()).await.unwrap_err();
        assert!(began.elapsed() < ms(2000), "{error}");
        assert_eq!((error.kind(), error.attempts()), (kind, 1), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(error.to_string().contains(&server.address().to_string()), "{error}");
        let said = format!("{error} {error:?} {:?}", error.source());
        assert!(!said.contains("planted"), "{said}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_tried_until_the_time_is_over() {
    let pool = pool("postgres://app@nobody.invalid/shop".into());
    let error = pool.connect_with_retry(quick().give_up_after(ms(300))).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Unreachable);
    assert!(error.to_string().contains("it cannot be reached: "), "{error}");
    assert!(error.attempts() > 1 && error.to_string().contains("attempts in"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let server = Server::start().await.unwrap();
    server.freeze().unwrap();
    let once = Backoff::new().give_up_after(ms(0));
    let pool = Postgres::new(server.url()).unwrap().limits(Limits::new().create(ms(200)));
    let pool = pool.pool().unwrap();
    let began = Instant::now();
    let error = pool.connect_with_retry(once).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout);
    assert!((ms(200)..ms(1000)).contains(&began.elapsed()));
    assert_eq!(metric(&pool, "pool_timeouts_total", "create"), 1.0);
    assert_eq!(metric(&pool, "pool_create_failures_total", "postgres"), 1.0);
}

#[tokio::test]
async fn a_server_that_has_no_connection_left_is_waited_for() {
    let server = Server::start_with(&[("max_connections", "5")]).await.unwrap();
    let all = Postgres::new(server.url()).unwrap().limits(Limits::new().size(5).min_idle(5));
    let all = all.pool().unwrap();
    // Those of the server's own start may be there a moment longer.
    all.connect_with_retry(quick()).await.unwrap();
    let pool = pool(server.url());
    let error = pool.get().await.unwrap_err();
    assert_eq!(error.kind(), AcquireErrorKind::Connect);
    assert_eq!(error.connect_error().unwrap().kind(), ConnectErrorKind::Full);
    let (connected, closed) =
        tokio::join!(pool.connect_with_retry(quick()), all.close_and_wait(ms(1000)));
    closed.unwrap();
    connected.unwrap();
}

#[tokio::test]
async fn the_least_number_is_open_from_the_start() {
    let server = Server::start().await.unwrap();
    let limits = Limits::new().size(4).min_idle(3);
    let pool = Postgres::new(server.url()).unwrap().limits(limits).pool().unwrap();
    pool.connect_with_retry(quick()).await.unwrap();
    let status = pool.status();
    assert_eq!((status.idle, status.out, status.max), (3, 0, 4));
    assert_eq!(metric(&pool, "pool_created_total", "postgres"), 3.0);
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_when_it_is_made() {
    let right = || Postgres::new("postgres://app:planted@db/shop").unwrap();
    let kinds = [
        Postgres::new("postgres://app:planted@").unwrap_err().kind(),
        Postgres::new("what=planted").unwrap_err().kind(),
        right().name("").pool().unwrap_err().kind(),
        right().limits(Limits::new().size(0)).pool().unwrap_err().kind(),
        right().statement_timeout(ms(0)).pool().unwrap_err().kind(),
    ];
    use ConfigErrorKind::{Address, Name, Size, Time};
    assert_eq!(kinds, [Address, Address, Name, Size, Time]);
}

#[tokio::test]
async fn what_asks_for_encryption_is_never_plain() {
    let server = Server::start().await.unwrap();
    let with = |parameters: &str| Postgres::new(server.url() + parameters).unwrap();
    // Without a connector it is refused when it is made.
    let keywords = Postgres::new(server.keywords() + " sslmode=require").unwrap();
    for settings in [with("?sslmode=require"), with("?sslnegotiation=direct"), keywords] {
        let error = settings.pool().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Tls);
        assert!(error.to_string().contains("Postgres::tls"), "{error}");
    }
    // With one that cannot, or a server that cannot, it is an error, also where nobody has said
    // so: a connector is there to be used.
    let named = |parameters: &str| Postgres::new(server.keywords() + parameters).unwrap();
    for settings in [
        with("?sslmode=require"),
        with("?sslmode=prefer&sslmode=require"),
        with(""),
        // Nobody has said so here either.
        with("?application_name=a sslmode=b"),
        named(" application_name='a sslmode=b'"),
        named(" application_name = sslmode"),
    ] {
        let pool = settings.tls(NoTls).pool().unwrap();
        let error = pool.connect_with_retry(quick()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ConnectErrorKind::Other, 1));
        assert!(
            error.to_string().contains("it cannot be used: ") && error.to_string().contains("TLS")
        );
    }
    // Where the address says that it need not be, it need not.
    for settings in [
        with("?sslmode=prefer"),
        with("?application_name=a&ssl%6Dode=disable"),
        named(" sslmode = 'prefer'"),
    ] {
        settings.tls(NoTls).pool().unwrap().get().await.unwrap();
    }
}

#[test]
fn a_parameter_that_the_driver_does_not_know_is_named_and_nothing_else() {
    let cases = [
        ("postgres://app:planted@db/shop?sslmode=verify-full", "sslmode is disable, prefer or"),
        ("host=db password=planted sslmode=planted", "sslmode is disable, prefer or"),
        ("postgres://app:planted@db:planted/shop", "port has a value that is none"),
        ("postgres://app@db/shop?planted=planted", "host/database"),
        ("host=db password=plan planted=1", "host/database"),
    ];
    for (address, said) in cases {
        let error = Postgres::new(address).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
}

#[test]
fn without_a_runtime_there_is_no_pool() {
    let error = Postgres::new("postgres://app@db/shop").unwrap().pool().unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Runtime);
}

#[tokio::test]
async fn no_password_is_in_any_debug() {
    let address = Secret::from("postgres://app:planted@db:5433/shop?options=-cfoo%3Dplanted");
    let settings = Postgres::new(address).unwrap();
    let said = format!("{settings:?}");
    assert!(said.contains("db:5433/shop") && !said.contains("planted"), "{said}");
    let pool = settings.pool().unwrap();
    let said = format!("{pool:?} {:?} {:?}", pool.check(), pool.saturation());
    assert!(said.contains("db:5433/shop") && !said.contains("planted"), "{said}");
}

#[test]
fn where_a_server_is_can_be_read() {
    let cases = [
        ("postgres://app@[::1]:5433/shop", "[::1]:5433/shop"),
        ("postgres://app@one,two:6/shop", "one:5432,two:6/shop"),
        ("postgres://app@%2Frun%2Fpostgresql/shop", "/run/postgresql:5432/shop"),
        ("postgres:///shop?host=/run/postgresql&port=6", "/run/postgresql:6/shop"),
        ("hostaddr=::1 user=app", "[::1]:5432/app"),
    ];
    for (address, at) in cases {
        let said = format!("{:?}", Postgres::new(address).unwrap());
        assert!(said.contains(&format!("at: {at:?}")), "{said}");
    }
}

#[tokio::test]
async fn an_address_of_which_a_host_would_be_a_piece_of_the_password_is_refused() {
    let misread = [
        "postgres://app:hun@planted@db/shop",
        "postgres://app:hun@planted/ted@db/shop",
        "postgres://app:hun/ter@planted:5432/shop",
        "postgres://app:hun?ter@planted/shop",
        "postgresql://db:5432/shop?password=hun@planted",
        "postgres://app@db/shop&password=planted",
    ];
    for address in misread {
        let error = Postgres::new(address).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Address, "{address}");
        assert!(error.to_string().contains("percent-encoded"), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
    let right = [
        "postgres://app:pl%40nt%2Fed%3F@db/shop?application_name=me@home",
        "postgres://app:pl#nted@one:5432,[::1]:5433/shop",
        "postgres:///shop?host=/run/postgresql",
        "host=db user=app password=a://b@c@d/e?f dbname=shop",
    ];
    for address in right {
        let said = format!("{:?}", Postgres::new(address).unwrap());
        assert!(!["pl@", "pl#", "a://"].iter().any(|secret| said.contains(secret)), "{said}");
    }
}

#[tokio::test]
async fn of_several_hosts_one_that_lives_is_taken() {
    let server = Server::start().await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (at, both) = (server.address().to_string(), format!("{gone},{}", server.address()));
    let pool = pool(server.url().replace(&at, &both));
    pool.connect_with_retry(quick()).await.unwrap();
    assert!(format!("{pool:?}").contains(&format!("{both}/postgres")), "{pool:?}");
}

#[tokio::test]
async fn an_attempt_that_opens_many_ends_with_its_time() {
    let server = Server::start().await.unwrap();
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (from, to) = (slow.local_addr().unwrap(), server.address());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = slow.accept().await {
            tokio::spawn(async move {
                tokio::time::sleep(ms(250)).await;
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    let url = server.url().replace(&to.to_string(), &from.to_string());
    let limits = Limits::new().size(20).min_idle(20).wait(ms(100)).create(ms(500)).recycle(ms(100));
    let pool = Postgres::new(url).unwrap().limits(limits).pool().unwrap();
    let began = Instant::now();
    let error = pool.connect_with_retry(quick().give_up_after(ms(300))).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout);
    assert!((ms(900)..ms(2000)).contains(&began.elapsed()), "{:?}", began.elapsed());
}
