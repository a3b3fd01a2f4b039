//! The laws of a correct layer, proved for the layers of the core.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use buttress_conformance::{End, Laws, assert_any_body, assert_auto_traits};
use buttress_core::{
    client_ip::ClientIp,
    context::{ContextLayer, RequestContext},
    observe::{ObserveLayer, Observer, Totals},
};
use http::Request;

/// Counts what begins and what ends.
#[derive(Clone, Debug, Default)]
struct Tally {
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl Observer for Tally {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {
        self.begun.fetch_add(1, SeqCst);
    }

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {
        self.ended.fetch_add(1, SeqCst);
    }
}

#[test]
fn context_layer_keeps_the_laws() {
    for layer in [
        ContextLayer::new(),
        ContextLayer::new().client_ip(ClientIp::peer()),
        ContextLayer::new().route_from(|_, _| Some("/")),
        ContextLayer::disabled(),
    ] {
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        Laws::of(layer).check();
    }
}

#[test]
fn observe_layer_keeps_the_laws() {
    let tally = Tally::default();
    let layer = ObserveLayer::new(tally.clone());
    assert_auto_traits(&layer);
    assert_any_body(&layer);
    let (calls, ends, live) = (tally.clone(), tally.clone(), tally);
    Laws::of(layer)
        .counts_calls(move || calls.begun.load(SeqCst))
        .counts_ends(End::ALL, move || ends.ended.load(SeqCst))
        .gauges_in_flight(move || live.begun.load(SeqCst) - live.ended.load(SeqCst))
        .check();
}

#[test]
fn observe_layer_keeps_the_laws_when_disabled() {
    Laws::of(ObserveLayer::<Tally>::disabled()).check();
}

#[test]
fn passing_through_allocates_nothing() {
    // The context's memory is the last request's.
    Laws::of(ContextLayer::new()).allocates(0).check();
    // The route's is the one of the last request that matched it.
    Laws::of(ContextLayer::new().route_from(|_, _| Some("/users/{id}"))).allocates(0).check();
    Laws::of(ContextLayer::disabled()).allocates(0).check();
    Laws::of(ObserveLayer::new(Tally::default())).allocates(0).check();
    Laws::of(ObserveLayer::<Tally>::disabled()).allocates(0).check();
}
