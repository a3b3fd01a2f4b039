#![doc = include_str!("../README.md")]

pub mod body;
pub mod client_ip;
pub mod context;
pub mod lifecycle;
pub mod observe;
pub mod outbound;
pub mod problem;
pub mod reject;
mod secret;
pub mod source;
pub mod value;

pub use self::secret::{CENSOR, Secret};
