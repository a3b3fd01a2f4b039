//! Buttress layers measured beside their peers: what each adds to a request.
//!
//! A [`Case`] is one job, done by a layer of ours and by each of its peers around the same
//! service. All are driven in-process, one request after the other: `poll_ready`, `call`, and the
//! body to its end. What the bare service takes is taken off.
//!
//! Three things are measured, each where nothing else disturbs it:
//!
//! - times, in interleaved rounds ([`times`]): they depend on the machine and on who else uses it;
//! - instructions, by valgrind's callgrind ([`callgrind`]): repeatable for one compiler;
//! - allocations, in a program of their own (`buttress-bench-allocations`): exact.
//!
//! What is no request has tables of its own: the [`stores`] of rate limits, a limit in [`redis`],
//! one breaker with more than one of the [`threads`], and the [`pools`] of a real server.

pub mod allocations;
mod breakers;
pub mod callgrind;
mod case;
mod cases;
mod drive;
pub mod gate;
mod limits;
pub mod load;
mod peers;
pub mod pools;
pub mod redis;
pub mod stores;
pub mod table;
pub mod threads;
pub mod times;

pub use self::{
    case::{Asked, Case, Loop, Side},
    cases::cases,
};

/// What could not be done, in words for the one who started it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
