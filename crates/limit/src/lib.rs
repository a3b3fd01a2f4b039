#![doc = include_str!("../README.md")]

mod error;
mod meter;
mod quota;
mod rule;

pub use self::{
    error::{ConfigError, ConfigErrorKind},
    quota::{
        Algorithm, FixedWindow, Quota, Requests, SlidingCounter, days, hours, minutes, requests,
        seconds,
    },
    rule::Rule,
};
