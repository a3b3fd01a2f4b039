//! The parts that a law is checked with, useful in anyone's tests: an inner service, a body and a
//! gate that do what they are told and remember what was done to them.

mod body;
mod error;
mod gate;
mod ledger;
mod opaque;
mod service;
mod watch;

pub use body::ProbeBody;
pub use error::ProbeError;
pub use gate::Gate;
pub use ledger::{Held, SeenRequest};
pub use opaque::OpaqueBody;
pub use service::{ProbeFuture, ProbeService};
pub use watch::Probe;
