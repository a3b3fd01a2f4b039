//! A hardened service on plain hyper: no framework, the same stack.
//!
//! `cargo run -p example-hyper`, and then `curl -i localhost:3000/users/1`. `BIND` sets another
//! address, `LOG_FORMAT`, `LOG_LEVEL` and `LOG_FILE` how it logs, `LIMIT_GENERAL` and `LIMIT_BURST`
//! how often a client may come: `100/15m`, `10/s`. `SHUTDOWN_GRACE` and `SHUTDOWN_PRE_STOP` say how
//! much time there is to end: `30s`, `5s`. `/ready`, `/live` and `/health` are for probes, and
//! `/status` for who has the `STATUS_TOKEN`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use buttress::{
    Route, Stack,
    client_ip::{ClientIp, Peer},
    health::HealthLayer,
    limit::LimitLayer,
    shutdown::Shutdown,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_http::add_extension::AddExtension;

mod bind;
mod health;
mod limit;
mod log;
mod routes;
mod shutdown;

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
    let refused = |error: String| {
        tracing::error!("{error}");
        ExitCode::from(2)
    };
    let (shutdown, limit) = match (shutdown::begin(), limit::layer()) {
        (Ok(shutdown), Ok(limit)) => (shutdown, limit),
        (Err(error), _) => return refused(error),
        (_, Err(error)) => return refused(error.to_string()),
    };
    // What has to be there before a request comes. A signal that comes first ends it.
    let boot = async { Ok::<_, String>((bind::listener().await?, health::layer(&shutdown)?)) };
    match shutdown.boot(boot).await {
        Some(Ok((listener, health))) => {
            if let Err(error) = serve(&shutdown, listener, health, limit).await {
                tracing::error!(%error, "cannot tell the address");
                return ExitCode::FAILURE;
            }
        }
        Some(Err(error)) => return refused(error),
        None => {}
    }
    shutdown.wait().await.code().into()
}

/// Until nothing more is to be served.
async fn serve(
    shutdown: &Shutdown,
    listener: TcpListener,
    health: HealthLayer,
    limit: LimitLayer,
) -> io::Result<()> {
    // Behind a proxy: `ClientIp::behind(["10.0.0.0/8"])?`.
    let stack: Stack = Stack::production(ClientIp::peer())
        .health(health)
        .drain(shutdown.layer())
        .route(Route::from_fn(|uri, _| routes::template(uri.path())))
        .limit(limit);
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }
    let service = stack.layer(service_fn(routes::answer));

    // Without a timer hyper waits for ever for the rest of a request's headers; with it, 30 s. Who
    // never says a word is closed by the listener, after as long.
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server.http2().timer(TokioTimer::new());

    announce(&listener)?;
    let mut listener = shutdown.listener(listener);
    let graceful = GracefulShutdown::new();
    while let Some((stream, peer)) = listener.accept().await {
        // hyper shows the service no socket, so the peer's address rides in each request.
        let service = AddExtension::new(service.clone(), Peer::from(peer));
        let connection = server
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection broke");
            }
        });
    }
    // It tells each connection, and would wait for the last of them for ever; this does not.
    shutdown.serve(graceful.shutdown()).await;
    Ok(())
}

/// A line of its own on stdout, once connections are accepted.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()
}
