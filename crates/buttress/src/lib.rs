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
mod route;
#[cfg(all(feature = "config", feature = "server"))]
pub mod settings;
#[cfg(feature = "server")]
mod stack;

#[cfg(feature = "config")]
pub use buttress_config as config;
pub use buttress_core::{
    CENSOR, Secret, body, client_ip, context, lifecycle, observe, outbound, reject, source, value,
};
#[cfg(feature = "pool")]
pub use buttress_pool as pool;
#[cfg(feature = "seal")]
pub use buttress_seal as seal;
#[cfg(feature = "shutdown")]
pub use buttress_shutdown as shutdown;
#[cfg(feature = "client")]
pub use {buttress_breaker as breaker, buttress_retry as retry};
#[cfg(feature = "server")]
pub use {
    buttress_headers as headers, buttress_health as health, buttress_limit as limit,
    buttress_log as log, buttress_metrics as metrics, buttress_redact as redact,
    buttress_request_id as request_id, buttress_sanitize as sanitize, buttress_trace as trace,
};

/// Problem documents (RFC 9457), and, with the feature `server`, all that makes one of a failure:
/// the crate [`buttress-problem`](https://docs.rs/buttress-problem).
pub mod problem {
    pub use buttress_core::problem::*;
    #[cfg(feature = "server")]
    pub use buttress_problem::*;
}

#[cfg(feature = "server")]
pub use self::{
    compression::Compression,
    cors::Cors,
    csrf::Csrf,
    origin::{OriginError, OriginErrorKind},
    route::Route,
    stack::{
        AnswerBody, Guarded, GuardedBody, GuardedFuture, Hardened, HardenedFuture, RequestBody,
        Stack, body_too_large,
    },
};
