#![doc = include_str!("../README.md")]

#[cfg(feature = "http-body")]
mod body;
mod chunked;
mod context;
mod cookie;
mod envelope;
mod error;
mod key;
mod passphrase;
mod reseal;
mod ring;
mod sealed;
mod stream;
mod wrap;

#[cfg(feature = "http-body")]
pub use self::body::{BodyError, OpenBody, SealBody};
pub use self::{
    context::Context,
    cookie::MAX_COOKIE,
    envelope::MAX_VALUE,
    error::{KeyError, KeyErrorKind, SealError, SealErrorKind},
    key::{Key, MAX_KEY_ID},
    passphrase::{Kdf, MIN_PASSPHRASE, MIN_SALT},
    reseal::{Report, Reseal, ResealError, ResealStore, Row},
    ring::KeyRing,
    sealed::{Opened, Plain, Sealed, is_sealed, like_pattern},
    stream::{SealReader, SealWriter},
    wrap::{KeyWrap, WrapError, WrappedKeys},
};
pub use buttress_core::Secret;
