//! Reading and steering a layer that has gone into a service.

use std::sync::Arc;

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport, Metrics, Sample};

use crate::{
    circuit::Circuit,
    core::Core,
    layer::Target,
    refusal::Reason,
    snapshot::{CircuitTotals, Snapshot},
    state::State,
};

/// Reads and steers a [`BreakerLayer`](crate::BreakerLayer): its circuits, the numbers for a
/// metrics page, a health check.
///
/// As a check it has the layer's name, and is degraded while a circuit is open or half-open: what
/// is behind it does not work, and this service does what it can without.
///
/// ```
/// use buttress_breaker::{BreakerLayer, Policy, State};
///
/// let handle = BreakerLayer::new("upstream", Policy::new())?.handle();
/// handle.force_open();
/// assert_eq!(handle.snapshot().unwrap().state, State::ForcedOpen);
/// handle.reset();
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BreakerHandle {
    target: Target,
}

impl BreakerHandle {
    pub(crate) const fn new(target: Target) -> Self {
        Self { target }
    }

    /// The layer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.target.settings().name
    }

    /// The layer's one circuit. `None` where it has one for each key.
    #[must_use]
    pub fn circuit(&self) -> Option<Circuit> {
        match &self.target {
            Target::One(core) => Some(Circuit::from_core(Arc::clone(core))),
            Target::Keyed { .. } => None,
        }
    }

    /// The circuit of a key, where the layer has one for it.
    #[must_use]
    pub fn circuit_of(&self, key: &str) -> Option<Circuit> {
        match &self.target {
            Target::One(_) => None,
            Target::Keyed { circuits, .. } => circuits.get(key).map(Circuit::from_core),
        }
    }

    /// The layer's one circuit at this moment. `None` where it has one for each key.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.circuit().map(|circuit| circuit.snapshot())
    }

    /// Each circuit at this moment, with its key; the one circuit of a layer without keys has "".
    #[must_use]
    pub fn snapshots(&self) -> Vec<(Arc<str>, Snapshot)> {
        let of = |core: &Arc<Core>| (core.key.clone().unwrap_or_default(), core.snapshot());
        self.cores().iter().map(of).collect()
    }

    /// How many circuits there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cores().len()
    }

    /// Whether there is no circuit yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all circuits have seen together, those that made room for others among them.
    #[must_use]
    pub fn totals(&self) -> CircuitTotals {
        let mut totals = match &self.target {
            Target::One(_) => CircuitTotals::default(),
            Target::Keyed { circuits, .. } => circuits.retired(),
        };
        for core in self.cores() {
            totals.add(core.totals());
        }
        totals
    }

    /// Calls that passed with no circuit, as all places were taken by open ones, or as their key was
    /// of more than 512 bytes.
    #[must_use]
    pub fn untracked(&self) -> u64 {
        match &self.target {
            Target::One(_) => 0,
            Target::Keyed { circuits, .. } => circuits.untracked(),
        }
    }

    /// As [`Circuit::force_open`], for all circuits, and those to come.
    pub fn force_open(&self) {
        self.force(State::ForcedOpen);
    }

    /// As [`Circuit::force_closed`], for all circuits, and those to come.
    pub fn force_closed(&self) {
        self.force(State::ForcedClosed);
    }

    /// As [`Circuit::metrics_only`], for all circuits, and those to come.
    pub fn metrics_only(&self) {
        self.force(State::MetricsOnly);
    }

    /// As [`Circuit::disable`], for all circuits, and those to come.
    pub fn disable(&self) {
        self.force(State::Disabled);
    }

    /// As [`Circuit::reset`], for all circuits, and those to come.
    pub fn reset(&self) {
        self.force(State::Closed);
    }

    fn force(&self, state: State) {
        match &self.target {
            Target::One(core) => core.force(state),
            Target::Keyed { circuits, .. } => circuits.force(state),
        }
    }

    fn cores(&self) -> Vec<Arc<Core>> {
        match &self.target {
            Target::One(core) => vec![Arc::clone(core)],
            Target::Keyed { circuits, .. } => circuits.all(),
        }
    }

    fn states(&self) -> impl Fn(State) -> usize {
        let states: Vec<State> = self.cores().iter().map(|core| core.word().state()).collect();
        move |state| states.iter().filter(|other| **other == state).count()
    }
}

impl Metrics for BreakerHandle {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        collect(self.name(), &self.totals(), each);
        if let Target::Keyed { circuits, .. } = &self.target {
            let help = "Calls that passed with no circuit, as there was no room for one.";
            let count = circuits.untracked() as f64;
            let sample = Sample::counter("breaker_untracked_total", help, count);
            each(sample.labels(&[("breaker", self.name())]));
        }
        let states = self.states();
        for state in State::ALL {
            let help = "Circuits by what they do with calls.";
            let sample = Sample::gauge("breaker_circuits", help, states(state) as f64);
            each(sample.labels(&[("breaker", self.name()), ("state", state.as_str())]));
        }
    }
}

impl Check for BreakerHandle {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn check(&self) -> CheckFuture<'_> {
        let states = self.states();
        let (open, half_open) = (states(State::Open), states(State::HalfOpen));
        Box::pin(std::future::ready(match open + half_open {
            0 => Ok(CheckReport::ok()),
            _ => Err(CheckError::degraded("circuit open")
                .with("open", open)
                .with("half_open", half_open)),
        }))
    }
}

impl Metrics for Circuit {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        BreakerHandle::new(self.target()).collect(each);
    }
}

impl Check for Circuit {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async move { BreakerHandle::new(self.target()).check().await })
    }
}

fn collect(name: &str, totals: &CircuitTotals, each: &mut dyn FnMut(Sample<'_>)) {
    let help = "Calls that were let through, by how they ended.";
    for (outcome, count) in [
        ("success", totals.successes),
        ("failure", totals.failures),
        ("slow", totals.slow),
        ("ignored", totals.ignored),
        ("straggler", totals.stragglers),
    ] {
        let sample = Sample::counter("breaker_calls_total", help, count as f64);
        each(sample.labels(&[("breaker", name), ("outcome", outcome)]));
    }
    let help = "Calls that were refused.";
    for reason in Reason::OF_A_CIRCUIT {
        let count = totals.refused_for(reason) as f64;
        let sample = Sample::counter("breaker_refusals_total", help, count);
        each(sample.labels(&[("breaker", name), ("reason", reason.as_str())]));
    }
    let help = "How often a circuit has opened, or would have.";
    for (shadow, count) in [("false", totals.opened), ("true", totals.would_have_opened)] {
        let sample = Sample::counter("breaker_opened_total", help, count as f64);
        each(sample.labels(&[("breaker", name), ("shadow", shadow)]));
    }
}
