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
mod judge;
mod layer;
mod page;
mod probe;
mod registry;
mod resource;
mod runner;
mod service;
mod status;
#[cfg(feature = "tcp")]
mod tcp;

#[cfg(feature = "grpc")]
pub use self::grpc::GrpcHealth;
#[cfg(feature = "disk")]
pub use self::resource::Disk;
#[cfg(feature = "tcp")]
pub use self::tcp::TcpCheck;
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
    resource::{Descriptors, Memory},
    runner::Runner,
    service::{HealthService, NotFound},
    status::Status,
};
