//! The private Postgres server.

use std::{io::Read, net::TcpStream, time::Duration};

use buttress_testkit::postgres::{PASSWORD, Server};
use tokio::time::timeout;

#[tokio::test]
async fn each_server_is_alone_and_takes_its_own_settings() {
    let settings = [("max_connections", "7")];
    let (one, two) = tokio::join!(Server::start(), Server::start_with(&settings));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.address(), two.address());
    one.sql("CREATE TABLE here (n int)").await.unwrap();
    assert!(two.sql("SELECT * FROM here").await.unwrap_err().to_string().contains("not exist"));
    assert_eq!(two.sql("SHOW max_connections").await.unwrap(), "7");
    assert_ne!(one.sql("SHOW max_connections").await.unwrap(), "7");
}

#[tokio::test]
async fn a_setting_that_is_wrong_says_so_at_once() {
    let failure = Server::start_with(&[("max_connections", "many")]).await.unwrap_err();
    assert!(failure.to_string().contains("max_connections"), "{failure}");
}

#[tokio::test]
async fn the_password_is_asked_for_and_the_log_tells() {
    let server = Server::start().await.unwrap();
    assert_eq!(server.url(), format!("postgres://test:{PASSWORD}@{}/postgres", server.address()));
    assert!(server.keywords().contains(&format!("port={}", server.address().port())));
    server.sql("DO $$ BEGIN RAISE LOG 'heard'; END $$").await.unwrap();
    assert!(server.log().unwrap().contains("heard"));
    let hba = server.sql("SELECT DISTINCT auth_method FROM pg_hba_file_rules").await.unwrap();
    assert_eq!(hba, "scram-sha-256");
}

#[tokio::test]
async fn a_frozen_server_takes_connections_and_answers_when_it_is_thawed() {
    let server = Server::start().await.unwrap();
    let slow = server.sql("SELECT pg_sleep(0.3)");
    tokio::pin!(slow);
    // It is under way, on a process of its own.
    assert!(timeout(Duration::from_millis(150), &mut slow).await.is_err());
    server.freeze().unwrap();
    assert!(TcpStream::connect(server.address()).is_ok());
    let new = server.sql("SELECT 1");
    tokio::pin!(new);
    let both = async { tokio::join!(&mut slow, &mut new) };
    assert!(timeout(Duration::from_millis(500), both).await.is_err());
    server.thaw().unwrap();
    assert_eq!(slow.await.unwrap(), "");
    assert_eq!(new.await.unwrap(), "1");
}

#[tokio::test]
async fn a_killed_server_refuses_and_comes_back_on_its_port_with_what_was_committed() {
    let mut server = Server::start().await.unwrap();
    let address = server.address();
    server.sql("CREATE TABLE here (n int)").await.unwrap();
    server.sql("INSERT INTO here VALUES (1)").await.unwrap();
    let mut open = TcpStream::connect(address).unwrap();
    server.kill().unwrap();
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(open.read(&mut [0]).unwrap_or(0), 0);
    server.restart().await.unwrap();
    assert_eq!(server.address(), address);
    assert_eq!(server.sql("SELECT n FROM here").await.unwrap(), "1");
    server.restart().await.unwrap();
    assert_eq!(server.sql("SELECT n FROM here").await.unwrap(), "1");
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let mut one = Server::start().await.unwrap();
    let two = Server::start().await.unwrap();
    let addresses = [one.address(), two.address()];
    one.kill().unwrap();
    two.freeze().unwrap();
    drop((one, two));
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
}
