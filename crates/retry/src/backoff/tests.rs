use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Just;

use super::*;

fn jitters() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        Just(Jitter::None)
    ]
}

proptest! {
    /// Beside the same in floats, of which the error grows with each step.
    #[test]
    fn without_jitter_it_is_the_power_up_to_the_cap(
        first in 1_u64..10_000_000_000,
        factor in 1.0..10.0_f64,
        max in 1_u64..100_000_000_000,
    ) {
        let backoff = Backoff::exponential(Duration::from_nanos(first))
            .factor(factor)
            .max(Duration::from_nanos(max))
            .jitter(Jitter::None);
        for (k, delay) in backoff.delays().take(40).enumerate() {
            let model = (first as f64 * factor.powi(i32::try_from(k).unwrap())).min(max as f64);
            let error = (delay.as_nanos() as f64 - model).abs();
            prop_assert!(error <= 40.0 + model * 1e-6, "{k}: {delay:?} beside {model}");
        }
    }

    #[test]
    fn no_delay_is_longer_than_the_cap_whatever_the_numbers(
        first in any::<u64>(),
        max in any::<u64>(),
        factor in any::<f64>(),
        jitter in jitters(),
        seed in any::<u64>(),
    ) {
        let max = Duration::from_nanos(max);
        let backoff = Backoff::exponential(Duration::from_nanos(first))
            .factor(factor)
            .max(max)
            .jitter(jitter)
            .seed(seed);
        for delay in backoff.delays().take(80) {
            prop_assert!(delay <= max);
        }
    }

    #[test]
    fn jitter_stays_within_its_bounds(seed in any::<u64>(), jitter in jitters()) {
        let ms = Duration::from_millis;
        let backoff = Backoff::exponential(ms(100)).max(ms(800)).jitter(jitter).seed(seed);
        let mut before = ms(100);
        let bases = [100, 200, 400, 800, 800, 800].map(ms);
        for (delay, base) in backoff.delays().zip(bases) {
            let (low, high) = match jitter {
                Jitter::Full => (ms(0), base),
                Jitter::Equal => (base / 2, base),
                Jitter::Decorrelated => (ms(100), (before * 3).min(ms(800))),
                Jitter::None => (base, base),
            };
            prop_assert!((low..=high).contains(&delay), "{delay:?} not in {low:?} to {high:?}");
            before = delay;
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays(seed in any::<u64>(), jitter in jitters()) {
        let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(jitter).seed(seed);
        let first: Vec<_> = backoff.delays().take(9).collect();
        prop_assert!(backoff.into_iter().take(9).eq(first));
    }

    #[test]
    fn it_ends_after_as_many_as_were_said(retries in 0_u32..50) {
        let backoff = Backoff::exponential(Duration::ZERO).max_retries(retries);
        prop_assert_eq!(backoff.delays().count(), usize::try_from(retries).unwrap());
    }
}

#[test]
fn full_jitter_is_spread_evenly() {
    let ms = Duration::from_millis;
    let mut delays = Backoff::exponential(ms(100)).factor(1.0).max(ms(100)).seed(1).delays();
    let mut tenths = [0_u32; 10];
    for _ in 0..10_000 {
        let tenth = delays.next().unwrap().as_nanos() / 10_000_001;
        tenths[usize::try_from(tenth).unwrap()] += 1;
    }
    // A fair tenth is 1,000; six standard deviations are 180.
    assert!(tenths.iter().all(|tenth| (820..1_180).contains(tenth)), "{tenths:?}");
}

#[test]
fn what_does_not_grow_is_refused() {
    let second = Duration::from_secs(1);
    for factor in [0.99, -1.0, f64::NAN] {
        assert!(Backoff::exponential(second).factor(factor).check().is_err());
    }
    assert!(Backoff::exponential(second).max(second / 2).check().is_err());
    assert!(Backoff::constant(Duration::ZERO).check().is_ok());
}
