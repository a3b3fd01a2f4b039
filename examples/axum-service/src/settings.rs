//! What the environment says. What cannot be right ends the start.

use std::{
    env::{self, VarError},
    net::SocketAddr,
};

use buttress::log::{Setup, Sink};

use crate::numbers::Numbers;

#[derive(Debug)]
pub(crate) struct Settings {
    /// `BIND`.
    pub(crate) address: SocketAddr,
    /// `LOG_FORMAT`, `LOG_LEVEL`, `RUST_LOG`, `LOG_FILE` and `ALLOW_DEBUG`.
    pub(crate) log: Setup,
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

fn numbers() -> Result<Numbers, String> {
    let numbers = Numbers::new();
    match env::var("METRICS_TOKEN") {
        // An empty one is a mistake, not a way to leave the door open.
        Ok(token) => numbers.behind(token).map_err(|error| format!("METRICS_TOKEN: {error}")),
        Err(VarError::NotPresent) => Ok(numbers),
        Err(VarError::NotUnicode(_)) => Err("METRICS_TOKEN is no text".into()),
    }
}
