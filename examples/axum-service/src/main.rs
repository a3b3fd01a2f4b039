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
    process::ExitCode,
};

use axum::{Router, extract::ConnectInfo};
use buttress::{
    Compression, Cors, Stack, client_ip::ClientIp, log::AccessLog, metrics,
    problem::install_panic_hook,
};
use tokio::net::TcpListener;

use crate::{limits::Limits, numbers::Numbers, settings::Settings, upstream::Upstream};

mod error;
mod limits;
mod login;
mod numbers;
mod outbound;
mod page;
mod routes;
mod search;
mod settings;
mod tour;
mod upstream;

/// The origin of a front end on a developer's machine, whose pages may call this service.
const FRONT_END: &str = "http://localhost:5173";

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
    let Settings { address, log, client_ip, limits, numbers } = settings;
    // Dropped at the end, it writes out the lines that still wait.
    let log = log.init()?;
    // Panics are lines too.
    install_panic_hook();
    let upstream = Upstream::start(&numbers.called, upstream::OPEN).await?;
    let numbers = numbers.of_the_log(log.writer()).of_the_limits(&limits).of_upstream(&upstream);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; BIND sets another"))?;
    let address = listener.local_addr()?;
    let stack = stack(client_ip, &limits, &numbers)?;
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }
    limits.connected().await;
    writeln!(io::stdout(), "listening on http://{address}")?;
    serve(listener, app(address, stack, &limits, &numbers, upstream)?).await?;
    Ok(ExitCode::SUCCESS)
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
        .compression(Compression::new())
        .limit(limits.every.clone()))
}

/// The routes, in the stack. Those for operators are in it too, but for what is for pages, and for
/// the limit: who looks how the service does, needs to most when there is too much to do.
fn app(
    address: SocketAddr,
    stack: Stack,
    limits: &Limits,
    numbers: &Numbers,
    upstream: Upstream,
) -> Result<Router, metrics::ConfigError> {
    let operators = numbers.router()?.layer(stack.clone().cors(None).limit(None));
    Ok(routes::router(address, limits, numbers, upstream).layer(stack).merge(operators))
}

async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    // The peer's address goes into each request's extensions, where `stack` looks for it.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

fn refuse(advice: &str) -> ExitCode {
    complain(advice);
    ExitCode::from(2)
}

fn complain(what: &str) {
    // Where even stderr is closed, the exit code is all there is to say.
    let _ = writeln!(io::stderr(), "{what}");
}
