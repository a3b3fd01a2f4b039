//! A small TCP balancer that follows `/ready`.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// The instances, and whether each was ready when it was last asked.
#[derive(Clone, Default)]
pub(crate) struct Balancer(Arc<Mutex<Vec<(u16, bool)>>>);

impl Balancer {
    /// Listens, asks every instance every 20 ms, and gives its port.
    pub(crate) async fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asking = self.clone();
        tokio::spawn(async move {
            loop {
                asking.ask().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let (balancer, turn) = (self.clone(), AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let ready = balancer.ready();
                if ready.is_empty() {
                    continue;
                }
                let port = ready[turn.fetch_add(1, Ordering::SeqCst) % ready.len()];
                tokio::spawn(async move {
                    if let Ok(mut instance) = TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = copy_bidirectional(&mut client, &mut instance).await;
                    }
                });
            }
        });
        port
    }

    pub(crate) fn add(&self, port: u16) {
        self.0.lock().unwrap().push((port, false));
    }

    pub(crate) fn remove(&self, port: u16) {
        self.0.lock().unwrap().retain(|(other, _)| *other != port);
    }

    pub(crate) fn ready(&self) -> Vec<u16> {
        self.0.lock().unwrap().iter().filter(|(_, ready)| *ready).map(|(port, _)| *port).collect()
    }

    pub(crate) async fn until_ready(&self, number: usize) {
        while self.ready().len() < number {
            tokio::task::yield_now().await;
        }
    }

    async fn ask(&self) {
        let ports: Vec<u16> = self.0.lock().unwrap().iter().map(|(port, _)| *port).collect();
        for port in ports {
            let is_ready = is_ready(port).await.unwrap_or(false);
            for (other, ready) in &mut *self.0.lock().unwrap() {
                if *other == port {
                    *ready = is_ready;
                }
            }
        }
    }
}

async fn is_ready(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
