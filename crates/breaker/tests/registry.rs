//! A circuit for each host.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use buttress_breaker::{
    BreakerHandle, BreakerLayer, ConfigErrorKind, OpenFor, Policy, Registry, State, Window,
};
use buttress_core::reject::Rejected;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A client whose hosts that begin with `bad` fail.
struct Client {
    service: Box<dyn FnMut(Request<()>) -> Option<&'static str>>,
    handle: BreakerHandle,
    seconds: Arc<AtomicU64>,
}

impl Client {
    fn new(registry: Registry) -> Self {
        let policy = Policy::new().window(Window::consecutive(1)).open(OpenFor::constant(secs(60)));
        let seconds = Arc::new(AtomicU64::new(0));
        let (start, clock) = (Instant::now(), Arc::clone(&seconds));
        let layer = BreakerLayer::new("upstream", policy)
            .unwrap()
            .clock(move || start + secs(clock.load(SeqCst)))
            .registry(registry)
            .unwrap()
            .per_host();
        let mut service = layer.layer(tower::service_fn(|request: Request<()>| {
            let mut response = Response::new(String::new());
            if request.uri().host().unwrap().starts_with("bad") {
                *response.status_mut() = StatusCode::BAD_GATEWAY;
            }
            ready(Ok::<_, Infallible>(response))
        }));
        let service = Box::new(move |request| {
            let answer = service.call(request).now_or_never().unwrap().unwrap();
            answer.extensions().get::<Rejected>().map(|rejected| rejected.reason())
        });
        Self { service, handle: layer.handle(), seconds }
    }

    /// Why it was refused, if it was.
    fn get(&mut self, host: &str) -> Option<&'static str> {
        (self.service)(Request::get(format!("http://{host}/")).body(()).unwrap())
    }

    fn knows(&self, host: &str) -> bool {
        self.handle.circuit_of(host).is_some()
    }

    fn passes(&self, by: u64) {
        self.seconds.fetch_add(by, SeqCst);
    }
}

#[test]
fn each_host_and_port_has_a_circuit_of_its_own() {
    let mut client = Client::new(Registry::new());
    client.get("bad");
    assert_eq!(client.get("bad"), Some("open"));
    assert_eq!(client.get("good"), None);
    assert_eq!(client.get("bad:8080"), None);
    // A name and a password are no part of a host.
    assert_eq!(client.get("name:password@bad"), Some("open"));
    assert_eq!(client.handle.circuit_of("bad").unwrap().state(), State::Open);
    assert_eq!(client.handle.len(), 3);
}

#[test]
fn a_hundred_thousand_hosts_stay_within_the_capacity_and_an_open_one_is_kept() {
    let mut client = Client::new(Registry::new().capacity(1_000));
    for bad in 0..100 {
        client.get(&format!("bad-{bad}"));
    }
    for good in 0..100_000 {
        assert_eq!(client.get(&format!("host-{good}")), None);
        if good % 1_000 == 0 {
            assert!(client.handle.len() <= 1_000);
        }
    }
    assert!(client.handle.len() <= 1_000 && client.handle.len() > 900);
    for bad in 0..100 {
        assert_eq!(client.get(&format!("bad-{bad}")), Some("open"), "bad-{bad}");
    }
    // What has gone is still in the sum.
    let totals = client.handle.totals();
    assert_eq!((totals.successes + client.handle.untracked(), totals.failures), (100_000, 100));
}

#[test]
fn no_open_circuit_makes_room_for_a_closed_one() {
    let mut client = Client::new(Registry::new().capacity(8));
    for bad in 0..8 {
        client.get(&format!("bad-{bad}"));
    }
    for good in 0..1_000 {
        assert_eq!(client.get(&format!("host-{good}")), None);
    }
    assert_eq!((client.handle.len(), client.handle.untracked()), (8, 1_000));
    for bad in 0..8 {
        assert_eq!(client.get(&format!("bad-{bad}")), Some("open"));
    }
}

#[test]
fn the_closed_one_that_was_not_used_for_longest_goes_first() {
    let mut client = Client::new(Registry::new().capacity(4));
    for host in ["a", "b", "bad", "c"] {
        client.get(host);
        client.passes(1);
    }
    client.get("a");
    client.passes(1);
    client.get("new");
    assert_eq!(
        ["a", "b", "bad", "c", "new"].map(|host| client.knows(host)),
        [true, false, true, true, true]
    );
}

#[test]
fn idle_circuits_go_when_others_come_and_open_ones_when_their_time_is_over_too() {
    let mut client = Client::new(Registry::new().capacity(8).idle(secs(30)));
    client.get("idle");
    client.get("bad");
    client.passes(29);
    client.get("new");
    assert!(client.knows("idle"));
    client.passes(1);
    client.get("newer");
    assert!(!client.knows("idle") && client.knows("bad") && client.knows("new"));
    client.passes(31);
    client.get("newest");
    assert!(!client.knows("bad") && !client.knows("new"));
    assert_eq!(client.handle.len(), 1);
}

#[test]
fn by_hand_those_to_come_are_steered_too() {
    let mut client = Client::new(Registry::new());
    client.get("known");
    client.handle.force_open();
    assert_eq!(
        (client.get("known"), client.get("new")),
        (Some("forced_open"), Some("forced_open"))
    );
    client.handle.reset();
    assert_eq!((client.get("known"), client.get("newer")), (None, None));
}

#[test]
fn a_half_open_circuit_whose_probe_nobody_waits_for_makes_room() {
    let mut client = Client::new(Registry::new().capacity(8).idle(secs(30)));
    client.get("bad");
    client.passes(59);
    assert_eq!(client.get("bad"), Some("open"));
    client.passes(1);
    let probe = client.handle.circuit_of("bad").unwrap().acquire().unwrap();
    assert!(probe.is_probe());
    client.passes(28);
    client.get("new");
    assert!(client.knows("bad"));
    client.passes(1);
    client.get("newer");
    assert!(!client.knows("bad"));
    drop(probe);
}

#[test]
fn opened_by_hand_it_refuses_those_to_come_when_it_is_full_too() {
    let mut client = Client::new(Registry::new().capacity(8));
    client.handle.force_open();
    for host in 0..100 {
        assert_eq!(client.get(&format!("host-{host}")), Some("forced_open"), "{host}");
    }
    assert_eq!((client.handle.len(), client.handle.untracked()), (8, 0));
}

#[test]
fn a_circuit_that_is_made_in_a_state_has_not_changed_it() {
    let changes = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&changes);
    let layer = BreakerLayer::new("upstream", Policy::new())
        .unwrap()
        .on_transition(move |_| {
            told.fetch_add(1, SeqCst);
        })
        .per_host();
    let handle = layer.handle();
    handle.force_open();
    let mut service = layer.layer(tower::service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    }));
    let request = Request::get("http://host/").body(()).unwrap();
    assert_eq!(service.call(request).now_or_never().unwrap().unwrap().status(), 503);
    assert_eq!(changes.load(SeqCst), 0);
}

#[test]
fn a_key_that_is_too_long_is_not_kept() {
    let mut client = Client::new(Registry::new());
    let (long, longer) = ("bad".repeat(170), "bad".repeat(171));
    assert_eq!((client.get(&long), client.get(&long)), (None, Some("open")));
    assert_eq!((client.get(&longer), client.get(&longer)), (None, None));
    assert_eq!((client.handle.len(), client.handle.untracked()), (1, 2));
}

#[test]
fn a_registry_for_nothing_is_refused() {
    let layer = BreakerLayer::new("upstream", Policy::new()).unwrap();
    for capacity in [0, 10_000_001] {
        let error = layer.clone().registry(Registry::new().capacity(capacity)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
    }
    // All that is closed would go at each new key.
    let error = layer.registry(Registry::new().idle(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Time);
}
