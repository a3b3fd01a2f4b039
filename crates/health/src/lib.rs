#![doc = include_str!("../README.md")]

mod accept;
mod access;
mod answer;
mod blocking;
mod cell;
mod details;
mod endpoint;
mod entry;
mod error;
mod future;
#[cfg(feature = "grpc")]
mod grpc;
mod heartbeat;
#[cfg(feature = "tcp")]
mod http_check;
mod judge;
mod layer;
mod log;
mod page;
mod probe;
mod registry;
mod resource;
mod runner;
mod service;
mod status;
#[cfg(feature = "tcp")]
mod tcp;
mod url;

#[cfg(feature = "grpc")]
pub use self::grpc::GrpcHealth;
#[cfg(feature = "disk")]
pub use self::resource::Disk;
pub use self::{
    blocking::BlockingCheck,
    endpoint::Endpoint,
    entry::{Entry, FnCheck},
    error::{ConfigError, ConfigErrorKind},
    future::ResponseFuture,
    heartbeat::Heartbeat,
    layer::HealthLayer,
    probe::probe,
    registry::{Health, Registry},
    resource::{Cpu, Descriptors, Growth, Load, Memory},
    runner::Runner,
    service::{HealthService, NotFound},
    status::Status,
};
#[cfg(feature = "tcp")]
pub use self::{http_check::HttpCheck, tcp::TcpCheck};
