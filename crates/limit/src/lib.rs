#![doc = include_str!("../README.md")]

mod decision;
mod error;
mod key;
mod limiter;
mod memory;
mod meter;
mod plan;
mod quota;
mod rule;
mod sync;

pub use self::{
    decision::Decision,
    error::{ConfigError, ConfigErrorKind},
    key::{Key, KeyWriter, Missing, RequestHead},
    limiter::Limiter,
    memory::{Full, MemoryStore},
    quota::{
        Algorithm, FixedWindow, Quota, Requests, SlidingCounter, days, hours, minutes, requests,
        seconds,
    },
    rule::Rule,
};
