//! What the environment says. What cannot be right ends the start.

use std::{
    env::{self, VarError},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use buttress::{
    client_ip::ClientIp,
    limit::{Quota, RedisStore},
    log::{Setup, Sink},
    shutdown::{Plan, Shutdown},
};

use crate::{
    health::Checks,
    limits::{BURST, GENERAL, Limits},
    numbers::Numbers,
    secrets::{Keys, Secrets},
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
    /// `STATUS_TOKEN`, `REDIS_URL` and `DATABASE_URL`.
    pub(crate) checks: Checks,
    /// `SEAL_KEY`, `SEAL_KEY_OLD` and `SECRETS_DB`.
    pub(crate) secrets: Secrets,
    /// `SHUTDOWN_GRACE` and `SHUTDOWN_PRE_STOP`.
    pub(crate) shutdown: Shutdown,
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
            checks: checks()?,
            secrets: secrets()?,
            shutdown: shutdown()?,
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

fn checks() -> Result<Checks, String> {
    let mut checks = Checks::default();
    if let Some(token) = text("STATUS_TOKEN")? {
        checks = checks.status_for(token).map_err(|error| format!("STATUS_TOKEN: {error}"))?;
    }
    if let Some(url) = text("REDIS_URL")? {
        checks = checks.redis(url);
    }
    match text("DATABASE_URL")? {
        // It may have a password in it, and is not said.
        Some(url) => checks.postgres(&url).ok_or_else(|| {
            "DATABASE_URL: write postgres://[user:password@]host[:port]/database".to_owned()
        }),
        None => Ok(checks),
    }
}

fn secrets() -> Result<Secrets, String> {
    let keys = Keys::from_env().map_err(|error| error.to_string())?;
    let file = text("SECRETS_DB")?;
    if file.as_deref() == Some("") {
        return Err("SECRETS_DB=\"\" is no file; write its path, such as secrets.db".to_owned());
    }
    Secrets::open(keys, file.as_deref().map(Path::new))
        .map_err(|error| format!("SECRETS_DB={:?}: {error}", file.unwrap_or_default()))
}

/// Shares of the grace, in sixtieths. Of 30 s they make the plan for Kubernetes: a pre-stop of 5 s,
/// 12 to drain, 3 for tasks.
const PRE_STOP: u32 = 10;
const DRAIN: u32 = 24;
const TASKS: u32 = 6;

/// From here on a SIGTERM is neither lost nor fatal.
fn shutdown() -> Result<Shutdown, String> {
    let grace = time("SHUTDOWN_GRACE")?.unwrap_or(Duration::from_secs(30));
    let share = |sixtieths| grace / 60 * sixtieths;
    let pre_stop = time("SHUTDOWN_PRE_STOP")?.unwrap_or(share(PRE_STOP));
    let plan = Plan::kubernetes().grace(grace).pre_stop(pre_stop);
    Shutdown::new(plan.drain(share(DRAIN)).tasks(share(TASKS)))
        .map_err(|error| format!("SHUTDOWN_GRACE, SHUTDOWN_PRE_STOP: {error}"))
}

fn time(name: &str) -> Result<Option<Duration>, String> {
    let Some(text) = text(name)? else { return Ok(None) };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let (number, unit) = (digits.parse::<u32>().ok(), text.strip_prefix(digits));
    let time = match (number, unit) {
        (Some(number), Some("ms")) => Duration::from_millis(number.into()),
        (Some(number), Some("s")) => Duration::from_secs(number.into()),
        (Some(number), Some("m")) => Duration::from_secs(u64::from(number) * 60),
        _ => return Err(format!("{name}={text:?} is no time; write 30s, or 500ms, or 2m")),
    };
    Ok(Some(time))
}

/// A variable, if it is set.
fn text(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is no text")),
    }
}
