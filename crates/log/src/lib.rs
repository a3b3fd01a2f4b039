#![doc = include_str!("../README.md")]

pub use self::{
    access::AccessLog,
    logger::{Logger, logger},
};

mod access;
mod logger;
