#![doc = include_str!("../README.md")]

pub use self::{
    access::{AccessLog, ConfigError, ConfigErrorKind, Exchange},
    logger::{Following, Logger, logger},
    operation::{Timed, Timer, operation},
    sample::Sampling,
};
pub use buttress_core::context::Operation;

mod access;
mod logger;
mod operation;
mod sample;
