//! Which fields are in scope, and where.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Waker},
};

use buttress_conformance::allocations;

use super::*;

/// The fields in scope, as `name=json` with spaces between.
fn fields() -> String {
    let mut fields = Vec::new();
    each_field(|name, value| fields.push(format!("{name}={}", value.to_json())));
    fields.join(" ")
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Pending once.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut paused, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[test]
fn a_child_has_its_parents_fields_and_its_own_outermost_first() {
    assert_eq!(fields(), "");
    logger().with("order", 17).with("user", "u_1").enter(|| {
        assert_eq!(fields(), r#"order=17 user="u_1""#);
        logger().with("step", "mail").enter(|| {
            assert_eq!(fields(), r#"order=17 user="u_1" step="mail""#);
        });
        logger().with("order", 18).enter(|| assert_eq!(fields(), r#"order=18 user="u_1""#));
        assert_eq!(fields(), r#"order=17 user="u_1""#, "the parent is as it was");
        Logger::default().enter(|| assert_eq!(fields(), ""));
    });
    assert_eq!(fields(), "");
}

#[test]
fn a_future_has_them_in_each_poll_and_nobody_between() {
    let follow = |order: u64| {
        logger().with("order", order).follow(async move {
            for _ in 0..3 {
                assert_eq!(fields(), format!("order={order}"));
                pause().await;
            }
            fields()
        })
    };
    // Two of them interleaved.
    let (mut one, mut two) = (pin!(follow(1)), pin!(follow(2)));
    for _ in 0..3 {
        assert!(poll(one.as_mut()).is_pending());
        assert_eq!(fields(), "");
        assert!(poll(two.as_mut()).is_pending());
        assert_eq!(fields(), "");
    }
    assert_eq!(poll(one.as_mut()), std::task::Poll::Ready("order=1".to_owned()));
    assert_eq!(poll(two.as_mut()), std::task::Poll::Ready("order=2".to_owned()));
    assert!(poll(one.as_mut()).is_pending(), "after its end it does nothing");
}

#[test]
fn what_is_dropped_is_dropped_in_its_scope() {
    struct Last<'a>(&'a std::cell::RefCell<Vec<String>>);

    impl Drop for Last<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(fields());
        }
    }

    let seen = std::cell::RefCell::new(Vec::new());
    let mut ends = Box::pin(logger().with("order", 1).follow({
        let last = Last(&seen);
        async move { drop(last) }
    }));
    assert!(poll(ends.as_mut()).is_ready());
    for polls in 0..2 {
        let last = Last(&seen);
        let mut cancelled = Box::pin(logger().with("order", 2).follow(async move {
            let _last = last;
            pending::<()>().await;
        }));
        (0..polls).for_each(|_| assert!(poll(cancelled.as_mut()).is_pending()));
        logger().with("order", 3).enter(|| drop(cancelled));
    }
    assert_eq!(*seen.borrow(), ["order=1", "order=2", "order=2"]);
    assert_eq!(fields(), "");
}

#[test]
fn a_panic_leaves_the_scope() {
    let scope = logger().with("order", 1);
    assert!(catch_unwind(AssertUnwindSafe(|| scope.enter(|| panic!("inside")))).is_err());
    let mut panics = pin!(scope.follow(async { panic!("inside") }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll::<_>(panics.as_mut()))).is_err());
    assert_eq!(fields(), "");
}

#[test]
fn another_thread_has_none_unless_they_are_taken_along() {
    logger().with("order", 1).enter(|| {
        let taken = logger();
        let (bare, followed) =
            std::thread::spawn(move || (fields(), taken.enter(fields))).join().unwrap();
        assert_eq!((&*bare, &*followed), ("", "order=1"));
    });
}

#[test]
fn entering_and_polling_allocate_nothing() {
    let scope = logger().with("order", 1).with("user", "u_1");
    assert_eq!(allocations(|| scope.enter(|| each_field(|_, _| ()))), 0);
    let mut future = pin!(scope.follow(async {
        for _ in 0..10 {
            each_field(|_, _| ());
            pause().await;
        }
    }));
    let polls = allocations(|| (0..11).for_each(|_| _ = poll(future.as_mut())));
    assert_eq!(polls, 0);
}

#[test]
fn fields_are_bounded_and_what_is_missing_is_counted() {
    let long = "ä".repeat(3_000);
    let texts = |text: &str| Value::from(vec![Value::from(text.to_owned()); 3]);
    for (value, kept) in [
        (Value::from(long.clone()), Some("ä".repeat(2_048).into())),
        (Value::from("a".repeat(4_096)), Some("a".repeat(4_096).into())),
        (texts("a"), Some(texts("a"))),
        (texts(&"a".repeat(1_366)), None),
        (Value::object([("a".repeat(4_096), 1)]), None),
        (Value::object([("a", texts(&long))]), None),
        (vec![Value::Null; 5_000].into(), None),
    ] {
        let scope = logger().with("field", value);
        let mut found = Vec::new();
        scope.enter(|| each_field(|name, value| found.push((name.to_owned(), value.clone()))));
        let expected = match kept {
            Some(kept) => ("field".to_owned(), kept),
            None => ("fields_dropped".to_owned(), 1_u64.into()),
        };
        assert_eq!(found, [expected]);
    }

    let full = (0..40).fold(logger(), |logger, at| logger.with(format!("field_{at}"), at));
    full.enter(|| {
        assert_eq!(fields().split(' ').count(), MAX_FIELDS + 1);
        assert!(fields().ends_with("field_31=31 fields_dropped=8"));
    });
    // One that is there can still be set.
    full.with("field_0", true).enter(|| assert!(fields().starts_with("field_0=true ")));
    let name = "n".repeat(MAX_SIZE + 1);
    logger().with(name, 1).enter(|| assert_eq!(fields(), "fields_dropped=1"));
}

#[test]
fn debug_names_the_fields_and_shows_no_value() {
    let scope = logger().with("order", 17).with("email", "ada@example.com");
    assert_eq!(format!("{scope:?}"), r#"["order", "email"]"#);
}
