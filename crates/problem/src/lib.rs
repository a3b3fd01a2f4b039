#![doc = include_str!("../README.md")]

mod answer;
mod body;
mod category;
mod chain;
mod errors;
mod failure;
mod future;
mod hook;
mod into_problem;
mod judge;
mod layer;
mod panic;
mod read;
mod report;
mod service;
mod write;

use std::error::Error;

pub use buttress_core::problem::Problem;

pub use self::{
    body::{BodyPanicked, ProblemBody},
    category::Category,
    errors::{Errors, MAX_ERRORS},
    failure::Failure,
    future::ResponseFuture,
    hook::install_panic_hook,
    into_problem::IntoProblem,
    judge::{MAX_TEXT, Public},
    layer::ProblemLayer,
    service::Problems,
};

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync>;
