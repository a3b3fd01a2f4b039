use proptest::{collection::vec, prelude::*};

use super::*;

fn withdraw(pot: &Arc<Pot>, sent: bool) -> bool {
    let token = Token::withdraw(pot, false);
    let paid = token.is_some();
    if let (Some(mut token), true) = (token, sent) {
        token.spend();
    }
    paid
}

#[test]
fn a_ratio_is_exact() {
    for ratio in [0.75, 0.6, 0.2, 0.1, 0.001, 1.0, 1.0 / 3.0] {
        let pot = Budget::ratio(ratio).reserve(0).pot();
        let mut retries = 0_u32;
        for _ in 0..10_000 {
            pot.first_ended(false);
            while withdraw(&pot, true) {
                retries += 1;
            }
        }
        let expected = (ratio * 10_000.0).round();
        assert!((f64::from(retries) - expected).abs() <= 1.0, "{ratio}: {retries}");
    }
}

#[test]
fn what_is_saved_has_a_bound() {
    let pot = Budget::ratio(0.5).reserve(0).max_saved(7).pot();
    for _ in 0..1_000 {
        pot.first_ended(true);
    }
    assert_eq!((0..100).filter(|_| withdraw(&pot, true)).count(), 7);
}

/// The tests of the AWS SDKs: two 503 and a 200.
#[test]
fn the_quota_goes_from_500_to_495_to_490_and_to_495() {
    let pot = Budget::quota().pot();
    let mut seen = vec![pot.left().unwrap()];
    let mut token = Token::withdraw(&pot, false).unwrap();
    seen.push(pot.left().unwrap());
    token.spend();
    drop(token);
    let mut token = Token::withdraw(&pot, false).unwrap();
    seen.push(pot.left().unwrap());
    token.spend();
    token.succeeded();
    seen.push(pot.left().unwrap());
    assert_eq!(seen, [500, 495, 490, 495]);
    pot.first_ended(true);
    assert_eq!(pot.left(), Some(496));
    let mut token = Token::withdraw(&pot, true).unwrap();
    token.spend();
    drop(token);
    assert_eq!(pot.left(), Some(486), "a timeout costs 10");
}

#[test]
fn the_quota_is_never_more_than_full() {
    let pot = Budget::quota().pot();
    pot.first_ended(true);
    assert_eq!(pot.left(), Some(500));
    let paid = (0..200).filter(|_| withdraw(&pot, true)).count();
    assert_eq!((paid, pot.left()), (100, Some(0)));
}

/// gRFC A6, with its own numbers: 10 tokens, 0.1 for a success.
#[test]
fn the_throttle_stops_at_half_and_opens_again_above_it() {
    let pot = Budget::throttle(10, 0.1).pot();
    let mut left = Vec::new();
    for _ in 0..6 {
        pot.failed();
        left.push((pot.left().unwrap(), withdraw(&pot, true)));
    }
    assert_eq!(left, [(9, true), (8, true), (7, true), (6, true), (5, false), (4, false)]);
    for _ in 0..10 {
        pot.first_ended(true);
        assert!(!withdraw(&pot, true), "half is not above half");
    }
    pot.first_ended(true);
    assert!(withdraw(&pot, true));
    for _ in 0..100 {
        pot.failed();
    }
    assert_eq!(pot.left(), Some(0));
}

#[test]
fn concurrency_is_a_share_of_what_is_under_way_and_at_least_the_reserve() {
    let pot = Budget::concurrency(0.2).pot();
    let least: Vec<_> = (0..9).map_while(|_| Token::withdraw(&pot, false)).collect();
    assert_eq!(least.len(), 3);
    drop(least);
    for _ in 0..50 {
        pot.enter();
    }
    let share: Vec<_> = (0..99).map_while(|_| Token::withdraw(&pot, false)).collect();
    assert_eq!(share.len(), 10);
    for _ in 0..50 {
        pot.leave();
    }
    assert!(Token::withdraw(&pot, false).is_none());
    drop(share);
    assert_eq!(pot.left(), Some(3));
}

#[test]
fn hosts_do_not_pay_for_one_another_and_are_bounded() {
    let budgets = Budgets::new(&Budget::ratio(0.0).reserve(2).per_host_up_to(3));
    let used_up = budgets.of("a");
    assert_eq!((0..9).filter(|_| withdraw(&used_up, true)).count(), 2);
    drop(used_up);
    assert!(withdraw(&budgets.of("b"), true));
    let held: Vec<_> = ["b", "c"].map(|host| budgets.of(host)).into();
    for n in 0..1_000 {
        let pot = budgets.of(&format!("host-{n}"));
        assert!(Arc::ptr_eq(&pot, budgets.common()), "there is no room: all others are in use");
        assert_eq!(budgets.hosts(), 3);
    }
    assert!(!withdraw(&budgets.of("a"), true), "it is not forgotten for the others");
    drop(held);
    assert!(!Arc::ptr_eq(&budgets.of("d"), budgets.common()));
    assert!(!withdraw(&budgets.of("a"), true));
}

#[test]
fn newcomers_cost_the_same_however_many_hosts_are_kept() {
    for capacity in [100, 1_000] {
        let budgets = Budgets::new(&Budget::ratio(0.1).per_host_up_to(capacity));
        let host = |n: usize| format!("host-{n}");
        let in_use: Vec<_> = (0..capacity).map(|n| budgets.of(&host(n))).collect();
        for n in capacity..3 * capacity {
            budgets.of(&host(n));
        }
        let each = budgets.looked_at() / (2 * capacity);
        assert!(each <= 16, "{each} of {capacity} for each newcomer");
        drop(in_use);
        for n in capacity..2 * capacity {
            budgets.of(&host(n));
        }
        assert!(budgets.of("new").withdraw(false).is_some() && budgets.hosts() > 1);
    }
}

#[test]
fn what_could_never_pay_is_refused() {
    for budget in [
        Budget::ratio(-0.1),
        Budget::ratio(f64::NAN),
        Budget::ratio(f64::INFINITY),
        Budget::ratio(0.2).max_saved(0),
        Budget::concurrency(-1.0),
        Budget::throttle(0, 0.1),
        Budget::throttle(1_001, 0.1),
        Budget::throttle(10, 0.0),
    ] {
        assert!(budget.check().is_err(), "{budget:?}");
    }
    assert!(Budget::ratio(0.0).check().is_ok());
    assert!(Budget::unlimited().check().is_ok());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    First(bool),
    Failed,
    Retry { sent: bool, well: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<bool>().prop_map(Step::First),
        Just(Step::Failed),
        any::<(bool, bool)>().prop_map(|(sent, well)| Step::Retry { sent, well }),
    ];
    vec(step, 0..400)
}

proptest! {
    /// Beside an account in plain numbers.
    #[test]
    fn the_ratio_is_an_account(millionths in 0_u64..2_000_000, reserve in 0_u32..5, steps in steps()) {
        let ratio = millionths as f64 / 1e6;
        let pot = Budget::ratio(ratio).reserve(reserve).max_saved(20).pot();
        let mut model = u64::from(reserve) * 1_000_000;
        for step in steps {
            match step {
                Step::First(_) => model = (model + millionths).min(20_000_000),
                Step::Failed => pot.failed(),
                Step::Retry { sent, .. } => {
                    prop_assert_eq!(withdraw(&pot, sent), model >= 1_000_000);
                    if sent && model >= 1_000_000 {
                        model -= 1_000_000;
                    }
                }
            }
            if let Step::First(well) = step {
                pot.first_ended(well);
            }
            prop_assert_eq!(pot.left(), Some(model / 1_000_000));
        }
    }

    #[test]
    fn the_quota_is_an_account(steps in steps()) {
        let pot = Budget::quota().pot();
        let mut model = 500_u64;
        for step in steps {
            match step {
                Step::First(well) => {
                    pot.first_ended(well);
                    model = (model + u64::from(well)).min(500);
                }
                Step::Failed => pot.failed(),
                Step::Retry { sent, well } => {
                    let token = Token::withdraw(&pot, false);
                    prop_assert_eq!(token.is_some(), model >= 5);
                    let Some(mut token) = token else { continue };
                    if sent {
                        token.spend();
                        model -= 5;
                    }
                    if sent && well {
                        token.succeeded();
                        model = (model + 5).min(500);
                    }
                }
            }
            prop_assert_eq!(pot.left(), Some(model));
        }
    }

    #[test]
    fn the_throttle_is_an_account(max in 1_u32..50, thousandths in 1_u64..1_000, steps in steps()) {
        let pot = Budget::throttle(max, thousandths as f64 / 1e3).pot();
        let most = u64::from(max) * 1_000;
        let mut model = most;
        for step in steps {
            match step {
                Step::First(well) => {
                    pot.first_ended(well);
                    model = (model + if well { thousandths } else { 0 }).min(most);
                }
                Step::Failed => {
                    pot.failed();
                    model = model.saturating_sub(1_000);
                }
                Step::Retry { sent, .. } => {
                    prop_assert_eq!(withdraw(&pot, sent), model * 2 > most);
                }
            }
            prop_assert_eq!(pot.left(), Some(model / 1_000));
        }
    }
}
