//! What the guide says of calls to others is all that there is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::{collections::BTreeSet, fs, path::Path};

use buttress_breaker::{BreakerLayer, BulkheadLayer, Policy, ShedLayer};
use buttress_metrics::{Exposition, Format};
use buttress_retry::RetryLayer;

fn page() -> String {
    Exposition::new()
        .source(RetryLayer::http().handle())
        .source(BreakerLayer::new("upstream", Policy::new()).unwrap().per_host().handle())
        .source(BulkheadLayer::new("upstream", 64).unwrap().handle())
        .source(ShedLayer::new("calls"))
        .render(Format::Prometheus)
}

fn guide() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("guide/outbound.md");
    fs::read_to_string(guide).unwrap()
}

#[test]
fn the_guide_has_every_metric() {
    let (guide, page) = (guide(), page());
    let names: BTreeSet<_> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_guide_has_every_reason_outcome_and_kind() {
    let (guide, page) = (guide(), page());
    for label in ["stop", "outcome", "reason", "kind"] {
        let values: BTreeSet<_> = page
            .split(&format!("{label}=\""))
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(values.len() > 1, "{label}: {values:?}");
        for value in values {
            assert!(guide.contains(&format!("`{value}`")), "{label}: {value}");
        }
    }
}
