#![doc = include_str!("../README.md")]

mod body;
mod chars;
#[cfg(feature = "tokio")]
mod clock;
#[cfg(not(feature = "tokio"))]
#[path = "clock/off.rs"]
mod clock;
mod content_type;
mod error;
mod form;
mod future;
#[cfg(feature = "serde")]
mod guarded;
mod handle;
mod head;
mod json;
mod keys;
mod layer;
mod limits;
mod path;
mod percent;
mod pointer;
mod policy;
mod reports;
mod rule;
mod service;
mod shared;
mod tree;
mod utf8;
mod violation;

#[cfg(feature = "serde")]
pub use self::guarded::{DataError, GuardedJson, ReadError};
pub use self::{
    body::{BodyError, GuardedBody},
    content_type::{ContentType, Kind},
    error::{ConfigError, ConfigErrorKind},
    form::FormGuard,
    future::ResponseFuture,
    handle::SanitizeHandle,
    json::JsonGuard,
    layer::SanitizeLayer,
    policy::Policy,
    rule::{Action, Rule},
    service::Sanitize,
    violation::{Place, Violation},
};
