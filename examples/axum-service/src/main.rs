//! The Buttress reference service: a small, real service on axum, hardened by one layer.
//!
//! ```text
//! cargo run --release -p example-axum              serves on 127.0.0.1:3000
//! cargo run --release -p example-axum -- tour      shows and checks all of it, in a few seconds
//! cargo run -p example-axum -- --check-config      says what would hold, or all that is wrong
//! cargo run -p example-axum -- --print-env         prints a .env.example with all variables
//! ```

use std::{
    env,
    error::Error,
    fmt,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::{ExitCode, Termination},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, serve::ListenerExt};
use buttress::{
    Compression, Cors, Stack,
    client_ip::ClientIp,
    config::Loaded,
    log::AccessLog,
    metrics,
    problem::install_panic_hook,
    shutdown::{Report, Shutdown},
};
use tokio::net::TcpListener;

use crate::{
    books::Shelf,
    health::{Checks, Watched},
    limits::Limits,
    numbers::Numbers,
    routes::Service,
    secrets::{Keys, Secrets, routes::HoldsSecret},
    settings::{Settings, environment},
    upstream::Upstream,
};

mod books;
mod comments;
mod embedded;
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
usage: example-axum                   serve on 127.0.0.1:3000, or on what the variable BIND says
       example-axum tour              start the service on a free port, show it and check it
       example-axum --check-config    say what would hold, or all that is wrong, and do not start
       example-axum --print-env       print a .env.example with all variables
";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = env::args_os().skip(1).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let done = match *words {
        [] => match environment().load() {
            Ok(loaded) => run(loaded).await,
            Err(report) => return refuse(report),
        },
        ["tour"] => tour::run().await,
        ["--check-config"] => check_config(),
        ["--print-env"] => print_env(),
        _ => return refuse(USAGE.trim_end()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(format_args!("example-axum: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What would hold, or all that is wrong. Nothing is opened.
fn check_config() -> Result<ExitCode, Box<dyn Error>> {
    match environment().load::<Settings>() {
        Ok(loaded) => {
            write!(io::stdout(), "{}", loaded.table())?;
            if !loaded.report().is_empty() {
                complain(loaded.report());
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(report) => Ok(refuse(report)),
    }
}

fn print_env() -> Result<ExitCode, Box<dyn Error>> {
    write!(io::stdout(), "{}", environment().docs::<Settings>().env_example())?;
    Ok(ExitCode::SUCCESS)
}

async fn run(loaded: Loaded<Settings>) -> Result<ExitCode, Box<dyn Error>> {
    // From here on a SIGTERM is neither lost nor fatal.
    let shutdown = Shutdown::new(loaded.termination.plan())?;
    let keys = Keys::of(loaded.seal_key.as_ref(), loaded.seal_key_old.as_ref())?;
    let file = loaded.secrets_db.as_deref();
    let secrets = match Secrets::open(keys, file) {
        Ok(secrets) => secrets,
        Err(error) => {
            let file = file.unwrap_or(Path::new(""));
            return Ok(refuse(format_args!("SECRETS_DB={file:?}: {error}")));
        }
    };
    // Dropped at the end, it writes out the lines that still wait.
    let log = loaded.log_setup()?.init()?;
    // Panics are lines too.
    install_panic_hook();
    // What holds, and from where, without its secrets.
    loaded.log();
    secrets.announce().await;

    let settings = loaded.into_inner();
    let address = settings.bind;
    let shelf = Shelf::of(&settings)?;
    let limits = Limits::new(settings.quotas, settings.redis_url.as_ref())?;
    let numbers = Numbers::new(settings.metrics_token);
    let checks = Checks { status_token: settings.status_token, redis: settings.redis_url };
    let boot = async {
        let upstream = Upstream::start(&numbers.called, upstream::OPEN).await?;
        // When nobody calls it any more.
        shutdown.phase("upstream", CLOSING, upstream.closed())?;
        let books = shelf.open(&shutdown).await?;
        limits.connected().await;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}; BIND sets another"))?;
        Ok::<_, Box<dyn Error>>((upstream, books, listener))
    };
    let Some(booted) = shutdown.boot(boot).await else {
        // A signal came first.
        return Ok(shutdown.wait().await.report());
    };
    let (upstream, books, listener) = booted?;
    let address = listener.local_addr()?;
    let Watched { health, layer, pulse } = checks.watch(&shutdown, &upstream, &secrets, &books)?;
    let numbers = numbers.of_the_log(log.writer()).of_the_limits(&limits);
    let numbers = numbers.of_upstream(&upstream).of_the_books(&books).of_the_health(&health);
    let stack =
        stack(settings.proxies.client_ip, &limits, &numbers)?.health(layer).drain(shutdown.layer());
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }
    let pulse = pulse::start(&shutdown, pulse);
    let service = Service::new(address, &numbers, upstream, secrets, books, &shutdown, pulse);
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

fn refuse(advice: impl fmt::Display) -> ExitCode {
    complain(advice);
    ExitCode::from(2)
}

fn complain(what: impl fmt::Display) {
    // Where even stderr is closed, the exit code is all there is to say.
    let _ = writeln!(io::stderr(), "{what}");
}
