//! Clients of ours, over sockets.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::io::{ErrorKind, Write};

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
