#![doc = include_str!("../README.md")]

mod connection;
mod course;
mod error;
mod gauge;
mod latch;
mod listener;
mod phase;
mod plan;
mod report;
mod requests;
mod shutdown;
mod tasks;
mod watchdog;

pub use self::{
    connection::Connection,
    error::{ConfigError, ConfigErrorKind},
    listener::Listener,
    phase::{PhaseEnd, PhaseOutcome, PhaseReport},
    plan::Plan,
    report::{Cause, Report},
    requests::{Drain, DrainBody, DrainFuture, DrainLayer},
    shutdown::Shutdown,
};
pub use tokio_util::sync::CancellationToken;
