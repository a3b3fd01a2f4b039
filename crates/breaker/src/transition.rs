//! Who wants to know that a circuit opens or closes.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crate::state::State;

pub(crate) type Listener = Arc<dyn Fn(&Transition<'_>) + Send + Sync>;

/// A change of a circuit's state.
///
/// Listeners are told in the call that changed it, after its lock: a listener may ask the circuit
/// and steer it, and must not block. Two changes that two threads make one after the other may be
/// told in the other order; the [`generation`](Self::generation) tells which came first. A panic in
/// a listener is kept from the call.
///
/// ```
/// use buttress_breaker::{Circuit, Policy};
///
/// let circuit = Circuit::new("smtp", Policy::new())?.on_transition(|change| {
///     eprintln!("circuit {}: {} -> {}", change.circuit, change.from, change.to);
/// });
/// circuit.force_open();
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition<'a> {
    /// The name of the layer or circuit.
    pub circuit: &'a str,
    /// Its key, where a layer has a circuit for each.
    pub key: Option<&'a str>,
    /// What it did.
    pub from: State,
    /// What it does now.
    pub to: State,
    /// How long it is open, where it has opened.
    pub open_for: Option<Duration>,
    /// The number of the new state, one more with each, but that of the ramp where that is over; it
    /// begins again after two million.
    pub generation: u32,
}

/// Each is told, whatever another does.
pub(crate) fn tell(listeners: &[Listener], transition: &Transition<'_>) {
    for listener in listeners {
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| listener(transition))) else {
            continue;
        };
        // It is anything: its own drop may panic, and with a payload that is no better.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            let _ = ManuallyDrop::new(again);
        }
    }
}
