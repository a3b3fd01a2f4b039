#![doc = include_str!("../README.md")]

mod callsite;
mod censor;
mod copy;
mod defaults;
mod error;
mod headers;
mod keys;
mod layer;
mod path;
mod query;
mod rules;
mod scratch;
#[cfg(feature = "serde")]
mod serialize;
mod value;

#[cfg(feature = "serde")]
pub use self::serialize::{Redacted, RedactedBy};
pub use self::{
    callsite::Fields,
    censor::{CENSOR, Censor, Verdict},
    error::{ConfigError, ConfigErrorKind},
    headers::{HeaderLine, Headers},
    layer::RedactLayer,
    query::Query,
    rules::Rules,
    value::ValueRule,
};
