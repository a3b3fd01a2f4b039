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
use buttress::{Compression, Cors, OriginError, Stack, client_ip::ClientIp, observe::ObserveLayer};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{access::AccessLog, error::MaskPanic};

mod access;
mod error;
mod log;
mod outbound;
mod page;
mod routes;
mod tour;

/// The origin of a front end on a developer's machine, whose pages may call this service.
const FRONT_END: &str = "http://localhost:5173";

const USAGE: &str = "\
usage: example-axum         serve on 127.0.0.1:3000, or on what the variable BIND says
       example-axum tour    start the service on a free port, show it and check it
";

/// The stack's type. Its one parameter is the layer in the joint.
type Hardening = Stack<CatchPanicLayer<MaskPanic>>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let done = match (words.next(), words.next()) {
        (None, _) => match bind_address() {
            Ok(address) => run(address).await,
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

/// What stands around the routes. The order is the stack's business, not ours.
fn stack() -> Result<Hardening, OriginError> {
    // No proxy stands before this service. With one: `ClientIp::behind(["10.0.0.0/8"])?`.
    let client_ip = ClientIp::peer().peer_from(|extensions| {
        extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
    });
    Ok(Stack::production(client_ip)
        .cors(Cors::allow([FRONT_END])?)
        .compression(Compression::new())
        // This service has a log line and panics' answers of its own.
        .log(None)
        .problem(None)
        .joint(CatchPanicLayer::custom(MaskPanic)))
}

/// The routes, in the stack, in what watches all that comes out of it.
fn app(address: SocketAddr, stack: Hardening) -> Router {
    routes::router(address).layer(stack).layer(ObserveLayer::new(AccessLog))
}

async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    // The peer's address goes into each request's extensions, where `stack` looks for it.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn run(address: SocketAddr) -> Result<ExitCode, Box<dyn Error>> {
    log::to_stderr()?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; BIND sets another"))?;
    let address = listener.local_addr()?;
    let stack = stack()?;
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }
    writeln!(io::stdout(), "listening on http://{address}")?;
    serve(listener, app(address, stack)).await?;
    Ok(ExitCode::SUCCESS)
}

fn bind_address() -> Result<SocketAddr, String> {
    let Some(bind) = env::var_os("BIND") else {
        return Ok(SocketAddr::from(([127, 0, 0, 1], 3000)));
    };
    bind.to_str().and_then(|bind| bind.parse().ok()).ok_or_else(|| {
        format!(
            "BIND={bind:?} is no address and port; write 127.0.0.1:3000, or [::1]:3000, \
             or 127.0.0.1:0 for a free port"
        )
    })
}

fn refuse(advice: &str) -> ExitCode {
    complain(advice);
    ExitCode::from(2)
}

fn complain(what: &str) {
    // Where even stderr is closed, the exit code is all there is to say.
    let _ = writeln!(io::stderr(), "{what}");
}
