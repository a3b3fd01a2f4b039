//! Every interleaving of two threads over one budget.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p buttress-retry --test loom`

#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_retry::{Budget, model::Model};
use loom::thread;

/// Two threads run `each` on one budget; what they answer, together, and the budget after.
fn two(budget: Budget, each: fn(&Model) -> u64, check: fn(u64, &Model)) {
    loom::model(move || {
        let model = Model::new(&budget);
        let other = model.clone();
        let thread = thread::spawn(move || each(&other));
        let here = each(&model);
        check(here + thread.join().unwrap(), &model);
    });
}

#[test]
fn the_last_retry_is_paid_for_once() {
    let budget = Budget::ratio(0.0).reserve(1);
    two(
        budget,
        |model| model.retry(true).into(),
        |paid, model| {
            assert_eq!((paid, model.left()), (1, Some(0)));
        },
    );
}

#[test]
fn no_deposit_is_lost() {
    let budget = Budget::ratio(0.5).reserve(0);
    let each = |model: &Model| {
        model.first_ended(true);
        model.retry(true).into()
    };
    two(budget, each, |paid, model| assert_eq!(paid + model.left().unwrap(), 1));
}

#[test]
fn what_is_not_sent_is_given_back() {
    let budget = Budget::ratio(0.0).reserve(2);
    two(
        budget,
        |model| model.retry(false).into(),
        |paid, model| {
            assert_eq!((paid, model.left()), (2, Some(2)));
        },
    );
}

#[test]
fn the_quota_is_not_filled_beyond_its_capacity() {
    let each = |model: &Model| {
        model.first_ended(true);
        let paid = model.retry(false);
        model.first_ended(true);
        paid.into()
    };
    two(Budget::quota(), each, |paid, model| assert_eq!((paid, model.left()), (2, Some(500))));
}

#[test]
fn the_throttle_counts_every_failure() {
    let each = |model: &Model| {
        model.failed();
        0
    };
    two(Budget::throttle(10, 0.1), each, |_, model| assert_eq!(model.left(), Some(8)));
}

#[test]
fn no_more_retries_are_under_way_than_may_be() {
    let budget = Budget::concurrency(0.0).reserve(1);
    let each = |model: &Model| model.under_way(|| model.retry(true)).into();
    two(budget, each, |paid, model| {
        assert!(paid >= 1);
        assert_eq!(model.left(), Some(1));
    });
}
