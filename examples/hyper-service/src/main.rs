//! A hardened service on plain hyper: no framework, the same stack.
//!
//! `cargo run -p example-hyper`, and then `curl -i localhost:3000/users/1`. `BIND` sets another
//! address, `LOG_FORMAT`, `LOG_LEVEL` and `LOG_FILE` how it logs, `LIMIT_GENERAL` and `LIMIT_BURST`
//! how often a client may come: `100/15m`, `10/s`.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use buttress::{
    Route, Stack,
    client_ip::{ClientIp, Peer},
    limit::LimitLayer,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_http::add_extension::AddExtension;

mod bind;
mod limit;
mod log;
mod routes;

#[tokio::main]
async fn main() -> ExitCode {
    let _log = match log::init() {
        Ok(guard) => guard,
        Err(error) => {
            // Where even stderr is closed, the exit code is all there is to say.
            let _ = writeln!(io::stderr(), "{error}");
            return ExitCode::from(2);
        }
    };
    let limit = match limit::layer() {
        Ok(limit) => limit,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(2);
        }
    };
    match bind::listener().await {
        Ok(listener) => serve(listener, limit).await,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(listener: TcpListener, limit: LimitLayer) -> ExitCode {
    // Behind a proxy: `ClientIp::behind(["10.0.0.0/8"])?`.
    let stack: Stack = Stack::production(ClientIp::peer())
        .route(Route::from_fn(|uri, _| routes::template(uri.path())))
        .limit(limit);
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }
    let service = stack.layer(service_fn(routes::answer));

    // Without a timer hyper waits for ever for the rest of a request's headers; with it, 30 s. For
    // a client that never says a word hyper-util 0.1 has no limit: that is a proxy's to end.
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server.http2().timer(TokioTimer::new());

    if let Err(error) = announce(&listener) {
        tracing::error!(%error, "cannot tell the address");
        return ExitCode::FAILURE;
    }
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // A client that left before its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                // Out of file descriptors, mostly: time for some connections to end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // hyper shows the service no socket, so the peer's address rides in each request.
        let service = AddExtension::new(service.clone(), Peer::from(peer));
        let connection = server
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection broke");
            }
        });
    }
}

/// A line of its own on stdout, once connections are accepted.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()
}
