//! Which requests are kept.

use buttress_core::context::TraceContext;
use http::HeaderValue;

use super::*;

fn traced(id: [u8; 16], flags: u8) -> RequestContext {
    let request = RequestContext::new();
    request.set_trace(TraceContext::new(id, [1; 8], flags).unwrap());
    request
}

fn identified(id: &str) -> RequestContext {
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_str(id).unwrap());
    request
}

#[test]
fn the_smallest_and_the_largest_share_are_counted_exactly() {
    const ALL: u64 = 1 << 56;
    for (rate, least) in [
        (f64::MIN_POSITIVE, ALL - 1),
        (2_f64.powi(-56), ALL - 1),
        (2_f64.powi(-55), ALL - 2),
        (1e-9, ALL - 72_057_594),
        (0.25, ALL / 4 * 3),
        (1.0 - 2_f64.powi(-53), 8),
        (1.0, 0),
    ] {
        let sampling = Sampling::new(rate).unwrap();
        assert_eq!(sampling.least, least, "{rate}");
        // No neighbour is taken for another.
        for number in [least.wrapping_sub(1), least, least + 1] {
            if number < ALL {
                let mut id = [1; 16];
                id[8..].copy_from_slice(&number.to_be_bytes());
                id[8] = 1;
                assert_eq!(sampling.keeps(&traced(id, 3)), number >= least, "{rate}: {number}");
            }
        }
    }
}

#[test]
fn a_rate_is_more_than_0_and_at_most_1() {
    for rate in [f64::MIN_POSITIVE, 1e-9, 0.5, 1.0] {
        assert_eq!(Sampling::new(rate).unwrap().rate(), rate);
    }
    for (rate, message) in [
        (0.0, "sample rate 0: more than 0 and at most 1"),
        (-0.1, "sample rate -0.1: more than 0 and at most 1"),
        (1.01, "sample rate 1.01: more than 0 and at most 1"),
        (f64::NAN, "sample rate NaN: more than 0 and at most 1"),
        (f64::INFINITY, "sample rate inf: more than 0 and at most 1"),
    ] {
        let error = Sampling::new(rate).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::InvalidRate);
        assert_eq!(error.to_string(), message);
    }
}

/// OpenTelemetry, "Probability sampling": a rejection threshold of `c` (in hex, trailing zeros
/// left out) is a rate of one in four, and keeps a randomness that is at least that.
#[test]
fn the_last_7_bytes_of_a_trace_id_decide_as_in_opentelemetry() {
    let quarter = Sampling::new(0.25).unwrap();
    for (random, kept) in [
        ([0xc0, 0, 0, 0, 0, 0, 0], true),
        ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], true),
        ([0xbf, 0xff, 0xff, 0xff, 0xff, 0, 0], false),
        ([0, 0, 0, 0, 0, 0, 1], false),
    ] {
        for first in [1, 0xff] {
            let mut id = [first; 16];
            id[9..].copy_from_slice(&random);
            // A caller of level 1 does not say that they are random.
            for flags in 0..4 {
                assert_eq!(quarter.keeps(&traced(id, flags)), kept, "{random:x?}");
            }
        }
    }
}

#[test]
fn what_a_lower_rate_keeps_a_higher_rate_keeps() {
    let rates = [0.01, 0.1, 0.5, 0.9, 1.0].map(|rate| Sampling::new(rate).unwrap());
    for number in 0..2_000 {
        let request = identified(&format!("request-{number}"));
        let kept = rates.map(|rate| rate.keeps(&request));
        assert!(kept.is_sorted(), "{kept:?}");
    }
}

#[test]
fn the_share_is_right_for_ids_of_every_kind() {
    const REQUESTS: u32 = 20_000;
    // Of 128 bits, the first ones alike: as of one service's, made one after the other.
    let uuid = |number: u32| format!("01890a5d-ac96-774b-bcce-{:012x}", u64::from(number));
    let counter = |number: u32| number.to_string();
    for (rate, id) in [
        (0.1, Box::new(uuid) as Box<dyn Fn(u32) -> String>),
        (0.5, Box::new(uuid)),
        (0.1, Box::new(counter)),
        (0.01, Box::new(counter)),
    ] {
        let sampling = Sampling::new(rate).unwrap();
        let kept = (0..REQUESTS).filter(|number| sampling.keeps(&identified(&id(*number)))).count();
        // Five standard deviations.
        let expected = f64::from(REQUESTS) * rate;
        let room = 5.0 * (expected * (1.0 - rate)).sqrt();
        assert!((kept as f64 - expected).abs() < room, "{kept} of {REQUESTS} at {rate}");
    }
}

#[test]
fn without_an_id_the_verdict_is_the_same_all_along() {
    let sampling = Sampling::new(0.5).unwrap();
    let mut kept = 0;
    let start = std::time::Instant::now();
    for micros in 0..1_000 {
        let request = RequestContext::new();
        request.set_started(start + std::time::Duration::from_micros(micros));
        let verdict = sampling.keeps(&request);
        assert!((0..3).all(|_| sampling.keeps(&request.clone()) == verdict));
        kept += usize::from(verdict);
    }
    assert!((400..600).contains(&kept), "{kept}");
    assert!(sampling.keeps(&RequestContext::new()), "there is nothing to tell it by");
}
