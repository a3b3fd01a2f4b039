#![doc = include_str!("../README.md")]

mod body;
mod bulkhead;
mod circuit;
mod class;
mod clock;
mod core;
mod error;
mod future;
mod gate;
mod handle;
mod head;
mod layer;
mod permit;
mod policy;
mod refusal;
mod registry;
mod service;
mod settings;
mod shed;
mod snapshot;
mod state;
mod sync;
mod transition;
mod window;

pub use self::{
    body::BreakerBody,
    bulkhead::{Bulkhead, BulkheadBody, BulkheadFuture, BulkheadHandle, BulkheadLayer, Gradient},
    circuit::{Circuit, RunError},
    class::{Class, OutcomeAt},
    error::{ConfigError, ConfigErrorKind},
    future::ResponseFuture,
    handle::BreakerHandle,
    head::RequestHead,
    layer::BreakerLayer,
    permit::Permit,
    policy::{OpenFor, Policy, Probes, Ramp},
    refusal::Refused,
    registry::Registry,
    service::Breaker,
    shed::{Shed, ShedFuture, ShedLayer},
    snapshot::{CircuitTotals, Snapshot, WindowTotals},
    state::State,
    transition::Transition,
    window::Window,
};
