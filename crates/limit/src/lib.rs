#![doc = include_str!("../README.md")]

mod charge;
mod decision;
mod error;
mod future;
#[cfg(feature = "governor")]
pub mod governor;
mod handle;
mod headers;
mod key;
mod layer;
mod limiter;
mod memory;
mod meter;
mod plan;
mod quota;
#[cfg(feature = "redis")]
mod redis;
mod rule;
mod service;
mod shared;
#[cfg(feature = "slow-down")]
mod slow;
#[cfg(not(feature = "slow-down"))]
#[path = "slow/off.rs"]
mod slow;
mod store;
mod sync;

#[cfg(feature = "redis")]
pub use self::redis::{Fallback, RedisLimiter, RedisStats, RedisStore};
#[cfg(feature = "slow-down")]
pub use self::slow::SlowDown;
pub use self::{
    charge::Charge,
    decision::{Decision, Source},
    error::{ConfigError, ConfigErrorKind},
    future::ResponseFuture,
    handle::{LimitHandle, LimitStats},
    headers::{Draft, LegacyReset},
    key::{Key, KeyWriter, Missing, RequestHead},
    layer::LimitLayer,
    limiter::Limiter,
    memory::{Full, MemoryStore},
    quota::{
        Algorithm, FixedWindow, Quota, Requests, SlidingCounter, days, hours, minutes, requests,
        seconds,
    },
    rule::Rule,
    service::Limit,
    store::Store,
};
