#![doc = include_str!("../README.md")]

mod backoff;
mod check;
mod connect;
mod error;
mod lease;
mod limits;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod address;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod core;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod counts;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod kept;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod leased;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod probe;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod upkeep;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod work;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

pub use buttress_core::Secret;
#[cfg(feature = "postgres")]
pub use deadpool_postgres;
#[cfg(feature = "redis")]
pub use deadpool_redis;
#[cfg(feature = "postgres")]
pub use tokio_postgres;

#[cfg(feature = "postgres")]
pub use self::postgres::{
    PgCheck, PgConnection, PgError, PgErrorKind, PgPool, Postgres, Session, Statements,
    Transaction, TxFuture, TxOptions, normalize, with_transaction,
};
#[cfg(feature = "redis")]
pub use self::redis::{Redis, RedisCheck, RedisConnection, RedisPool};
pub use self::{
    backoff::Backoff,
    check::{Saturation, Status},
    connect::{ConnectError, ConnectErrorKind},
    error::{AcquireError, AcquireErrorKind, ConfigError, ConfigErrorKind},
    lease::{Lease, StillOut},
    limits::Limits,
};
