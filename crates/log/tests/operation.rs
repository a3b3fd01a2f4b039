//! What is counted onto a request, and what has a line of its own.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod support;

use std::{
    future::{Future, pending, ready},
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use buttress_core::context::RequestContext;
use buttress_log::{Operation, operation};
use http::HeaderValue;
use serde_json::json;
use support::Lines;
use tracing::Level;

const ALL: [(Operation, &str); 4] = [
    (Operation::Db, "db"),
    (Operation::Ai, "ai"),
    (Operation::Http, "http"),
    (Operation::Service, "service"),
];

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn each_kind_is_counted_by_a_drop_a_finish_and_a_future() {
    let (lines, _guard) = Lines::here();
    for (kind, _) in ALL {
        let request = RequestContext::new();
        request.scope(|| {
            drop(operation(kind, "a"));
            operation(kind, "b").finish();
            assert!(poll(pin!(operation(kind, "c").time(ready(())))));
        });
        assert_eq!(request.operations(kind).count, 3);
        for (other, _) in ALL {
            assert_eq!(request.operations(other).count > 0, other == kind);
        }
    }
    assert!(lines.take().is_empty(), "none was slow");
}

#[test]
fn a_slow_one_has_a_line_of_its_own_in_a_request_and_outside() {
    let (lines, _guard) = Lines::here();
    for (kind, word) in ALL {
        for in_request in [true, false] {
            let time = || operation(kind, "users.by_id").slow(Duration::ZERO).finish();
            if in_request {
                RequestContext::new().scope(time);
            } else {
                time();
            }
            let mut line = lines.only();
            assert_eq!((line.level, &*line.target), (Level::WARN, "operation"));
            assert!(line.fields.remove("duration_ms").unwrap().is_f64());
            let expected = json!({
                "message": format!("slow {word}: users.by_id"),
                "operation": word,
                "name": "users.by_id",
                "threshold_ms": 0.0,
            });
            assert_eq!(json!(line.fields), expected);
        }
        operation(kind, "never").slow(Duration::MAX).finish();
        assert!(lines.take().is_empty());
    }
}

#[test]
fn a_cancelled_future_counts_once_and_one_that_was_never_polled_does_not() {
    let (lines, _guard) = Lines::here();
    let request = RequestContext::new();
    request.scope(|| {
        let timed = || operation(Operation::Db, "a").slow(Duration::ZERO).time(pending::<()>());
        for polls in 0..3 {
            let mut future = Box::pin(timed());
            for _ in 0..polls {
                assert!(!poll(future.as_mut()));
            }
            assert!(lines.take().is_empty());
            drop(future);
            assert_eq!(lines.take().len(), usize::from(polls > 0));
        }
    });
    assert_eq!(request.operations(Operation::Db).count, 2);
}

#[test]
fn a_future_that_is_kept_after_its_end_counts_once() {
    let request = RequestContext::new();
    request.scope(|| {
        let mut future = Box::pin(operation(Operation::Http, "a").time(ready(())));
        assert!(poll(future.as_mut()));
        assert_eq!(request.operations(Operation::Http).count, 1);
        drop(future);
    });
    assert_eq!(request.operations(Operation::Http).count, 1);
}

/// What a query does in its drop is a part of it.
#[test]
fn a_cancelled_future_is_dropped_before_its_time_is_up() {
    struct Rollback<'a>(&'a RequestContext);

    impl Drop for Rollback<'_> {
        fn drop(&mut self) {
            assert_eq!(self.0.operations(Operation::Db).count, 0);
        }
    }

    let request = RequestContext::new();
    request.scope(|| {
        let rollback = Rollback(&request);
        let mut future = Box::pin(operation(Operation::Db, "a").time(async move {
            let _rollback = rollback;
            pending::<()>().await;
        }));
        assert!(!poll(future.as_mut()));
    });
    assert_eq!(request.operations(Operation::Db).count, 1);
}

#[test]
fn one_that_ends_elsewhere_counts_onto_the_request_where_it_began() {
    let (request, other) = (RequestContext::new(), RequestContext::new());
    request.set_request_id(HeaderValue::from_static("its-own"));
    let timer = request.scope(|| operation(Operation::Service, "a"));
    other.scope(|| drop(timer));
    assert_eq!(request.operations(Operation::Service).count, 1);
    assert_eq!(other.operations(Operation::Service).count, 0);
}

#[test]
fn a_model_may_take_longer_than_a_database() {
    // The thresholds themselves; nobody waits for a second.
    for (kind, _) in ALL {
        let timer = format!("{:?}", operation(kind, "a"));
        let slow = if kind == Operation::Ai { "slow: 10s" } else { "slow: 1s" };
        assert!(timer.contains(slow), "{timer}");
    }
}
