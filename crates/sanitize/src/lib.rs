#![doc = include_str!("../README.md")]

mod chars;
mod content_type;
mod error;
mod form;
#[cfg(feature = "serde")]
mod guarded;
mod json;
mod keys;
mod limits;
mod path;
mod percent;
mod pointer;
mod policy;
mod reports;
mod rule;
mod tree;
mod utf8;
mod violation;

#[cfg(feature = "serde")]
pub use self::guarded::{DataError, GuardedJson, ReadError};
pub use self::{
    content_type::{ContentType, Kind},
    error::{ConfigError, ConfigErrorKind},
    form::FormGuard,
    json::JsonGuard,
    policy::Policy,
    rule::{Action, Rule},
    violation::{Place, Violation},
};
