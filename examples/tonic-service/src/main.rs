//! A hardened gRPC service on tonic.
//!
//! `cargo run -p example-tonic` serves `proto/greeter.proto`. `BIND` sets another address,
//! `LOG_FORMAT`, `LOG_LEVEL` and `LOG_FILE` how it logs, `LIMIT_GENERAL` and `LIMIT_BURST` how often
//! a client may call: `100/15m`, `10/s`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use buttress::{Route, Stack, client_ip::ClientIp, limit::LimitLayer};
use tokio::net::TcpListener;
use tonic::transport::{
    Server,
    server::{TcpConnectInfo, TcpIncoming},
};

use self::{greeter::Greetings, pb::greeter_server::GreeterServer};

mod bind;
mod greeter;
mod limit;
mod log;

#[allow(
    clippy::pedantic,
    clippy::restriction,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
mod pb {
    tonic::include_proto!("buttress.example.v1");
}

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
    let listener = match bind::listener().await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("{error}");
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
    match serve(listener, limit).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the service ended");
            ExitCode::FAILURE
        }
    }
}

async fn serve(listener: TcpListener, limit: LimitLayer) -> Result<(), Box<dyn std::error::Error>> {
    // tonic keeps the socket's address in a type of its own. Behind a proxy:
    // `ClientIp::behind(["10.0.0.0/8"])?`, and the same `peer_from`.
    let client_ip = ClientIp::peer().peer_from(|extensions| {
        extensions.get::<TcpConnectInfo>()?.remote_addr().map(|peer| peer.ip())
    });
    // The body limit is for all messages of a call together. Where clients stream without end, say
    // `.body_limit(None)`: tonic limits each message by itself, to 4 MiB of its own accord.
    let stack: Stack =
        Stack::production(client_ip).route(Route::one_of(greeter::METHODS)).limit(limit);
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }

    let server = Server::builder().layer(stack).add_service(GreeterServer::new(Greetings));

    announce(&listener)?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server.serve_with_incoming(incoming).await?;
    Ok(())
}

/// A line of its own on stdout, once connections are accepted.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()
}
