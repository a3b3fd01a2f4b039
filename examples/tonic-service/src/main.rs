//! A hardened gRPC service on tonic.
//!
//! `cargo run -p example-tonic` serves `proto/greeter.proto`. The variables that it is started with
//! are in `settings.rs`.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use buttress::{
    Route, Stack,
    health::{self, Entry, GrpcHealth, Memory, Registry},
    limit::{Key, LimitLayer},
    log::{Setup, Sink},
    problem::install_panic_hook,
    shutdown::Shutdown,
};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::{
    server::NamedService,
    service::Routes,
    transport::{Server, server::TcpConnectInfo},
};

use self::{
    greeter::Greetings,
    pb::greeter_server::GreeterServer,
    settings::{Settings, environment},
};

mod greeter;
mod settings;

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
    let settings = match environment().load::<Settings>() {
        Ok(settings) => settings,
        Err(report) => {
            // Where even stderr is closed, the exit code is all there is to say.
            let _ = writeln!(io::stderr(), "{report}");
            return ExitCode::from(2);
        }
    };
    // Stdout has the address alone. Dropped at the end, the guard writes out the lines that wait.
    let setup = Setup::new().service("example-tonic").sink(Sink::stderr());
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
    // tonic keeps the socket's address in a type of its own.
    let client_ip = settings.proxies.client_ip.peer_from(|extensions| {
        extensions.get::<TcpConnectInfo>()?.remote_addr().map(|peer| peer.ip())
    });
    // By the client that the log shows.
    let limit = LimitLayer::new(Key::client(), settings.quotas.rules()?)?;
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
