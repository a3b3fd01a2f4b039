#![doc = include_str!("../README.md")]
#![cfg_attr(loom, allow(dead_code, reason = "the layers are left out there"))]

mod backoff;
mod budget;
mod error;
mod random;
mod sync;

#[cfg(not(loom))]
mod call;
#[cfg(not(loom))]
mod deadline;
#[cfg(not(loom))]
mod exchange;
#[cfg(not(loom))]
mod function;
#[cfg(not(loom))]
mod future;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod hedge;
#[cfg(not(loom))]
mod idempotency;
#[cfg(not(loom))]
mod layer;
#[cfg(not(loom))]
mod peek;
#[cfg(not(loom))]
mod pursue;
#[cfg(not(loom))]
mod replay;
#[cfg(not(loom))]
mod retry_after;
#[cfg(not(loom))]
mod service;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod stop;
#[cfg(not(loom))]
pub mod unsent;
#[cfg(not(loom))]
mod verdict;

#[cfg(feature = "tower")]
pub use self::backoff::tower::Pauses;
#[cfg(loom)]
pub use self::budget::model;
pub use self::{
    backoff::{Backoff, Delays, Jitter},
    budget::Budget,
    error::{ConfigError, ConfigErrorKind},
};
#[cfg(not(loom))]
pub use self::{
    deadline::{
        Deadline, DeadlineFuture, DeadlineHeader, DeadlineLayer, DeadlineService, WithDeadline,
    },
    exchange::{Cloned, Custom, Http},
    function::{TimeLimitReached, retry, retry_if, time_limit},
    future::ResponseFuture,
    handle::RetryHandle,
    hedge::Hedge,
    idempotency::{Idempotency, Repeat, RequestHead},
    layer::RetryLayer,
    peek::PeekedBody,
    replay::ReplayBody,
    retry_after::RetryAfter,
    service::Retry,
    stop::{RetryInfo, StopReason},
    verdict::{Classify, Verdict},
};
