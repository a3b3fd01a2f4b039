//! The headers of whole runs, read by a parser of structured fields.

#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::convert::Infallible;

use buttress_limit::{Key, LimitLayer, Rule, requests};
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};
use tower::{Layer, Service, service_fn};

/// Name, and the two numbers.
fn read(headers: &HeaderMap, name: &str, [a, b]: [&str; 2]) -> Vec<(String, i64, i64)> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap());
    let list: List = Parser::new(&lines.collect::<Vec<_>>().join(", ")).parse().unwrap();
    let entry = |entry: &ListEntry| {
        let ListEntry::Item(item) = entry else { panic!("{entry:?}") };
        let BareItem::String(name) = &item.bare_item else { panic!("{item:?}") };
        let number = |key: &str| match item.params.get(key).unwrap() {
            BareItem::Integer(number) => i64::from(*number),
            other => panic!("{other:?}"),
        };
        (name.as_str().to_owned(), number(a), number(b))
    };
    list.iter().map(entry).collect()
}

/// Everything that is told: names, numbers of any size, and all of it agrees.
fn check_run(
    rules: &[Rule],
    all: bool,
    requests: usize,
    costs: &[u64],
) -> Result<(), TestCaseError> {
    let layer = LimitLayer::new(Key::everyone(), rules.to_vec())
        .unwrap()
        .cost(|head| head.headers["cost"].to_str().unwrap().parse().unwrap());
    let layer = if all { layer.headers_of_all_rules() } else { layer };
    let mut service =
        layer.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) }));
    let limit = rules.iter().map(limit_of).min().unwrap();
    for cost in costs.iter().cycle().take(requests) {
        let request = Request::builder().header("cost", *cost).body(()).unwrap();
        let answer = service.call(request).now_or_never().unwrap().unwrap();
        let policies = read(answer.headers(), "ratelimit-policy", ["q", "w"]);
        let limits = read(answer.headers(), "ratelimit", ["r", "t"]);
        prop_assert_eq!(policies.len(), rules.len());
        prop_assert_eq!(limits.len(), if all { rules.len() } else { 1 });
        for ((name, quota, window), rule) in policies.iter().zip(rules) {
            prop_assert_eq!(name, rule.name());
            prop_assert!(*quota >= 1 && *window >= 1);
        }
        for (name, left, time) in &limits {
            let (_, quota, _) = policies.iter().find(|policy| policy.0 == *name).unwrap();
            prop_assert!((0..=*quota).contains(left));
            prop_assert!(*time > 0 || *left > 0, "nothing is left, and that is not for ever");
        }
        let (_, left, time) = &limits[0];
        let cost = i64::try_from(*cost).unwrap();
        let retry = answer
            .headers()
            .get("retry-after")
            .map(|retry| retry.to_str().unwrap().parse::<i64>().unwrap());
        match (answer.status().as_u16(), retry) {
            (200, retry) => prop_assert_eq!(retry, None),
            (429, None) => prop_assert!(cost > limit, "{cost} can pass, and is not told when"),
            (429, Some(retry)) => {
                prop_assert!(cost <= limit && *left < cost);
                prop_assert!(retry >= 1 && retry >= *time, "{retry} {time}");
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
    Ok(())
}

fn limit_of(rule: &Rule) -> i64 {
    i64::try_from(rule.quota().limit()).unwrap()
}

proptest! {
    #[test]
    fn they_agree_with_one_another_for_a_whole_run(
        rules in proptest::collection::vec((1_u64..40, 1_u64..100_000, 1_u64..40, 0..4), 1..4),
        all in any::<bool>(),
    ) {
        let rules = rules.iter().zip(["a", "b.c", "d/e"]).map(|((n, seconds, burst, kind), name)| {
            let quota = requests(*n).per(std::time::Duration::from_secs(*seconds));
            match kind {
                0 => Rule::new(name, quota.burst(*burst)),
                1 => Rule::new(name, quota.strict()),
                2 => Rule::new(name, quota.fixed_window()),
                _ => Rule::new(name, quota.sliding_counter()),
            }
            .unwrap()
        });
        let rules: Vec<_> = rules.collect();
        let layer = LimitLayer::new(Key::everyone(), rules.clone()).unwrap();
        let layer = if all { layer.headers_of_all_rules() } else { layer };
        let mut service = layer.layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(()))
        }));
        let mut last = i64::MAX;
        for _ in 0..60 {
            let answer = service.call(Request::new(())).now_or_never().unwrap().unwrap();
            let policies = read(answer.headers(), "ratelimit-policy", ["q", "w"]);
            let limits = read(answer.headers(), "ratelimit", ["r", "t"]);
            prop_assert_eq!(policies.len(), rules.len());
            prop_assert_eq!(limits.len(), if all { rules.len() } else { 1 });
            for (name, left, time) in &limits {
                let (_, quota, _) = policies.iter().find(|policy| policy.0 == *name).unwrap();
                prop_assert!((0..=*quota).contains(left));
                prop_assert!(*left > 0 || *time > 0, "nothing is left, and that is not for ever");
            }
            let (_, left, time) = &limits[0];
            prop_assert!(*left <= last, "no unit comes back within a run");
            last = *left;
            let retry = answer.headers().get("retry-after");
            if answer.status() == 429 {
                prop_assert_eq!(*left, 0);
                let retry: i64 = retry.unwrap().to_str().unwrap().parse().unwrap();
                prop_assert!(retry >= 1 && retry >= *time, "{retry} {time}");
            } else {
                prop_assert!(retry.is_none());
            }
        }
    }

    /// Quotas as large and as small as they can be, and costs that can never pass.
    #[test]
    fn they_agree_whatever_the_quotas_and_the_costs(
        rules in proptest::collection::vec(
            (
                prop_oneof![1_u64..5, 1_u64..1_000_000, 1_u64..1 << 40, 1_u64..1 << 60],
                prop_oneof![1_u64..10, 1_u64..100_000, 1_u64..31_622_400_000],
                prop_oneof![1_u64..5, 1_u64..1_000_000, 1_u64..=1 << 32],
                0..4,
            ),
            1..4,
        ),
        costs in proptest::collection::vec(
            prop_oneof![4 => Just(1_u64), 1 => 0_u64..10, 1 => 0_u64..1 << 33],
            1..8,
        ),
        all in any::<bool>(),
    ) {
        let rules = rules.into_iter().zip(["a", "b.c", "d/e"]).filter_map(|(rule, name)| {
            let (n, millis, burst, kind) = rule;
            let quota = requests(n).per(std::time::Duration::from_millis(millis));
            match kind {
                0 => Rule::new(name, quota.burst(burst)),
                1 => Rule::new(name, quota.strict()),
                2 => Rule::new(name, quota.fixed_window()),
                _ => Rule::new(name, quota.sliding_counter()),
            }
            .ok()
        });
        let rules: Vec<_> = rules.collect();
        prop_assume!(!rules.is_empty());
        check_run(&rules, all, 40, &costs)?;
    }
}

/// An integer of a structured field has fifteen digits (RFC 9651 §3.3.1).
#[test]
fn the_largest_quota_there_is_can_be_told() {
    let year = buttress_limit::days(366);
    let largest = requests(999_999_999_999_999).per(year).burst(10);
    check_run(&[Rule::new("largest", largest).unwrap()], true, 12, &[1]).unwrap();
    let larger = Rule::new("larger", requests(1_000_000_000_000_000).per(year).burst(10));
    assert_eq!(
        larger.unwrap_err().to_string(),
        "larger: the quota must be at most 999999999999999 requests"
    );
}
