use std::convert::Infallible;

use buttress::breaker::{BulkheadLayer, Permit};
use failsafe::CircuitBreaker;
use tower::limit::ConcurrencyLimitLayer;
use tower_layer::Layer;
use tower_resilience_bulkhead::BulkheadLayer as TowerResilienceBulkhead;

use super::{Headers, nothing};
use crate::{
    Case,
    breakers::{self, Memory},
    drive::{Answer, Bare, repeat, serve, with_timer},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        closed("breaker, count window", Memory::Count).asked(120, 0),
        closed("breaker, time window", Memory::Time).asked(250, 0),
        closed("breaker, consecutive", Memory::Consecutive),
        closed("breaker, count window, slow calls", Memory::Slow),
        per_host(),
        alone_by_count(),
        alone_by_time(),
        alone_consecutive(),
        bulkhead(),
    ]
}

/// Closed, and every call succeeds.
fn closed(name: &'static str, memory: Memory) -> Case {
    Case::new(name, Headers::None.bare(), move || {
        Ok(serve(memory.ours()?.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower-resilience", move || {
        let layer = memory.tower_resilience()?;
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// By the `Host` among the 8 headers.
fn per_host() -> Case {
    Case::new("breaker, per host, 8 headers", Headers::Eight.bare(), || {
        let layer = Memory::Count.ours()?.per_host();
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::Eight.request()))
    })
}

/// Without a service: asked, and told of a success.
fn alone_by_count() -> Case {
    alone("breaker, a circuit alone, count window", Memory::Count).peer("recloser", || {
        let breaker = breakers::recloser();
        Ok(repeat(move || breaker.call(|| Ok::<_, Infallible>(())).is_ok()))
    })
}

fn alone_by_time() -> Case {
    alone("breaker, a circuit alone, time window", Memory::Time).peer("failsafe", || {
        let breaker = breakers::failsafe_time();
        Ok(repeat(move || breaker.call(|| Ok::<_, Infallible>(())).is_ok()))
    })
}

fn alone_consecutive() -> Case {
    alone("breaker, a circuit alone, consecutive", Memory::Consecutive).peer("failsafe", || {
        let breaker = breakers::failsafe_consecutive();
        Ok(repeat(move || breaker.call(|| Ok::<_, Infallible>(())).is_ok()))
    })
}

fn alone(name: &'static str, memory: Memory) -> Case {
    Case::new(name, nothing(), move || {
        let circuit = memory.circuit()?;
        Ok(repeat(move || circuit.acquire().map(Permit::success).is_ok()))
    })
}

/// tower's lets wait where the others refuse, and it and tower-resilience's give the seat back with
/// the answer's head.
fn bulkhead() -> Case {
    Case::new("breaker, a bulkhead", Headers::None.bare(), || {
        let layer = BulkheadLayer::new("upstream", SEATS)?;
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower-resilience", || {
        let layer = TowerResilienceBulkhead::builder();
        let layer = layer.max_concurrent_calls(SEATS).reject_when_full().build()?;
        with_timer(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower", || {
        let layer = ConcurrencyLimitLayer::new(SEATS);
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .asked(100, 0)
}

const SEATS: usize = 64;
