#![doc = include_str!("../README.md")]

pub use self::{
    access::{AccessLog, ConfigError, ConfigErrorKind, Exchange},
    logger::{Following, Logger, logger},
    operation::{Timed, Timer, operation},
    sample::Sampling,
};
pub use buttress_core::context::Operation;

pub use self::{
    error::{InitError, InitErrorKind},
    init::{Format, LogLevel, Setup, init},
    json::JsonLayer,
    pretty::PrettyLayer,
    schema::Schema,
    writer::{Guard, Sink, Writer},
};

mod access;
mod error;
mod init;
mod json;
mod line;
mod logger;
mod operation;
mod pretty;
mod sample;
mod schema;
mod writer;
