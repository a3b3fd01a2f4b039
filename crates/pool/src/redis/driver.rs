//! How a connection is made, and asked whether it lives.

use std::{sync::Arc, time::Duration};

use deadpool::managed::{Manager as _, Metrics};
use deadpool_redis::Manager;
use redis::{AsyncConnectionConfig, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind};

use super::connection::Wire;
use crate::{
    connect::{ConnectError, ConnectErrorKind as Kind},
    error::{ConfigError, ConfigErrorKind},
    kept::Driver,
    limits::Limits,
    work::Account,
};

pub(crate) struct RedisDriver {
    manager: Manager,
    at: String,
    account: Account,
}

impl RedisDriver {
    pub(super) fn new(
        address: ConnectionInfo,
        at: String,
        account: Account,
        timeout: Duration,
        limits: Limits,
    ) -> Result<Self, ConfigError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limits.create))
            .set_response_timeout(Some(timeout));
        let manager = Manager::new_with_config(address, config).map_err(|_| {
            ConfigError::new(ConfigErrorKind::Address, "no address that this Redis client can use")
        })?;
        Ok(Self { manager, at, account })
    }
}

impl Driver for Arc<RedisDriver> {
    type Connection = Wire;
    type Error = RedisError;

    fn at(&self) -> &str {
        &self.at
    }

    async fn open(&self) -> Result<Wire, ConnectError> {
        let opened = async {
            let connection = self.manager.create().await?;
            let mut wire = Wire::new(connection, self.account.clone());
            // A server that wants a password which the address does not have says so here.
            self.ask(&mut wire).await?;
            Ok(wire)
        };
        opened.await.map_err(|error: RedisError| {
            let kind = kind(&error);
            let detail = error.code().map(|code| format!("it says {code}"));
            let detail = detail.filter(|_| kind == Kind::Other);
            // What a server says of a command that it does not know has the arguments in it: of
            // `AUTH`, the password.
            let source = error.is_io_error().then(|| error.into());
            ConnectError::new(kind, &self.at, source).detailed(detail)
        })
    }

    /// Asks each time, together with the `UNWATCH` that it needs anyway.
    async fn lives(&self, wire: &mut Wire, _: Duration) -> bool {
        self.manager.recycle(wire.connection_mut(), &Metrics::default()).await.is_ok()
    }

    async fn ask(&self, wire: &mut Wire) -> Result<(), RedisError> {
        redis::cmd("PING").query_async(wire.connection_mut()).await
    }
}

fn kind(error: &RedisError) -> Kind {
    let says = |text| error.detail().is_some_and(|detail| detail.contains(text));
    match (error.code(), error.kind()) {
        (Some("WRONGPASS" | "NOAUTH" | "NOPERM"), _) | (_, ErrorKind::AuthenticationFailed) => {
            Kind::Credentials
        }
        (_, ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown)) => {
            Kind::NotReady
        }
        (Some("ERR"), _) if says("max number of clients") => Kind::Full,
        (Some("ERR"), _) if says("DB index") => Kind::NoDatabase,
        _ if error.is_connection_refusal() => Kind::Refused,
        _ if error.is_timeout() => Kind::Timeout,
        _ if error.is_io_error() || error.is_connection_dropped() => Kind::Unreachable,
        _ => Kind::Other,
    }
}
