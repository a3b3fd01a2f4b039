use proptest::prelude::*;

use super::*;
use crate::quota::{days, minutes, requests, seconds};
use std::time::Duration;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn meter(algorithm: impl Into<Algorithm>) -> Meter {
    let algorithm = algorithm.into();
    assert_eq!(algorithm.check(), Ok(()));
    Meter::new(&algorithm)
}

/// A cell and its meter, asked as a client asks.
struct Bucket {
    meter: Meter,
    cell: Option<u64>,
    last: Nanos,
}

impl Bucket {
    fn new(algorithm: impl Into<Algorithm>) -> Self {
        Self { meter: meter(algorithm), cell: None, last: 0 }
    }

    fn take(&mut self, cost: u64, now: Nanos) -> bool {
        // As the table sweeps.
        if now - self.last > self.meter.stale_after() / 2 {
            self.cell = None;
        }
        self.last = now;
        let next = self.meter.charge(self.cell, cost, now);
        self.cell = next.or(self.cell);
        next.is_some()
    }

    fn level(&self, now: Nanos) -> Level {
        self.meter.level(self.cell, now)
    }

    fn wait(&self, cost: u64, now: Nanos) -> Option<Nanos> {
        self.meter.wait(self.cell, cost, now)
    }
}

#[test]
fn the_hundred_and_first_waits_nine_seconds_to_the_nanosecond() {
    let mut bucket = Bucket::new(requests(100).per(minutes(15)));
    for left in (0..100).rev() {
        assert!(bucket.take(1, 0));
        assert_eq!(bucket.level(0).remaining, left);
    }
    assert!(!bucket.take(1, 0));
    assert_eq!(bucket.wait(1, 0), Some(9 * S));
    assert!(!bucket.take(1, 9 * S - MS));
    assert!(!bucket.take(1, 9 * S - 1));
    assert!(bucket.take(1, 9 * S));
    assert!(!bucket.take(1, 9 * S));
    assert_eq!(bucket.level(9 * S).reset, 900 * S);
}

#[test]
fn an_interval_that_is_no_whole_number_does_not_drift() {
    for (n, period) in [(7, seconds(1)), (3, minutes(1)), (999_983, seconds(3)), (11, days(30))] {
        let Meter::Gcra(gcra) = meter(requests(n).per(period)) else { panic!() };
        let nanos = u64::try_from(period.as_nanos()).unwrap();
        // As long as a debt can be: the limit's units of it take the period and no more.
        let mut bucket = Bucket { meter: Meter::Gcra(gcra), cell: None, last: 0 };
        assert!(bucket.take(n, 0));
        assert_eq!(bucket.level(0).reset, nanos, "{n} in {period:?}");
        bucket.last = nanos;
        assert!(bucket.take(n, nanos) && !bucket.take(1, nanos));
    }
}

#[test]
fn a_strict_quota_shows_no_window_more() {
    let mut bucket = Bucket::new(requests(100).per(minutes(15)).strict());
    let admitted: Vec<Nanos> = (0..3_600_u64)
        .map(|second| second * S / 2)
        .flat_map(|now| std::iter::repeat_n(now, 60))
        .filter(|now| bucket.take(1, *now))
        .collect();
    for (i, begin) in admitted.iter().enumerate() {
        let within = admitted[i..].iter().take_while(|at| **at - begin < 900 * S).count();
        assert!(within <= 100, "{within}");
    }
    assert!(admitted.len() > 100);
}

#[test]
fn a_fixed_window_begins_with_the_first_request_and_lasts_its_period() {
    let mut bucket = Bucket::new(requests(3).per(minutes(1)).fixed_window());
    for left in [2, 1, 0] {
        assert!(bucket.take(1, 30 * S));
        let expected = Level { remaining: left, next_unit: 60 * S, reset: 60 * S };
        assert_eq!(bucket.level(30 * S), expected);
    }
    assert!(!bucket.take(1, 89 * S));
    assert_eq!(bucket.wait(1, 89 * S), Some(S));
    assert_eq!(bucket.wait(4, 89 * S), None);
    assert!(bucket.take(3, 90 * S));
    assert!(!bucket.take(1, 90 * S));
}

#[test]
fn a_sliding_counter_fades_the_last_window() {
    let mut bucket = Bucket::new(requests(10).per(minutes(1)).sliding_counter());
    assert!(bucket.take(10, 0) && !bucket.take(1, 59 * S));
    // A tenth of the last window is gone, and one unit with it.
    assert_eq!(bucket.wait(1, 60 * S), Some(6 * S));
    assert!(!bucket.take(1, 66 * S - 1));
    assert!(bucket.take(1, 66 * S) && !bucket.take(1, 66 * S));
    assert_eq!(bucket.level(66 * S).reset, 114 * S);
    assert!(!bucket.meter.is_live(bucket.cell.unwrap(), 180 * S));
}

#[test]
fn a_refund_gives_back_no_more_than_was_taken() {
    for algorithm in [
        Algorithm::from(requests(5).per(minutes(1))),
        requests(5).per(minutes(1)).fixed_window().into(),
        requests(5).per(minutes(1)).sliding_counter().into(),
    ] {
        let mut bucket = Bucket::new(algorithm);
        assert!(bucket.take(2, 0));
        let cell = bucket.cell.unwrap();
        bucket.cell = Some(bucket.meter.refund(cell, 1, 0, 0));
        assert_eq!(bucket.level(0).remaining, 4, "{algorithm:?}");
        let cell = bucket.cell.unwrap();
        bucket.cell = Some(bucket.meter.refund(cell, 9, 0, 0));
        assert_eq!(bucket.level(0).remaining, 5, "{algorithm:?}");
        assert!(!bucket.meter.is_live(bucket.cell.unwrap(), 0), "{algorithm:?}");
    }
}

#[test]
fn a_refund_of_an_earlier_window_changes_nothing_in_this_one() {
    let mut fixed = Bucket::new(requests(5).per(minutes(1)).fixed_window());
    assert!(fixed.take(1, 0) && fixed.take(2, 61 * S));
    let cell = fixed.meter.refund(fixed.cell.unwrap(), 1, 0, 62 * S);
    assert_eq!(fixed.meter.level(Some(cell), 62 * S).remaining, 3);
}

#[test]
fn what_came_back_by_itself_is_not_given_back_once_more() {
    let mut bucket = Bucket::new(requests(5).per(minutes(15)));
    assert!(bucket.take(5, 0));
    let given_back = |bucket: &Bucket, now| {
        bucket.meter.level(Some(bucket.meter.refund(bucket.cell.unwrap(), 5, 0, now)), now)
    };
    assert_eq!(given_back(&bucket, 0).remaining, 5);
    // Three have come back, of which two are taken once more.
    assert!(bucket.take(2, 540 * S));
    assert_eq!(given_back(&bucket, 540 * S).remaining, 3);
    assert!(bucket.take(3, 900 * S));
    assert_eq!(given_back(&bucket, 900 * S), bucket.level(900 * S));
}

#[test]
fn a_window_of_which_all_is_given_back_is_none() {
    let mut bucket = Bucket::new(requests(5).per(minutes(1)).fixed_window());
    assert!(bucket.take(2, 0));
    bucket.cell = Some(bucket.meter.refund(bucket.cell.unwrap(), 2, 0, S));
    assert!(bucket.take(5, 59 * S));
    assert!(!bucket.take(1, 61 * S) && bucket.take(5, 119 * S));
}

#[test]
fn a_thread_that_was_held_up_forgets_no_later_window() {
    let mut bucket = Bucket::new(requests(16_383).per(Duration::from_millis(1)).sliding_counter());
    assert!(bucket.take(16_383, 1_000 * MS));
    for late in [1, 3, 100] {
        assert_eq!(bucket.meter.charge(bucket.cell, 1, (1_000 - late) * MS), None, "{late}");
    }
    assert_eq!(bucket.level(1_002 * MS).remaining, 16_383);
}

#[test]
fn what_costs_nothing_passes_however_deep_the_debt() {
    for algorithm in [
        Algorithm::from(requests(5).per(minutes(1))),
        requests(5).per(minutes(1)).fixed_window().into(),
        requests(5).per(minutes(1)).sliding_counter().into(),
    ] {
        let meter = meter(algorithm);
        let cell = Some(meter.force(None, 50, 0));
        let next = meter.charge(cell, 0, S);
        assert_eq!(meter.level(next, S), meter.level(cell, S), "{algorithm:?}");
        assert!(next.is_some() && meter.wait(cell, 0, S) == Some(0), "{algorithm:?}");
    }
}

#[test]
fn a_debt_that_is_charged_afterwards_has_an_end() {
    let mut bucket = Bucket::new(requests(10).per(seconds(10)));
    bucket.cell = Some(bucket.meter.force(None, 30, 0));
    let expected = Level { remaining: 0, next_unit: 21 * S, reset: 30 * S };
    assert_eq!(bucket.level(0), expected);
    assert_eq!(bucket.wait(1, 0), Some(21 * S));
    bucket.cell = Some(bucket.meter.force(bucket.cell, u64::MAX, 0));
    assert_eq!(bucket.level(0).reset, 160 * S);
    assert!(!bucket.take(1, 151 * S - 1) && bucket.take(1, 151 * S));
}

#[test]
fn a_tier_change_keeps_the_time_of_a_debt() {
    let free = meter(requests(100).per(minutes(15)));
    let paid = meter(requests(1_000).per(minutes(15)));
    let cell = free.charge(None, 50, 0).unwrap();
    let cell = paid.adopt(&free, cell, 0);
    assert_eq!(paid.level(cell, 0), Level { remaining: 500, next_unit: 900 * MS, reset: 450 * S });
    assert!(!meter(requests(1).per(seconds(1)).fixed_window()).can_adopt(&free));
}

fn quotas() -> impl Strategy<Value = crate::Quota> {
    let periods = prop_oneof![
        (1_u64..2_000).prop_map(Duration::from_millis),
        (1_u64..200_000).prop_map(Duration::from_secs),
    ];
    let numbers = prop_oneof![1_u64..200, 1_u64..100_000];
    (numbers.clone(), periods, numbers)
        .prop_map(|(n, period, burst)| requests(n).per(period).burst(burst))
        .prop_filter("it must be one that is taken", |quota| quota.check().is_ok())
}

/// How much later than the clock a meter may see the time.
fn tick(quota: &crate::Quota) -> u128 {
    let interval = quota.period().as_nanos().div_ceil(u128::from(quota.requests()));
    (quota.reset_nanos() >> 31).max(2_000).min(interval)
}

/// Nanoseconds times requests, so that the interval is the period: nothing is ever rounded.
struct Model {
    requests: u128,
    period: u128,
    burst: u128,
    tat: u128,
}

impl Model {
    fn take(&mut self, cost: u64, now: u128) -> bool {
        let tat = self.charged(cost, now);
        let fits = tat <= now * self.requests + self.burst * self.period;
        if fits {
            self.tat = tat;
        }
        fits
    }

    fn charge(&mut self, cost: u64, now: u128) {
        self.tat = self.charged(cost, now);
    }

    fn charged(&self, cost: u64, now: u128) -> u128 {
        self.tat.max(now * self.requests) + u128::from(cost) * self.period
    }
}

fn model(quota: &crate::Quota) -> Model {
    let [requests, burst] = [quota.requests(), quota.limit()].map(u128::from);
    Model { requests, period: quota.period().as_nanos(), burst, tat: 0 }
}

/// Steps in time, and what is asked for after each; many close to the interval and its multiples.
fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let step = prop_oneof![Just(0_u64), 0_u64..1_000, 0_u64..100_000, 0_u64..3_000_000];
    let cost = prop_oneof![4 => Just(1_u64), 1 => 0_u64..20];
    proptest::collection::vec((step, cost), 1..200)
}

proptest! {
    /// Asked only at whole ticks, the meter and a model in integers without bound are one.
    #[test]
    fn it_decides_as_the_model_does(quota in quotas(), steps in steps(), start in 0_u64..1 << 50) {
        let mut bucket = Bucket::new(quota);
        let Meter::Gcra(gcra) = bucket.meter else { panic!() };
        let mut model = model(&quota);
        let mut at = u128::from(start) % ((1 << 61) / gcra.begin_of(1));
        for (step, cost) in steps {
            // Scaled, so that what comes back in the meantime is about what is asked for.
            at += u128::from(step) * u128::from(gcra.unit_ticks()) / 1_000;
            // The model's clock is in the same ticks, each `period / (requests * unit)`.
            let mut scaled = Model { period: u128::from(gcra.unit_ticks()), requests: 1, ..model };
            let admitted = scaled.take(cost, at);
            model.tat = scaled.tat;
            let now = gcra.begin_of(at);
            if now >= 1 << 62 {
                break;
            }
            prop_assert_eq!(bucket.take(cost, u64::try_from(now).unwrap()), admitted);
        }
    }

    /// Asked at any time, it admits what the model admits, and nothing more than a tick early.
    #[test]
    fn it_is_never_late_and_at_most_a_tick_early(quota in quotas(), steps in steps()) {
        let interval = quota.period().as_nanos() / u128::from(quota.requests());
        let early = tick(&quota);
        let mut bucket = Bucket::new(quota);
        // Of the same history: it is charged what the meter has admitted.
        let mut model = model(&quota);
        let mut now = 0_u128;
        for (step, cost) in steps {
            now += u128::from(step) * interval / 1_000;
            if now >= 1 << 62 {
                break;
            }
            let fits = |now| Model { ..model }.take(cost, now);
            let (now_fits, soon_fits) = (fits(now), fits(now + early));
            let took = bucket.take(cost, u64::try_from(now).unwrap());
            prop_assert!(took || !now_fits || cost == 0, "late");
            prop_assert!(!took || soon_fits || cost == 0, "early");
            if took {
                model.charge(cost, now);
            }
        }
    }

    /// A client that keeps to the rate is never refused.
    #[test]
    fn a_client_that_keeps_to_the_rate_passes(quota in quotas(), start in 0_u64..1 << 50) {
        let mut bucket = Bucket::new(quota.burst(1));
        let (n, period) = (u128::from(quota.requests()), quota.period().as_nanos());
        for i in 0..300_u128 {
            // Each interval rounded up: two times that are, can be closer than the rate.
            let now = u128::from(start) + i * period.div_ceil(n);
            if now >= 1 << 62 {
                break;
            }
            prop_assert!(bucket.take(1, u64::try_from(now).unwrap()), "{}", i);
        }
    }

    /// Whatever is told of the wait is true.
    #[test]
    fn who_waits_as_told_is_admitted(
        n in 1_u64..50,
        kind in 0..3,
        steps in proptest::collection::vec((0_u64..3_000, 1_u64..8), 1..60),
    ) {
        let quota = requests(n).per(seconds(60));
        let mut bucket = match kind {
            0 => Bucket::new(quota),
            1 => Bucket::new(quota.fixed_window()),
            _ => Bucket::new(quota.sliding_counter()),
        };
        let mut now = 0;
        for (step, cost) in steps {
            now += step * MS;
            let level = bucket.level(now);
            prop_assert!(level.remaining <= n);
            prop_assert_eq!(level.reset == 0, level.remaining == n);
            match bucket.wait(cost, now) {
                None => prop_assert!(cost > n),
                Some(0) => prop_assert!(cost <= level.remaining),
                Some(wait) => {
                    prop_assert!(!bucket.take(cost, now) && cost > level.remaining);
                    if wait > 20_000 {
                        let mut early = Bucket { ..bucket };
                        prop_assert!(!early.take(cost, now + wait - 20_000));
                    }
                    now += wait;
                }
            }
            prop_assert_eq!(bucket.take(cost, now), cost <= n);
        }
    }
}
