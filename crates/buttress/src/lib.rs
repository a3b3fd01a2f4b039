#![doc = include_str!("../README.md")]

#[cfg(feature = "server")]
mod compression;
#[cfg(feature = "server")]
mod cors;
#[cfg(feature = "server")]
mod csrf;
#[cfg(feature = "server")]
mod origin;
#[cfg(feature = "server")]
mod stack;

pub use buttress_core::{
    CENSOR, Secret, body, client_ip, context, lifecycle, observe, problem, reject, source, value,
};
#[cfg(feature = "server")]
pub use {buttress_headers as headers, buttress_request_id as request_id};

#[cfg(feature = "server")]
pub use self::{
    compression::Compression,
    cors::Cors,
    csrf::Csrf,
    origin::{OriginError, OriginErrorKind},
    stack::{
        AnswerBody, Guarded, GuardedFuture, Hardened, HardenedFuture, RequestBody, Stack,
        body_too_large,
    },
};
