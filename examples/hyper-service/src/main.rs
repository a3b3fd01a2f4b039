//! A hardened service on plain hyper: no framework, the same stack.
//!
//! `cargo run -p example-hyper`, and then `curl -i localhost:3000/users/1`. The variables that it is
//! started with are in `settings.rs`. `/ready`, `/live` and `/health` are for probes, and `/status`
//! for who has the `STATUS_TOKEN`.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use buttress::{
    Route, Stack,
    client_ip::Peer,
    limit::{Key, LimitLayer},
    log::{Setup, Sink},
    problem::install_panic_hook,
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

use crate::settings::{Settings, environment};

mod health;
mod routes;
mod settings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match environment().load::<Settings>() {
        Ok(settings) => settings,
        Err(report) => {
            // Where even stderr is closed, the exit code is all there is to say.
            let _ = writeln!(io::stderr(), "{report}");
            return ExitCode::from(2);
        }
    };
    // Stdout has the address alone. Dropped at the end, the guard writes out the lines that wait.
    let setup = Setup::new().service("example-hyper").sink(Sink::stderr());
    let _log = match settings.logging.setup(setup).and_then(Setup::init) {
        Ok(guard) => guard,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            return ExitCode::from(2);
        }
    };
    // Panics are lines too.
    install_panic_hook();
    settings.log();
    run(settings.into_inner()).await.unwrap_or_else(|error| {
        tracing::error!("{error}");
        ExitCode::FAILURE
    })
}

async fn run(settings: Settings) -> Result<ExitCode, Box<dyn Error>> {
    // From here on a SIGTERM is neither lost nor fatal.
    let shutdown = Shutdown::new(settings.termination.plan())?;
    let bind = settings.bind;
    let listener = async {
        let listener = TcpListener::bind(bind).await;
        listener.map_err(|error| format!("cannot listen on {bind}: {error}; BIND sets another"))
    };
    // What has to be there before a request comes. A signal that comes first ends it.
    if let Some(listener) = shutdown.boot(listener).await {
        serve(&shutdown, listener?, settings).await?;
    }
    Ok(shutdown.wait().await.code().into())
}

/// Until nothing more is to be served.
async fn serve(
    shutdown: &Shutdown,
    listener: TcpListener,
    settings: Settings,
) -> Result<(), Box<dyn Error>> {
    // By the client that the log shows.
    let limit = LimitLayer::new(Key::client(), settings.quotas.rules()?)?;
    let stack: Stack = Stack::production(settings.proxies.client_ip)
        .health(health::layer(shutdown, settings.status_token)?)
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
