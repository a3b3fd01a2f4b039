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
#[cfg(feature = "axum")]
mod extract;
mod form;
mod future;
#[cfg(feature = "serde")]
mod guarded;
mod handle;
mod head;
#[cfg(feature = "html")]
mod html;
#[cfg(feature = "unicode")]
mod identifier;
#[cfg(feature = "serde")]
mod input;
mod json;
mod keys;
mod layer;
mod limits;
mod number;
#[cfg(feature = "serde")]
mod params;
mod path;
mod percent;
mod pointer;
mod policy;
#[cfg(feature = "serde")]
mod read;
mod reports;
mod rule;
mod service;
mod shared;
mod tree;
mod typed;
mod utf8;
#[cfg(any(feature = "garde", feature = "validator"))]
mod validate;
mod violation;

#[cfg(all(feature = "axum", any(feature = "garde", feature = "validator")))]
pub use self::extract::valid::Input;
#[cfg(all(feature = "axum", feature = "garde"))]
pub use self::extract::valid::Valid;
#[cfg(all(feature = "axum", feature = "validator"))]
pub use self::extract::valid::Validated;
#[cfg(feature = "axum")]
pub use self::extract::{Form, Json, Query};
#[cfg(feature = "html")]
pub use self::html::Html;
#[cfg(feature = "unicode")]
pub use self::identifier::{Identifier, IdentifierError};
#[cfg(feature = "garde")]
pub use self::validate::check_garde;
#[cfg(feature = "validator")]
pub use self::validate::check_validator;
pub use self::{
    body::{BodyError, GuardedBody},
    content_type::{ContentType, Kind},
    error::{ConfigError, ConfigErrorKind},
    form::FormGuard,
    future::ResponseFuture,
    handle::SanitizeHandle,
    json::JsonGuard,
    layer::SanitizeLayer,
    number::{Number, NumberError, Strict},
    policy::Policy,
    rule::{Action, Rule},
    service::Sanitize,
    typed::{Cursor, CursorError, Id, Page},
    violation::{Place, Violation},
};
#[cfg(feature = "serde")]
pub use self::{
    guarded::{DataError, GuardedJson, ReadError},
    input::InputError,
    read::{read_form, read_json, read_query},
};
