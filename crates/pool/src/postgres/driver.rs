//! How a connection is made, and asked whether it lives.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Config, Error, config::Host, error::SqlState};

use super::session::{Session, Tuning};
use crate::{
    address::place,
    connect::{ConnectError, ConnectErrorKind as Kind},
    kept::Driver,
};

/// A connection that was idle for less is not asked: the server closes its end when it goes, and
/// what drops idle connections in between takes minutes.
const FRESH: Duration = Duration::from_secs(30);

pub(crate) struct PgDriver {
    at: String,
    tuning: Arc<Tuning>,
}

impl PgDriver {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self { at: at(&tuning.config), tuning: Arc::new(tuning) }
    }
}

impl Driver for Arc<PgDriver> {
    type Connection = Session;
    type Error = Error;

    fn at(&self) -> &str {
        &self.at
    }

    async fn open(&self) -> Result<Session, ConnectError> {
        let connected = self.tuning.dial.connect(self.tuning.config.clone()).await;
        let (client, moves) = connected.map_err(|error| {
            let (kind, detail) = (kind(&error), detail(&error));
            let detail = detail.filter(|_| matches!(kind, Kind::Other | Kind::Unreachable));
            ConnectError::new(kind, &self.at, Some(error.into())).detailed(detail)
        })?;
        Ok(Session::new(ClientWrapper::new(client, moves), Arc::clone(&self.tuning)))
    }

    async fn lives(&self, session: &mut Session, idle: Duration) -> bool {
        let client = session.client();
        !client.is_closed() && (idle < FRESH || client.check_connection().await.is_ok())
    }

    async fn ask(&self, session: &mut Session) -> Result<(), Error> {
        session.client().simple_query("SELECT 1").await.map(drop)
    }
}

/// `host:port/database`, of each host.
pub(super) fn at(config: &Config) -> String {
    let hosts: Vec<_> = match config.get_hosts() {
        [] => config.get_hostaddrs().iter().map(ToString::to_string).collect(),
        hosts => hosts.iter().map(name).collect(),
    };
    let ports = config.get_ports();
    let port = |index| ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
    let places = hosts.iter().enumerate().map(|(index, host)| place(host, port(index)));
    let places = places.collect::<Vec<_>>().join(",");
    match config.get_dbname().or_else(|| config.get_user()) {
        Some(database) => format!("{places}/{database}"),
        None => places,
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

fn kind(error: &Error) -> Kind {
    if let Some(code) = error.code() {
        return match code.code() {
            "3D000" => Kind::NoDatabase,
            code if code.starts_with("28") => Kind::Credentials,
            code if code.starts_with("53") => Kind::Full,
            // It starts or recovers (57P03), was told to stop (57P01), or has crashed (57P02).
            code if code.starts_with("57P") && code != SqlState::DATABASE_DROPPED.code() => {
                Kind::NotReady
            }
            _ => Kind::Other,
        };
    }
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        Some(error) => of_io(error.kind()),
        // It closed the connection in the middle of the handshake.
        None if error.is_closed() => Kind::Unreachable,
        None => Kind::Other,
    }
}

/// Of the server its code alone; what else there is comes from here.
fn detail(error: &Error) -> Option<String> {
    match error.code() {
        Some(code) => Some(format!("SQLSTATE {}", code.code())),
        None => error.source().map(ToString::to_string),
    }
}

fn of_io(kind: io::ErrorKind) -> Kind {
    match kind {
        // A socket of Unix that is not there yet is a port where nobody listens.
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Kind::Refused,
        io::ErrorKind::TimedOut => Kind::Timeout,
        // As invalid data, rustls tells of a certificate that it does not accept.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::PermissionDenied => Kind::Other,
        // A name that is not found has no kind of its own.
        _ => Kind::Unreachable,
    }
}
