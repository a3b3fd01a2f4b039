//! What the service is started with. What cannot be right ends the start, all of it in one report.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use buttress::{
    Secret,
    config::{
        Environment, Profile, Url, config, require,
        rule::{lasts, range, strong},
    },
    health::{HealthLayer, Registry},
    limit::RedisStore,
    log::{InitError, Setup, Sink},
    metrics::{Exposition, MetricsService},
    pool::{Postgres, Redis},
    seal::Key,
    settings::{Logging, Proxies, Quotas, Termination},
};

use crate::{CLOSING, secrets::Keys};

config! {
    #[derive(Debug)]
    pub(crate) struct Settings {
        /// Where it listens; port 0 picks a free port.
        pub(crate) bind: SocketAddr = var("BIND").default("127.0.0.1:3000"),
        /// Who is before it.
        pub(crate) proxies: Proxies = group(),
        /// Limits: on every route but `/metrics` and `/report`.
        pub(crate) quotas: Quotas = group(),
        /// Where all limits are counted, for all instances together. While Redis is away each
        /// goes by what it knows, and is degraded: a check sends a `PING` every 2 s.
        pub(crate) redis_url: Option<Secret<Url>> = var("REDIS_URL")
            .expects("redis://[user:password@]host[:port][/database]")
            .unset(None, "limits are in memory")
            .taken_by(|url| RedisStore::new(url.expose().as_str()))
            .taken_by(|url| Redis::new(url.expose().as_str())),
        /// Who reads `/metrics` and `/report` sends it as `Authorization: Bearer`.
        pub(crate) metrics_token: Option<Secret<String>> = var("METRICS_TOKEN")
            .expects("letters, digits and -._~+/, and = at its end")
            .unset(None, "both are open to all")
            .taken_by(|token| MetricsService::new(Exposition::new()).bearer(token.clone()))
            .rule(strong(16).in_production()),
        /// Who has it sees the details at `/status`: as `Authorization: Bearer`, or as the
        /// password for which a browser asks.
        pub(crate) status_token: Option<Secret<String>> = var("STATUS_TOKEN")
            .expects("16 visible characters of ASCII, or more")
            .unset(None, "there is no /status")
            .taken_by(|token| HealthLayer::new(&Registry::new().split().0).status_token(token.clone()))
            .rule(strong(16).in_production()),
        /// The Postgres that the books are in. While it does not answer, `/ready` and `/health` are
        /// 503.
        pub(crate) database_url: Option<Secret<Url>> = var("DATABASE_URL")
            .expects("postgres://[user:password@]host[:port]/database")
            .unset(None, "books are in an embedded SQLite")
            .taken_by(|url| Postgres::new(url.expose().as_str())),
        /// The most connections to it.
        pub(crate) database_pool: u16 = var("DATABASE_POOL").default(10_u16).rule(range(1..=1000)),
        /// From which time on a statement is logged as slow.
        pub(crate) database_slow: Duration = var("DATABASE_SLOW")
            .default("1s")
            .rule(lasts(Duration::from_millis(1)..=Duration::from_secs(60))),
        /// The SQLite file that the books are in, where there is no Postgres.
        pub(crate) books_db: Option<PathBuf> = var("BOOKS_DB")
            .expects("a path, such as books.db")
            .unset(None, "books are in memory"),
        /// Seals what `/secrets` keeps.
        pub(crate) seal_key: Option<Secret<String>> = var("SEAL_KEY")
            .expects("a key as `seal keygen` makes it")
            .unset(None, "an ephemeral key, and what it has sealed opens no more after the end")
            .taken_by(|key| Key::parse(key.expose())),
        /// Keys that still open what they have sealed, the newest first.
        pub(crate) seal_key_old: Option<Secret<String>> = var("SEAL_KEY_OLD")
            .expects("such keys, with blanks or commas between")
            .unset(None, "there are none")
            .empty_is_unset()
            .taken_by(|keys| Key::parse_list(keys.expose())),
        /// The SQLite file that the secrets are in. It is made where there is none, and refused
        /// where it was sealed with other keys.
        pub(crate) secrets_db: Option<PathBuf> = var("SECRETS_DB")
            .expects("a path, such as secrets.db")
            .unset(None, "secrets are in memory")
            .public(),
        /// How much time there is to end: a second of it for the service that is called, and one for
        /// Postgres.
        pub(crate) termination: Termination = group(),
        /// How it logs.
        pub(crate) logging: Logging = group(),
    }
    rules {
        (termination, database_url) => require(
            termination
                .plan()
                .check()
                .is_ok_and(|left| left >= CLOSING * if database_url.is_some() { 2 } else { 1 }),
            "a grace of which half and two seconds are left beside the pre-stop, or three for Postgres",
        ),
        (database_url, books_db) => require(
            database_url.is_none() || books_db.is_none(),
            "one of the two: the books are in Postgres, or in a file",
        ),
        (seal_key, seal_key_old) => require(
            seal_key.is_some() || seal_key_old.is_none(),
            "a SEAL_KEY too: an old key only opens",
        ),
        (seal_key, seal_key_old) => require(
            Keys::of(seal_key.as_ref(), seal_key_old.as_ref()).is_ok(),
            "no key, and no key's id, twice",
        ),
        (secrets_db, seal_key) => require(
            secrets_db.is_none() || seal_key.is_some(),
            "a SEAL_KEY for the file: what an ephemeral key has sealed opens no more after the end",
        )
        .in_production(),
        (bind, metrics_token) => require(
            bind.ip().is_loopback() || metrics_token.is_some(),
            "a METRICS_TOKEN, where others than this machine can reach /metrics",
        )
        .in_production(),
    }
}

impl Settings {
    /// How it logs. Stdout has the address alone.
    pub(crate) fn log_setup(&self) -> Result<Setup, InitError> {
        self.logging.setup(Setup::new().service("example-axum").sink(Sink::stderr()))
    }
}

/// What this process is given, and what a `.env` beside it says.
pub(crate) fn environment() -> Environment {
    ours(Environment::process()).file(".env")
}

/// An example is at home, unless it is told where it is.
pub(crate) fn ours(environment: Environment) -> Environment {
    const PREFIXES: [&str; 11] = [
        "BOOKS_",
        "DATABASE_",
        "LIMIT_",
        "LOG_",
        "METRICS_",
        "REDIS_",
        "SEAL_",
        "SECRETS_",
        "SHUTDOWN_",
        "STATUS_",
        "TRUSTED_",
    ];
    let environment = environment.profile("APP_ENV", Profile::Development);
    PREFIXES.iter().fold(environment, |environment, prefix| environment.prefix(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_CONFIG_DOCS=1 cargo test -p example-axum` writes both.
    #[test]
    fn what_is_written_of_the_variables_is_true() {
        let docs = environment().docs::<Settings>();
        docs.check_env_example(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
        docs.check_markdown(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    }
}
