//! What the service is started with. All that cannot be right is in one report.

use std::net::SocketAddr;

use buttress::{
    Secret,
    config::{Environment, config},
    health::{HealthLayer, Registry},
    settings::{Logging, Proxies, Quotas, Termination},
};

config! {
    #[derive(Debug)]
    pub(crate) struct Settings {
        /// Where it listens; port 0 picks a free port.
        pub(crate) bind: SocketAddr = var("BIND").default("127.0.0.1:3000"),
        /// Who has it sees the details at `/status`.
        pub(crate) status_token: Option<Secret<String>> = var("STATUS_TOKEN")
            .expects("16 visible characters of ASCII, or more")
            .unset(None, "there is no /status")
            .taken_by(|token| HealthLayer::new(&Registry::new().split().0).status_token(token.clone())),
        /// Who is before it.
        pub(crate) proxies: Proxies = group(),
        /// How often a client may come.
        pub(crate) quotas: Quotas = group(),
        /// How much time there is to end.
        pub(crate) termination: Termination = group(),
        /// How it logs.
        pub(crate) logging: Logging = group(),
    }
}

/// What this process is given. A variable of a name like ours is a slip of the pen.
pub(crate) fn environment() -> Environment {
    let ours = ["LIMIT_", "LOG_", "SHUTDOWN_", "STATUS_", "TRUSTED_"];
    ours.iter().fold(Environment::process(), |environment, prefix| environment.prefix(prefix))
}
