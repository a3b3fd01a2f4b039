//! What the environment says. What cannot be right ends the start.

use std::{
    env::{self, VarError},
    net::SocketAddr,
};

use buttress::{
    client_ip::ClientIp,
    limit::{Quota, RedisStore},
    log::{Setup, Sink},
};

use crate::{
    limits::{BURST, GENERAL, Limits},
    numbers::Numbers,
};

#[derive(Debug)]
pub(crate) struct Settings {
    /// `BIND`.
    pub(crate) address: SocketAddr,
    /// `LOG_FORMAT`, `LOG_LEVEL`, `RUST_LOG`, `LOG_FILE` and `ALLOW_DEBUG`.
    pub(crate) log: Setup,
    /// `TRUSTED_PROXIES`.
    pub(crate) client_ip: ClientIp,
    /// `LIMIT_GENERAL`, `LIMIT_BURST` and `REDIS_URL`.
    pub(crate) limits: Limits,
    /// `METRICS_TOKEN`.
    pub(crate) numbers: Numbers,
}

impl Settings {
    /// Or what is wrong, and what would be right.
    pub(crate) fn from_env() -> Result<Self, String> {
        // Stdout has the address alone.
        let log = Setup::new().service("example-axum").sink(Sink::stderr());
        Ok(Self {
            address: address()?,
            log: log.env().map_err(|error| error.to_string())?,
            client_ip: client_ip()?,
            limits: limits()?,
            numbers: numbers()?,
        })
    }
}

fn address() -> Result<SocketAddr, String> {
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

/// Behind no proxy, the client is who connects, whatever a header says.
fn client_ip() -> Result<ClientIp, String> {
    match text("TRUSTED_PROXIES")? {
        Some(proxies) => ClientIp::behind(proxies.split(','))
            .map_err(|error| format!("TRUSTED_PROXIES={proxies:?}: {error}")),
        None => Ok(ClientIp::peer()),
    }
}

fn limits() -> Result<Limits, String> {
    let (general, burst) = (quota("LIMIT_GENERAL", GENERAL)?, quota("LIMIT_BURST", BURST)?);
    Limits::new(general, burst, redis()?).map_err(|error| error.to_string())
}

fn redis() -> Result<Option<RedisStore>, String> {
    let Some(url) = text("REDIS_URL")? else { return Ok(None) };
    // It may have a password in it, and is not said.
    let redis = RedisStore::new(&url).map_err(|error| {
        format!("REDIS_URL: {error}; write redis://[user:password@]host[:port][/database]")
    })?;
    Ok(Some(redis))
}

fn quota(name: &str, default: Quota) -> Result<Quota, String> {
    match text(name)? {
        Some(quota) => Quota::from_var(name, &quota).map_err(|error| error.to_string()),
        None => Ok(default),
    }
}

fn numbers() -> Result<Numbers, String> {
    let numbers = Numbers::new();
    match text("METRICS_TOKEN")? {
        // An empty one is a mistake, not a way to leave the door open.
        Some(token) => numbers.behind(token).map_err(|error| format!("METRICS_TOKEN: {error}")),
        None => Ok(numbers),
    }
}

/// A variable, if it is set.
fn text(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is no text")),
    }
}
