//! The private Redis server.

use std::{net::TcpStream, time::Duration};

use buttress_testkit::redis::Server;
use tokio::time::timeout;

#[tokio::test]
async fn each_server_is_alone_and_keeps_what_it_is_told() {
    let (one, two) = tokio::join!(Server::start(), Server::start());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.address(), two.address());
    assert_eq!(one.url(), format!("redis://{}", one.address()));
    assert_eq!(one.command("INCR n").await.unwrap(), ":1");
    assert_eq!(one.command("INCR n").await.unwrap(), ":2");
    assert_eq!(two.command("INCR n").await.unwrap(), ":1");
}

#[tokio::test]
async fn a_frozen_server_takes_connections_and_answers_when_it_is_thawed() {
    let server = Server::start().await.unwrap();
    server.freeze().unwrap();
    let answer = server.command("PING");
    tokio::pin!(answer);
    assert!(timeout(Duration::from_millis(100), &mut answer).await.is_err());
    server.thaw().unwrap();
    assert_eq!(answer.await.unwrap(), "+PONG");
}

#[tokio::test]
async fn a_killed_server_refuses_and_comes_back_empty_on_its_port() {
    let mut server = Server::start().await.unwrap();
    let address = server.address();
    server.command("INCR n").await.unwrap();
    server.kill().unwrap();
    assert!(TcpStream::connect(address).is_err());
    server.restart().await.unwrap();
    assert_eq!(server.address(), address);
    assert_eq!(server.command("INCR n").await.unwrap(), ":1");
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = Server::start().await.unwrap();
    let address = server.address();
    server.freeze().unwrap();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
