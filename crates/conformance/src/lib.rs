#![doc = include_str!("../README.md")]

#[cfg(feature = "allocations")]
mod allocations;
mod check;
mod end;
mod finding;
mod law;
mod laws;
mod probe;
mod subject;
mod task;
mod traits;
mod trial;

#[cfg(feature = "allocations")]
pub use allocations::allocations;
pub use end::End;
pub use finding::Finding;
pub use law::Law;
pub use laws::Laws;
pub use probe::{
    Gate, Held, OpaqueBody, Probe, ProbeBody, ProbeError, ProbeFuture, ProbeService, SeenRequest,
};
pub use subject::{BoxError, Subject};
pub use task::Task;
pub use traits::{Sound, assert_any_body, assert_auto_traits, assert_error_type};
