#![doc = include_str!("../README.md")]

mod accept;
mod carrier;
mod clock;
mod entropy;
mod future;
mod generator;
mod id;
mod layer;
mod propagate;
mod service;
mod uuid;

use http::HeaderName;

pub use self::{
    accept::Accept,
    carrier::Carrier,
    future::ResponseFuture,
    generator::{Custom, Generator},
    id::{MAX_LEN, is_valid},
    layer::RequestIdLayer,
    propagate::{Propagate, PropagateLayer},
    service::RequestId,
    uuid::Uuid,
};

/// The header that ids are read from, echoed in and sent in, unless another is said.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The other name in wide use.
pub const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
