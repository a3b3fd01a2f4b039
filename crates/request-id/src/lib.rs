#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clock;
mod entropy;
mod uuid;

pub use uuid::Uuid;
