use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::*;

fn named(id: &'static str) -> RequestContext {
    let context = RequestContext::new();
    assert!(context.set_request_id(HeaderValue::from_static(id)));
    context
}

fn id() -> Option<HeaderValue> {
    current().and_then(|context| context.request_id().cloned())
}

#[test]
fn the_first_value_stays() {
    let context = named("a");
    assert!(!context.set_request_id(HeaderValue::from_static("b")));
    assert_eq!(context.request_id().unwrap(), "a");
}

#[test]
fn scopes_nest_and_are_left_by_a_panic() {
    let (outer, inner) = (named("outer"), named("inner"));
    outer.scope(|| {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            inner.scope(|| {
                assert_eq!(id().unwrap(), "inner");
                std::panic::resume_unwind(Box::new(()));
            });
        }));
        assert_eq!(id().unwrap(), "outer");
    });
    assert!(current().is_none());
}

#[test]
fn two_requests_interleaved_on_one_thread_never_swap() {
    async fn request(expected: &'static str) {
        for _ in 0..10 {
            assert_eq!(id().unwrap(), expected);
            let mut yielded = false;
            poll_fn(|_| {
                assert_eq!(id().unwrap(), expected);
                if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut a = pin!(InRequest::new(Some(named("a")), request("a")));
    let mut b = pin!(InRequest::new(Some(named("b")), request("b")));
    loop {
        let (a, b) = (a.as_mut().poll(&mut cx), b.as_mut().poll(&mut cx));
        assert!(current().is_none());
        if a.is_ready() {
            assert!(b.is_ready());
            break;
        }
    }
}

struct OnDrop(&'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        assert_eq!(id().unwrap(), self.0);
    }
}

#[test]
fn what_is_dropped_is_dropped_in_its_context() {
    let never = async {
        let _held = OnDrop("gone");
        std::future::pending::<()>().await;
    };
    let mut future = Box::pin(InRequest::new(Some(named("gone")), never));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    drop(InRequest::new(Some(named("unpolled")), OnDrop("unpolled")));
    assert!(current().is_none());
}

#[test]
fn without_a_context_of_its_own_it_runs_in_the_one_around_it() {
    named("around").scope(|| {
        let mut future = pin!(InRequest::new(None, async { id().unwrap() }));
        let Poll::Ready(id) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("nothing to wait for");
        };
        assert_eq!(id, "around");
    });
}

#[test]
fn a_body_is_polled_and_dropped_in_its_context() {
    use http_body::Body;

    /// Says of which request it is, and ends.
    struct Says(OnDrop);

    impl Body for Says {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
            assert_eq!(id().unwrap(), self.0.0);
            Poll::Ready(None)
        }
    }

    let mut body = Box::pin(InRequest::new(Some(named("streamed")), Says(OnDrop("streamed"))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(None)));
    assert!(current().is_none());
    drop(body);
}

#[test]
fn nothing_of_a_finished_request_is_left_for_the_next() {
    let first = named("first");
    first.set_principal(Arc::from("ada"));
    first.set_error_type("timeout");
    first.add("cart", 1_u64);
    first.count(Operation::Db, Duration::from_secs(1));
    let kept = first.clone();
    drop(InRequest::new(Some(first), ()));
    assert_eq!(kept.request_id().unwrap(), "first", "who still holds it still reads it");
    drop(InRequest::new(Some(kept), ()));

    let next = RequestContext::new();
    assert!(next.request_id().is_none() && next.principal().is_none());
    assert!(next.error_type().is_none() && next.take_fields().is_empty());
    assert_eq!(next.operations(Operation::Db).count, 0);
}

#[test]
fn joining_finds_the_context_that_came_with_the_request() {
    let extensions = {
        let mut extensions = Extensions::new();
        extensions.insert(named("carried"));
        extensions
    };
    let (context, own) = RequestContext::join(&extensions);
    assert_eq!(context.request_id().unwrap(), "carried");
    assert!(own.is_some(), "it is not the current one, so it is to be entered");
    named("current").scope(|| {
        let (context, own) = RequestContext::join(&extensions);
        assert_eq!(context.request_id().unwrap(), "current");
        assert!(own.is_none());
    });
}

#[test]
fn joining_enters_only_a_new_context() {
    let (new, own) = RequestContext::join(&Extensions::new());
    assert!(own.is_some());
    new.set_request_id(HeaderValue::from_static("joined"));
    new.scope(|| {
        let (again, own) = RequestContext::join(&Extensions::new());
        assert_eq!(again.request_id().unwrap(), "joined");
        assert!(own.is_none());
    });
}

#[test]
fn a_thread_of_its_own_has_no_request() {
    named("here").scope(|| {
        assert!(std::thread::spawn(|| current().is_none()).join().unwrap());
    });
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_keep_the_request_that_started_them() {
    InRequest::new(Some(named("r")), async {
        let task = spawn(async {
            tokio::task::yield_now().await;
            (id(), blocking(id).await.unwrap())
        });
        let (in_task, in_thread) = task.await.unwrap();
        assert_eq!(in_task.unwrap(), "r");
        assert_eq!(in_thread.unwrap(), "r");
        let plain = tokio::spawn(async { id() }).await.unwrap();
        assert!(plain.is_none());
    })
    .await;
    assert!(blocking(id).await.unwrap().is_none());
}

#[test]
fn fields_are_replaced_by_name_and_bounded() {
    let context = RequestContext::new();
    context.add("cart", 1_u64);
    context.add("cart", 2_u64);
    assert_eq!(context.take_fields(), [("cart".into(), Value::from(2_u64))]);
    assert!(context.take_fields().is_empty());
    for n in 0..100 {
        context.add(format!("f{n}"), n);
    }
    assert_eq!(context.fields_dropped(), 100 - MAX_FIELDS as u64);
    assert_eq!(context.take_fields().len(), MAX_FIELDS);
}

#[test]
fn operations_are_summed_by_kind() {
    let context = RequestContext::new();
    context.count(Operation::Db, Duration::from_millis(2));
    context.count(Operation::Db, Duration::from_millis(3));
    context.count(Operation::Ai, Duration::MAX);
    let db = context.operations(Operation::Db);
    assert_eq!((db.count, db.took), (2, Duration::from_millis(5)));
    assert_eq!(context.operations(Operation::Ai).count, 1);
    assert_eq!(context.operations(Operation::Http).count, 0);
}

#[test]
fn debug_shows_neither_principal_nor_fields() {
    let context = named("r");
    context.set_principal(Arc::from("ada@example.com"));
    context.add("token", "hunter2");
    let shown = format!("{context:?}");
    assert!(shown.contains("\"r\"") && !shown.contains("ada") && !shown.contains("hunter2"));
}
