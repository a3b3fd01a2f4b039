//! A call from its beginning to its end, however it ends; and layers around layers.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use buttress_limit::{Charge, Key, LegacyReset, LimitHandle, LimitLayer, Rule, minutes, requests};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Response<Empty<Bytes>>;

fn quota(name: &'static str, n: u64) -> Rule {
    Rule::new(name, requests(n).per(minutes(15))).unwrap()
}

fn layer(rules: impl IntoIterator<Item = Rule>) -> LimitLayer {
    LimitLayer::new(Key::everyone(), rules).unwrap()
}

fn get() -> Request<()> {
    Request::new(())
}

fn answer(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = status;
    answer
}

fn left(handle: &LimitHandle) -> u64 {
    handle.peek(&get())[0].remaining()
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn wherever_a_call_is_dropped_it_stays_charged() {
    let hung = service_fn(|_: Request<()>| pending::<Result<Answer, Infallible>>());
    let layer = layer([Rule::auth()]);
    let handle = layer.handle();
    let mut service = layer.layer(hung);
    for polls in 0..4 {
        let mut call = Box::pin(service.call(get()));
        for _ in 0..polls {
            assert!(poll_once(&mut call).is_pending());
        }
        drop(call);
        assert_eq!(left(&handle), 4 - polls);
    }
    // The service that was never called has taken nothing.
    drop(service.clone().oneshot(get()));
    assert_eq!(left(&handle), 1);
    assert_eq!(handle.stats().refunded, 0);
}

#[tokio::test]
async fn an_answer_that_is_there_has_given_back_whatever_becomes_of_its_body() {
    let layer = layer([Rule::auth()]);
    let handle = layer.handle();
    let good = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer(StatusCode::OK))));
    let response = layer.layer(good).oneshot(get()).await.unwrap();
    assert_eq!(left(&handle), 5);
    drop(response);
    assert_eq!(left(&handle), 5);
}

#[tokio::test]
async fn a_call_whose_service_panics_stays_charged() {
    let layer = layer([Rule::auth()]);
    let handle = layer.handle();
    let at_once = service_fn(|request: Request<()>| {
        assert!(request.headers().contains_key("fine"), "at once");
        ready(Ok::<_, Infallible>(answer(StatusCode::OK)))
    });
    let later = service_fn(|request: Request<()>| async move {
        assert!(request.headers().contains_key("fine"), "later");
        Ok::<_, Infallible>(answer(StatusCode::OK))
    });
    let (mut at_once, mut later) = (layer.layer(at_once), layer.layer(later));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(at_once.call(get())))).is_err());
    assert_eq!(left(&handle), 4);
    assert!(catch_unwind(AssertUnwindSafe(|| later.call(get()).now_or_never())).is_err());
    assert_eq!(left(&handle), 3);
    // Both are as good as before.
    let fine = || Request::builder().header("fine", "1").body(()).unwrap();
    assert_eq!(at_once.call(fine()).await.unwrap().status(), 200);
    assert_eq!(later.call(fine()).await.unwrap().status(), 200);
    assert_eq!(left(&handle), 3);
}

#[tokio::test]
async fn a_charge_can_be_made_when_the_answer_has_left() {
    let layer = layer([quota("tokens", 10)]).charge_later();
    let handle = layer.handle();
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let service = layer.layer(service_fn(move |mut request: Request<()>| {
        *keep.lock().unwrap() = request.extensions_mut().remove::<Charge>();
        ready(Ok::<_, Infallible>(answer(StatusCode::OK)))
    }));
    drop(service.oneshot(get()).await.unwrap());
    let charge = kept.lock().unwrap().take().unwrap();
    assert_eq!(left(&handle), 9);
    let elsewhere = std::thread::spawn(move || {
        charge.charge(4);
        charge.refund(1);
    });
    elsewhere.join().unwrap();
    assert_eq!(left(&handle), 6);
}

#[tokio::test]
async fn every_method_counts() {
    let service = layer([quota("few", 3)])
        .layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer(StatusCode::OK)))));
    for (method, status) in
        [(Method::HEAD, 200), (Method::OPTIONS, 200), (Method::GET, 200), (Method::HEAD, 429)]
    {
        let request = Request::builder().method(method).body(()).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_refused_head_has_the_headers_and_leaves_the_connection_good() {
    let service =
        layer([quota("few", 1)]).layer(service_fn(|_: Request<hyper::body::Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
        }));
    let (client, server) = tokio::io::duplex(1 << 16);
    let server = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
    tokio::spawn(server);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    for (method, status) in
        [(Method::HEAD, 200), (Method::HEAD, 429), (Method::OPTIONS, 429), (Method::GET, 429)]
    {
        let request = Request::builder()
            .method(method.clone())
            .uri("/")
            .header("host", "a")
            .body(String::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{method}");
        assert_eq!(response.headers().contains_key("retry-after"), status == 429, "{method}");
        assert!(response.headers().contains_key("ratelimit"), "{method}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.is_empty(), method == Method::HEAD, "{method}");
    }
}

#[tokio::test]
async fn what_can_never_pass_is_told_so_in_grpc_too() {
    let service = layer([quota("few", 3)])
        .cost(|_| 4)
        .layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer(StatusCode::OK)))));
    let call = Request::builder().header("content-type", "application/grpc").body(()).unwrap();
    let refused = service.oneshot(call).await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "8");
    assert!(!refused.headers().contains_key("grpc-retry-pushback-ms"));
    assert!(!refused.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn of_three_layers_each_has_its_say() {
    let inner = layer([quota("inner", 2)]);
    let middle = layer([quota("middle", 3), quota("unseen", 100)]).headers_of_all_rules();
    let outer = layer([quota("outer", 90)]);
    let handles = [inner.handle(), middle.handle(), outer.handle()];
    let service = outer.layer(middle.layer(inner.layer(service_fn(|_: Request<()>| async {
        let mut answer = answer(StatusCode::OK);
        answer.headers_mut().insert("ratelimit", r#""own";r=1"#.parse().unwrap());
        Ok::<_, Infallible>(answer)
    }))));
    let lines = |response: &Response<_>, name| -> Vec<String> {
        let lines = response.headers().get_all(name).iter();
        lines.map(|line| line.to_str().unwrap().to_owned()).collect()
    };
    let first = service.clone().oneshot(get()).await.unwrap();
    assert_eq!(
        lines(&first, "ratelimit"),
        [
            r#""own";r=1"#,
            r#""inner";r=1;t=450"#,
            r#""middle";r=2;t=300, "unseen";r=99;t=9"#,
            r#""outer";r=89;t=10"#
        ]
    );
    assert_eq!(lines(&first, "ratelimit-policy").len(), 3);
    let _ = service.clone().oneshot(get()).await.unwrap();

    // The inner one refuses, the middle one is the next to.
    let refused = service.clone().oneshot(get()).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(lines(&refused, "retry-after"), ["450"]);
    let by_middle = service.clone().oneshot(get()).await.unwrap();
    assert_eq!(lines(&by_middle, "retry-after"), ["300"]);
    assert_eq!(lines(&by_middle, "ratelimit").len(), 2);
    assert_eq!(handles.map(|handle| handle.stats().refused), [1, 1, 0]);
}

#[tokio::test]
async fn of_old_headers_there_is_one_line_and_it_tells_of_the_tightest_layer() {
    for (inner, outer, limit) in [(5, 50, "5"), (50, 5, "5")] {
        let of = |n| layer([quota("r", n)]).legacy_headers(LegacyReset::Delta);
        let service = of(outer).layer(of(inner).layer(service_fn(|_: Request<()>| {
            ready(Ok::<_, Infallible>(answer(StatusCode::OK)))
        })));
        let answer = service.oneshot(get()).await.unwrap();
        for (name, value) in [
            ("x-ratelimit-limit", limit),
            ("x-ratelimit-remaining", "4"),
            ("x-ratelimit-reset", "180"),
        ] {
            let lines: Vec<_> = answer.headers().get_all(name).iter().collect();
            assert_eq!(lines, [value], "{name}: {inner} in {outer}");
        }
    }
}

#[tokio::test]
async fn a_tier_of_which_there_is_none_has_the_layers_own_rules() {
    let service = layer([quota("own", 1)])
        .tier("paid", [quota("paid", 2)])
        .unwrap()
        .tier_by(|_| Some("unheard of"))
        .layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer(StatusCode::OK)))));
    assert_eq!(
        service.clone().oneshot(get()).await.unwrap().headers()["ratelimit"],
        r#""own";r=0;t=900"#
    );
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 429);
}

#[tokio::test]
async fn a_shadow_is_seen_in_the_numbers_alone() {
    let layer = layer([quota("trial", 1).shadow()]);
    let handle = layer.handle();
    let service = layer
        .layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer(StatusCode::OK)))));
    for _ in 0..3 {
        let answer = service.clone().oneshot(get()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().is_empty());
    }
    let stats = handle.stats();
    assert_eq!((stats.admitted, stats.refused, stats.shadow_refused), (3, 0, 2));
}

#[cfg(feature = "slow-down")]
mod slow_down {
    use super::*;
    use buttress_limit::{SlowDown, seconds};
    use std::time::Duration;
    use tokio::sync::Semaphore;

    fn slow(max_waiting: usize) -> LimitLayer {
        let slow = SlowDown::new(0, seconds(1), seconds(1)).unwrap().max_waiting(max_waiting);
        layer([quota("slow", 100).failures_only()]).slow_down(slow)
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_gone_at_each_step_of_the_wait() {
        let layer = slow(10);
        let handle = layer.handle();
        let permits = Arc::new(Semaphore::new(1));
        let inner = Inner { permits: Arc::clone(&permits), ready: false };
        let mut service = layer.layer(inner);
        let mut call = || {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(service.poll_ready(&mut cx).is_ready());
            Box::pin(service.call(get()))
        };

        // Not polled, and waiting.
        for polls in 0..3 {
            let mut waiting = call();
            for _ in 0..polls {
                assert!(poll_once(&mut waiting).is_pending());
            }
            assert_eq!((handle.stats().waiting, permits.available_permits()), (1, 1));
            drop(waiting);
            assert_eq!(handle.stats().waiting, 0);
        }
        // After its time, while no inner service is ready.
        let mut parked = call();
        assert!(poll_once(&mut parked).is_pending());
        let busy = permits.acquire().await.unwrap();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(poll_once(&mut parked).is_pending());
        assert_eq!(handle.stats().waiting, 0);
        drop((parked, busy));
        // Within the inner service.
        let mut inside = call();
        assert!(poll_once(&mut inside).is_pending());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(poll_once(&mut inside).is_pending());
        assert_eq!(permits.available_permits(), 0);
        drop(inside);
        assert_eq!((handle.stats().waiting, permits.available_permits()), (0, 1));
        // All of them came to no end, and stay charged.
        assert_eq!(left(&handle), 95);
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_at_once_and_no_more_wait_than_may() {
        let layer = slow(7);
        let handle = layer.handle();
        let service = layer.layer(service_fn(|_: Request<()>| {
            ready(Ok::<_, Infallible>(answer(StatusCode::UNAUTHORIZED)))
        }));
        let calls: Vec<_> =
            (0..1_000).map(|_| tokio::spawn(service.clone().oneshot(get()))).collect();
        tokio::task::yield_now().await;
        assert_eq!(handle.stats().waiting, 7);
        let mut answered = [0, 0];
        for call in calls {
            let response = call.await.unwrap().unwrap();
            answered[usize::from(response.status() == 401)] += 1;
        }
        assert_eq!(answered, [993, 7]);
        assert_eq!(handle.stats().waiting, 0);
        // Each request has one outcome.
        let stats = handle.stats();
        assert_eq!((stats.admitted, stats.too_many_waiting, stats.refused), (7, 993, 0));
    }

    /// Ready only with a permit, which a clone does not have, and never done.
    #[derive(Debug)]
    struct Inner {
        permits: Arc<Semaphore>,
        ready: bool,
    }

    impl Clone for Inner {
        fn clone(&self) -> Self {
            Self { permits: Arc::clone(&self.permits), ready: false }
        }
    }

    impl Drop for Inner {
        fn drop(&mut self) {
            if self.ready {
                self.permits.add_permits(1);
            }
        }
    }

    impl Service<Request<()>> for Inner {
        type Response = Answer;
        type Error = Infallible;
        type Future = Busy;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            if !self.ready {
                let Ok(permit) = self.permits.try_acquire() else { return Poll::Pending };
                permit.forget();
                self.ready = true;
            }
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Busy {
            assert!(std::mem::take(&mut self.ready));
            Busy(Arc::clone(&self.permits))
        }
    }

    struct Busy(Arc<Semaphore>);

    impl Future for Busy {
        type Output = Result<Answer, Infallible>;

        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Pending
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }
}
