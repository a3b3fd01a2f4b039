#![doc = include_str!("../README.md")]

mod attributes;
mod conventions;
mod error;
mod exemplar;
mod exponential;
mod exposition;
mod http_metrics;
mod in_flight;
mod labels;
mod latency;
mod names;
mod operations;
#[cfg_attr(not(feature = "otel"), path = "otel/off.rs")]
mod otel;
mod process;
mod recorder;
mod report;
#[cfg(feature = "tokio")]
mod runtime;
mod series;
mod service;
mod settings;
mod shard;
mod table;
mod window;

#[cfg(feature = "tokio")]
pub use self::runtime::RuntimeMetrics;
pub use self::{
    error::{ConfigError, ConfigErrorKind},
    exposition::{Exposition, Format},
    http_metrics::{Exchange, HttpMetrics},
    labels::Scheme,
    process::ProcessMetrics,
    recorder::MAX_SERIES,
    report::{Latency, Period, Report, Route},
    service::{Denied, MetricsService},
};
