//! Who gets in, who waits, and who is refused.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::ready,
    time::{Duration, Instant},
};

use buttress_breaker::{BulkheadLayer, ConfigErrorKind, Gradient, ShedLayer};
use buttress_core::reject::Rejected;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};

type Answer<B> = Result<Response<B>, Infallible>;

fn reason<B>(answer: &Response<B>) -> Option<&'static str> {
    answer.extensions().get::<Rejected>().map(|rejected| rejected.reason())
}

fn hello() -> impl Service<
    Request<()>,
    Response = Response<String>,
    Error = Infallible,
    Future = std::future::Ready<Answer<String>>,
> + Clone {
    service_fn(|_: Request<()>| ready(Ok(Response::new("hello".to_owned()))))
}

#[test]
fn a_seat_is_held_to_the_end_of_the_body() {
    let layer = BulkheadLayer::new("reports", 2).unwrap();
    let handle = layer.handle();
    let service = layer.layer(hello());
    let call = || service.clone().oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    let (first, second) = (call(), call());
    assert_eq!(handle.in_flight(), 2);
    let refused = call();
    assert_eq!(
        (refused.status(), reason(&refused)),
        (StatusCode::SERVICE_UNAVAILABLE, Some("bulkhead_full"))
    );
    assert_eq!(refused.headers().get(RETRY_AFTER).unwrap(), "1");
    assert_eq!(first.into_body().collect().now_or_never().unwrap().unwrap().to_bytes(), "hello");
    assert_eq!(handle.in_flight(), 1);
    assert_eq!(reason(&call()), None);
    drop(second);
    assert_eq!((handle.in_flight(), handle.refused()), (0, 1));
}

#[test]
fn two_threads_never_have_more_seats_than_there_are() {
    let layer = BulkheadLayer::new("reports", 1).unwrap();
    let handle = layer.handle();
    let service = layer.layer(hello());
    let passed: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (service, handle) = (service.clone(), handle.clone());
                scope.spawn(move || {
                    let mut passed = 0;
                    for _ in 0..20_000 {
                        let answer = service.clone().oneshot(Request::new(()));
                        let answer = answer.now_or_never().unwrap().unwrap();
                        assert!(handle.in_flight() <= 1);
                        passed += u64::from(reason(&answer).is_none());
                    }
                    passed
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((handle.in_flight(), passed + handle.refused()), (0, 40_000));
}

#[test]
fn what_cannot_be_right_is_refused() {
    let error = BulkheadLayer::new("reports", 0).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Capacity);
    for gradient in
        [Gradient::new().initial(5).min(6), Gradient::new().max(0), Gradient::new().tolerance(0.5)]
    {
        assert!(BulkheadLayer::adaptive("upstream", gradient).is_err());
    }
}

#[test]
fn an_adaptive_limit_grows_while_all_is_well_and_used() {
    let layer = BulkheadLayer::adaptive("upstream", Gradient::new().initial(4).max(50)).unwrap();
    let handle = layer.handle();
    let service = layer.layer(hello());
    let began = Instant::now();
    while handle.limit() == 4 {
        // As many as there is room for; each is answered at once.
        let call = || service.clone().oneshot(Request::new(())).now_or_never();
        let answers: Vec<_> = (0..handle.limit()).map(|_| call()).collect();
        drop(answers);
        assert!(began.elapsed() < Duration::from_secs(20), "it does not grow");
    }
    assert!(handle.limit() > 4, "{}", handle.limit());
}

#[test]
fn what_comes_while_the_inner_is_not_ready_is_shed() {
    let shed = ShedLayer::new("test");
    let hangs = service_fn(|_: Request<()>| std::future::pending::<Answer<String>>());
    let service = shed.layer(ConcurrencyLimitLayer::new(1).layer(hangs));
    let mut held = Box::pin(service.clone().oneshot(Request::new(())));
    assert!(held.as_mut().now_or_never().is_none());
    let answer = service.clone().oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), reason(&answer)), (503, Some("not_ready")));
    drop(held);
    assert!(service.oneshot(Request::new(())).now_or_never().is_none());
    assert_eq!(shed.refused(), 1);
}

#[cfg(feature = "wait")]
mod wait {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use buttress_breaker::BulkheadHandle;
    use tokio::{sync::Semaphore, task::yield_now};

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Room for one, and two who wait 100 ms at most.
    fn one_and_two() -> BulkheadLayer {
        BulkheadLayer::new("reports", 1).unwrap().wait(2, ms(100)).unwrap()
    }

    async fn waiting(handle: &BulkheadHandle, count: usize) {
        while handle.waiting() != count {
            yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_are_served_in_their_order() {
        let layer = one_and_two();
        let handle = layer.handle();
        let (doors, order) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (inner_doors, inner_order) = (Arc::clone(&doors), Arc::clone(&order));
        let service = layer.layer(service_fn(move |request: Request<u32>| {
            let (doors, order) = (Arc::clone(&inner_doors), Arc::clone(&inner_order));
            async move {
                order.lock().unwrap().push(request.into_body());
                doors.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        }));
        let call = |number| tokio::spawn(service.clone().oneshot(Request::new(number)));
        let first = call(1);
        while handle.in_flight() < 1 {
            yield_now().await;
        }
        let second = call(2);
        waiting(&handle, 1).await;
        let third = call(3);
        waiting(&handle, 2).await;
        // No room to wait.
        let fourth = call(4).await.unwrap().unwrap();
        assert_eq!(reason(&fourth), Some("bulkhead_full"));
        doors.add_permits(3);
        for call in [first, second, third] {
            assert_eq!(reason(&call.await.unwrap().unwrap()), None);
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
        assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_too_long_is_refused() {
        let layer = one_and_two();
        let handle = layer.handle();
        let service = layer.layer(hello());
        let held = service.clone().oneshot(Request::new(())).await.unwrap();
        let before = tokio::time::Instant::now();
        let answer = service.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(reason(&answer), Some("bulkhead_timeout"));
        assert_eq!(before.elapsed().as_millis(), 100);
        assert_eq!((handle.waiting(), handle.refused()), (0, 1));
        drop(held);
        assert_eq!(handle.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_at_any_point_gives_back_what_it_has() {
        let layer = one_and_two();
        let handle = layer.handle();
        let service = layer.layer(hello());
        let held = service.clone().oneshot(Request::new(())).await.unwrap();

        // Never polled in the queue; it has its place by the call.
        let mut ready = service.clone();
        let call = ready.call(Request::new(()));
        assert_eq!(handle.waiting(), 1);
        drop(call);
        assert_eq!(handle.waiting(), 0);

        // While it waits.
        let mut call = Box::pin(ready.call(Request::new(())));
        assert!(call.as_mut().now_or_never().is_none());
        drop(call);
        assert_eq!(handle.waiting(), 0);

        // Given a seat that it has not seen, which goes to the next.
        let mut call = Box::pin(ready.call(Request::new(())));
        assert!(call.as_mut().now_or_never().is_none());
        let mut next = Box::pin(ready.call(Request::new(())));
        assert!(next.as_mut().now_or_never().is_none());
        drop(held);
        assert_eq!((handle.in_flight(), handle.waiting()), (1, 1));
        drop(call);
        assert_eq!((handle.in_flight(), handle.waiting()), (1, 0));
        assert_eq!(reason(&next.await.unwrap()), None);
        assert_eq!(handle.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_keeps_no_inner_service() {
        let layer = one_and_two();
        let inner = ConcurrencyLimitLayer::new(2).layer(hello());
        let mut service = layer.layer(inner.clone());
        let held = service.ready().await.unwrap().call(Request::new(())).await.unwrap();
        let mut waits = Box::pin(service.ready().await.unwrap().call(Request::new(())));
        assert!(waits.as_mut().now_or_never().is_none());
        // Both of the inner's are there for others: the one that waits has reserved none.
        let mut others = [inner.clone(), inner];
        for other in &mut others {
            assert!(other.ready().now_or_never().is_some());
        }
        drop((held, others));
        assert_eq!(reason(&waits.await.unwrap()), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_on_two_threads_all_are_served_and_never_too_many_at_once() {
        let layer =
            BulkheadLayer::new("reports", 3).unwrap().wait(1_000, Duration::from_secs(60)).unwrap();
        let handle = layer.handle();
        let seen = handle.clone();
        let service = layer.layer(service_fn(move |_: Request<()>| {
            let seen = seen.clone();
            async move {
                assert!(seen.in_flight() <= 3);
                yield_now().await;
                Ok::<_, Infallible>(Response::new("hello".to_owned()))
            }
        }));
        let calls = (0..1_000).map(|call| {
            let service = service.clone();
            tokio::spawn(async move {
                let answer = service.oneshot(Request::new(()));
                // Some leave, wherever they are by then.
                if call % 3 == 0 {
                    let _ = answer.now_or_never();
                    return 0;
                }
                let answer = answer.await.unwrap();
                assert_eq!(reason(&answer), None);
                u64::from(answer.into_body().collect().await.is_ok())
            })
        });
        let mut served = 0;
        for call in calls.collect::<Vec<_>>() {
            served += call.await.unwrap();
        }
        assert_eq!((served, handle.in_flight(), handle.waiting()), (666, 0, 0));
    }
}
