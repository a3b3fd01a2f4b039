//! Clients of ours, over sockets.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::io::{ErrorKind, Read, Write};

use buttress_core::lifecycle::{Lifecycle, State};
use buttress_health::{HealthLayer, Registry, probe};

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_asks_as_a_container_does() {
    let lifecycle = Lifecycle::new();
    let (health, _runner) = Registry::new().lifecycle(&lifecycle).split();
    let router = axum::Router::<()>::new().fallback(|| async { "hello" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = router.layer(HealthLayer::new(&health));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let ask = async |url: String| tokio::task::spawn_blocking(move || probe(&url)).await.unwrap();

    assert!(ask(format!("http://{address}/livez")).await.is_ok());
    assert!(ask(format!("http://{address}/readyz")).await.is_err());
    lifecycle.advance(State::Running);
    assert!(ask(format!("http://{address}/readyz")).await.is_ok());
    for url in [format!("https://{address}/readyz"), "/readyz".into(), "a b".into()] {
        assert_eq!(ask(url).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_server_that_falls_silent_does_not_hold_a_probe() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1");
        stream
    });
    let start = std::time::Instant::now();
    let error = probe(&format!("http://{address}/")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
    assert!(start.elapsed().as_secs() < 5);
    drop(server.join());
}

/// RFC 9112 §3.2: the port belongs to it; and nobody is told a password.
#[test]
fn a_probe_names_the_host_as_the_url_does() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        String::from_utf8(head).unwrap()
    });
    probe(&format!("http://me:secret@{address}/readyz?a=b")).unwrap();
    let head = server.join().unwrap();
    let expected =
        format!("GET /readyz?a=b HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    assert_eq!(head, expected);
}

#[cfg(feature = "tcp")]
#[tokio::test]
async fn a_tcp_check_passes_while_somebody_listens() {
    use buttress_core::source::Check;
    use buttress_health::TcpCheck;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let check = TcpCheck::new("smtp", address.to_string());
    assert!(check.check().await.is_ok());
    drop(listener);
    let error = check.check().await.unwrap_err();
    assert_eq!(error.public(), "no connection");
    assert!(!error.is_degraded());
}

#[cfg(feature = "tcp")]
#[tokio::test]
async fn an_http_check_passes_on_any_2xx_and_nothing_else() {
    use axum::{Router, http::StatusCode, routing::get};
    use buttress_core::source::Check;
    use buttress_health::{ConfigErrorKind, HttpCheck};

    let app: Router = Router::new()
        .route("/ok", get(|| async { "fine" }))
        .route("/none", get(|| async { StatusCode::NO_CONTENT }))
        .route("/moved", get(|| async { StatusCode::FOUND }))
        .route("/down", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    for (path, expected) in
        [("ok", Ok(200_u16)), ("none", Ok(204)), ("moved", Err(302_u16)), ("down", Err(503))]
    {
        let check = HttpCheck::new("search", &format!("http://{address}/{path}")).unwrap();
        let (result, status) = match check.check().await {
            Ok(report) => (true, report.data().next().map(|(_, value)| value.clone())),
            Err(error) => {
                assert_eq!(error.public(), "unexpected status");
                (false, error.data().next().map(|(_, value)| value.clone()))
            }
        };
        let (Ok(code) | Err(code)) = expected;
        assert_eq!((result, status), (expected.is_ok(), Some(code.into())), "{path}");
    }

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = silent.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 mail ESMTP\r\n").await.unwrap();
    });
    let check = HttpCheck::new("search", &format!("http://{address}/")).unwrap();
    assert_eq!(check.check().await.unwrap_err().public(), "no HTTP");
    assert_eq!(check.check().await.unwrap_err().public(), "no answer");

    for url in ["https://a/", "a", "", "http://user:hunter2@"] {
        let error = HttpCheck::new("search", url).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Url, "{url}");
        assert_eq!(error.to_string(), "search: no http:// URL");
    }
}
