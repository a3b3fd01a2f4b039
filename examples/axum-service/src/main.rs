//! The Buttress reference service: a small, real service on axum, hardened by one layer.
//!
//! ```text
//! cargo run --release -p example-axum              serves on 127.0.0.1:3000
//! cargo run --release -p example-axum -- tour      shows and checks all of it, in a few seconds
//! ```

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    process::{ExitCode, Termination},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, serve::ListenerExt};
use buttress::{
    Compression, Cors, Stack,
    client_ip::ClientIp,
    log::AccessLog,
    metrics,
    problem::install_panic_hook,
    shutdown::{Report, Shutdown},
};
use tokio::net::TcpListener;

use crate::{
    health::Watched, limits::Limits, numbers::Numbers, routes::Service,
    secrets::routes::HoldsSecret, settings::Settings, upstream::Upstream,
};

mod comments;
mod error;
mod guards;
mod health;
mod limits;
mod login;
mod numbers;
mod outbound;
mod page;
mod pulse;
mod routes;
mod search;
mod secrets;
mod settings;
mod socket;
mod tour;
mod upload;
mod upstream;

/// The origin of a front end on a developer's machine, whose pages may call this service.
const FRONT_END: &str = "http://localhost:5173";

/// How long the service that is called may take to end.
const CLOSING: Duration = Duration::from_secs(1);

/// How long an upload may take: what it waits for, which has a limit of its own, and what it does.
const UPLOADING: Duration = Duration::from_secs(120);

const USAGE: &str = "\
usage: example-axum         serve on 127.0.0.1:3000, or on what the variable BIND says
       example-axum tour    start the service on a free port, show it and check it
";

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let done = match (words.next(), words.next()) {
        (None, _) => match Settings::from_env() {
            Ok(settings) => run(settings).await,
            Err(advice) => return refuse(&advice),
        },
        (Some(word), None) if word == "tour" => tour::run().await,
        _ => return refuse(USAGE.trim_end()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("example-axum: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<ExitCode, Box<dyn Error>> {
    let Settings { address, log, client_ip, limits, numbers, checks, secrets, shutdown } = settings;
    // Dropped at the end, it writes out the lines that still wait.
    let log = log.init()?;
    // Panics are lines too.
    install_panic_hook();
    secrets.announce().await;
    let boot = async {
        let upstream = Upstream::start(&numbers.called, upstream::OPEN).await?;
        // When nobody calls it any more.
        shutdown.phase("upstream", CLOSING, upstream.closed())?;
        limits.connected().await;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}; BIND sets another"))?;
        Ok::<_, Box<dyn Error>>((upstream, listener))
    };
    let Some(booted) = shutdown.boot(boot).await else {
        // A signal came first.
        return Ok(shutdown.wait().await.report());
    };
    let (upstream, listener) = booted?;
    let address = listener.local_addr()?;
    let Watched { health, layer, pulse } = checks.watch(&shutdown, &upstream, &secrets)?;
    let numbers = numbers.of_the_log(log.writer()).of_the_limits(&limits);
    let numbers = numbers.of_upstream(&upstream).of_the_health(&health);
    let stack = stack(client_ip, &limits, &numbers)?.health(layer).drain(shutdown.layer());
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }
    let pulse = pulse::start(&shutdown, pulse);
    let service = Service::new(address, &numbers, upstream, secrets, &shutdown, pulse);
    let app = app(service, stack, &limits, &numbers)?;
    writeln!(io::stdout(), "listening on http://{address}")?;
    // What drained, and what had to be ended. It has the exit code too.
    Ok(serve(&shutdown, listener, app).await?.report())
}

/// What stands around the routes. The order is the stack's business, not ours.
fn stack(client_ip: ClientIp, limits: &Limits, numbers: &Numbers) -> Result<Stack, Box<dyn Error>> {
    let client_ip = client_ip.peer_from(|extensions| {
        extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
    });
    Ok(Stack::production(client_ip)
        // A scrape every few seconds is no news, unless it fails.
        .log(AccessLog::new().skip(["/metrics"])?)
        .metrics(numbers.served.clone())
        .cors(Cors::allow([FRONT_END])?)
        .compression(Compression::new().unless(HoldsSecret::marks))
        .limit(limits.every.clone())
        .sanitize(numbers.guards.every.clone()))
}

/// The routes, in the stack. Uploads are in one that takes more, of another kind, and waits for it
/// longer. Those for operators are in it too, but for what is for pages, and for
/// the limit: who looks how the service does, needs to most when there is too much to do. The
/// probes are the stack's own, before everything else.
fn app(
    service: Service,
    stack: Stack,
    limits: &Limits,
    numbers: &Numbers,
) -> Result<Router, metrics::ConfigError> {
    let operators = numbers.router()?.layer(stack.clone().cors(None).limit(None));
    let uploads = stack
        .clone()
        .timeout(UPLOADING)
        .body_limit(guards::UPLOAD)
        .sanitize(numbers.guards.uploads.clone());
    let uploads = routes::uploads().layer(uploads);
    Ok(routes::router(service, limits).layer(stack).merge(uploads).merge(operators))
}

/// Serves until the shutdown has come to its end.
async fn serve(shutdown: &Shutdown, listener: TcpListener, app: Router) -> io::Result<Report> {
    let listener = shutdown.listener(listener).tap_io(|_| {});
    // The peer's address goes into each request's extensions, where `stack` looks for it.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.not_accepting());
    if let Some(served) = shutdown.serve(server).await {
        served?;
    }
    Ok(shutdown.wait().await)
}

fn refuse(advice: &str) -> ExitCode {
    complain(advice);
    ExitCode::from(2)
}

fn complain(what: &str) {
    // Where even stderr is closed, the exit code is all there is to say.
    let _ = writeln!(io::stderr(), "{what}");
}
