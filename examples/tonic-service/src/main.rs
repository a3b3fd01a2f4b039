//! A hardened gRPC service on tonic.
//!
//! `cargo run -p example-tonic` serves `proto/greeter.proto`. `BIND` sets another address,
//! `LOG_FORMAT`, `LOG_LEVEL` and `LOG_FILE` how it logs, `LIMIT_GENERAL` and `LIMIT_BURST` how often
//! a client may call: `100/15m`, `10/s`. `SHUTDOWN_GRACE` and `SHUTDOWN_PRE_STOP` say how much time
//! there is to end: `30s`, `5s`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use buttress::{
    Route, Stack,
    client_ip::ClientIp,
    health::{self, Entry, GrpcHealth, Memory, Registry},
    limit::LimitLayer,
    shutdown::Shutdown,
};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::{
    server::NamedService,
    service::Routes,
    transport::{Server, server::TcpConnectInfo},
};

use self::{greeter::Greetings, pb::greeter_server::GreeterServer};

mod bind;
mod greeter;
mod limit;
mod log;
mod shutdown;

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
    match shutdown.boot(bind::listener()).await {
        Some(Ok(listener)) => {
            if let Err(error) = serve(&shutdown, listener, limit).await {
                tracing::error!(error, "the service ended");
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
    limit: LimitLayer,
) -> Result<(), Box<dyn std::error::Error>> {
    // tonic keeps the socket's address in a type of its own. Behind a proxy:
    // `ClientIp::behind(["10.0.0.0/8"])?`, and the same `peer_from`.
    let client_ip = ClientIp::peer().peer_from(|extensions| {
        extensions.get::<TcpConnectInfo>()?.remote_addr().map(|peer| peer.ip())
    });
    // The body limit is for all messages of a call together. Where clients stream without end, say
    // `.body_limit(None)`: tonic limits each message by itself, to 4 MiB of its own accord.
    let stack: Stack = Stack::production(client_ip)
        .drain(shutdown.layer())
        .route(Route::one_of(greeter::METHODS))
        .limit(limit);
    for slot in stack.describe().lines() {
        tracing::info!(target: "stack", "{slot}");
    }

    // Health stays outside of the stack: no quota is to be used up by who asks whether we are up,
    // and none is to keep him out. All else is inside, also the answer to a method of nobody.
    let inside = Routes::new(GreeterServer::new(Greetings)).into_axum_router().layer(stack);
    let routes = Routes::from(inside).add_service(grpc_health(shutdown)?);
    let server = Server::builder().add_routes(routes);

    announce(&listener)?;
    // Without a delay for small writes, which is what tonic sets on its own listener.
    let incoming = shutdown.listener(listener).map(|accepted| {
        accepted.inspect(|connection| {
            let _ = connection.get_ref().set_nodelay(true);
        })
    });
    let server = server.serve_with_incoming_shutdown(incoming, shutdown.not_accepting());
    shutdown.serve(server).await.transpose()?;
    Ok(())
}

/// `grpc.health.v1`, for Kubernetes' own probes and for clients that choose by it.
fn grpc_health(shutdown: &Shutdown) -> Result<GrpcHealth, health::ConfigError> {
    let (health, runner) = Registry::new()
        .lifecycle(&shutdown.lifecycle())
        // Full, it is told in the log. A database that nothing works without is `critical`.
        .check(Entry::optional(Memory::new()))?
        .split();
    shutdown.spawn("health", |stop| async move {
        stop.run_until_cancelled(runner.run()).await;
    });
    Ok(GrpcHealth::new(&health).service(GreeterServer::<Greetings>::NAME))
}

/// A line of its own on stdout, once connections are accepted.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()
}
