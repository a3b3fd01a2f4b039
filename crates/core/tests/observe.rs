//! Every way in which an exchange can end, told exactly once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use buttress_core::{
    context::{self, InRequest, Operation, RequestContext},
    observe::{ObserveLayer, Observer, Outcome, Totals},
};
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use tower::{Layer, Service, ServiceExt, service_fn};

/// Keeps each end that it is told of.
#[derive(Clone, Debug, Default)]
struct Ends(Arc<Mutex<Vec<Totals>>>);

impl Observer for Ends {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, context: &RequestContext) {
        assert!(context::current().is_some());
        context.set_request_id(http::HeaderValue::from_static("watched"));
    }

    fn on_end(&self, (): (), end: &Totals, _: &RequestContext) {
        let id = context::current().and_then(|context| context.request_id().cloned());
        assert_eq!(id.unwrap(), "watched");
        self.0.lock().unwrap().push(*end);
    }
}

impl Ends {
    fn only(&self) -> Totals {
        let ends = self.0.lock().unwrap();
        assert_eq!(ends.len(), 1, "{ends:?}");
        *ends.first().unwrap()
    }

    fn none(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

type AnyBody = BoxBody<Bytes, io::Error>;

fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> AnyBody {
    BodyExt::boxed(StreamBody::new(stream::iter(frames)))
}

fn data(bytes: &'static [u8]) -> io::Result<Frame<Bytes>> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}

fn full(bytes: &'static [u8]) -> AnyBody {
    Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed()
}

fn empty() -> AnyBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// Serves `response` to a request of `method`, observed.
async fn observed(
    method: Method,
    response: Response<AnyBody>,
) -> (Ends, Response<impl Body<Data = Bytes, Error = io::Error>>) {
    let ends = Ends::default();
    let mut response = Some(response);
    let service = ObserveLayer::new(ends.clone()).layer(service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(response.take().unwrap()))
    }));
    let request = Request::builder().method(method).body(()).unwrap();
    (ends, service.oneshot(request).await.unwrap())
}

#[tokio::test]
async fn a_body_that_is_read_to_its_end_is_complete() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    for (body, bytes) in [
        (frames(vec![data(b"ab"), data(b"cde")]), 5),
        (frames(vec![data(b"ab"), trailers()]), 2),
        (frames(vec![trailers()]), 0),
        (frames(vec![]), 0),
        (full(b"abc"), 3),
    ] {
        let (ends, response) = observed(Method::GET, Response::new(body)).await;
        assert!(ends.none());
        let _ = response.into_body().collect().await.unwrap();
        let end = ends.only();
        assert_eq!((end.outcome, end.bytes_out), (Outcome::Complete, bytes));
        assert_eq!(end.status, Some(StatusCode::OK));
        assert!(end.head.unwrap() <= end.duration);
    }
}

#[tokio::test]
async fn an_answer_without_a_body_ends_with_its_head() {
    for (method, status, body) in [
        (Method::GET, 200, empty()),
        (Method::HEAD, 200, full(b"not sent")),
        (Method::GET, 204, full(b"not sent")),
        (Method::GET, 304, full(b"not sent")),
        (Method::GET, 101, empty()),
        (Method::CONNECT, 200, frames(vec![data(b"a tunnel")])),
    ] {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let (ends, response) = observed(method, response).await;
        assert_eq!(ends.only().outcome, Outcome::Complete, "{status}");
        // What is there is still handed on, and tells of no second end.
        let _ = response.into_body().collect().await.unwrap();
        ends.only();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let body = frames(vec![data(b"ab"), Err(io::ErrorKind::ConnectionReset.into()), data(b"c")]);
    let (ends, response) = observed(Method::GET, Response::new(body)).await;
    let mut body = pin!(response.into_body());
    assert!(body.as_mut().frame().await.unwrap().is_ok());
    assert!(body.as_mut().frame().await.unwrap().is_err());
    assert_eq!(ends.only().outcome, Outcome::BodyError);
    assert!(body.as_mut().frame().await.is_none(), "nothing is asked for after an error");
    ends.only();
}

#[tokio::test]
async fn a_body_that_is_dropped_half_way_is_a_client_that_left() {
    let (ends, response) =
        observed(Method::GET, Response::new(frames(vec![data(b"ab"), data(b"c")]))).await;
    let mut body = Box::pin(response.into_body());
    let _ = body.frame().await;
    assert!(ends.none());
    drop(body);
    let end = ends.only();
    assert_eq!((end.outcome, end.bytes_out), (Outcome::ClientGone, 2));
}

#[tokio::test]
async fn a_body_dropped_after_its_declared_length_is_complete() {
    let mut response = Response::new(frames(vec![data(b"ab"), data(b"cd"), data(b"")]));
    response.headers_mut().insert(CONTENT_LENGTH, 4.into());
    let (ends, response) = observed(Method::GET, response).await;
    let mut body = Box::pin(response.into_body());
    let _ = body.frame().await;
    let _ = body.frame().await;
    drop(body);
    assert_eq!(ends.only().outcome, Outcome::Complete);
}

/// hyper sends what an exact size promised, and asks no further.
#[tokio::test]
async fn a_body_dropped_after_the_size_that_it_claimed_is_complete() {
    struct Constant(bool);

    impl Body for Constant {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            Poll::Ready((!std::mem::replace(&mut self.0, true)).then(|| data(b"abc")))
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(3)
        }
    }

    for body in [BodyExt::boxed(Constant(false)), full(b"abc")] {
        let (ends, response) = observed(Method::GET, Response::new(body)).await;
        let mut body = Box::pin(response.into_body());
        let _ = body.frame().await;
        drop(body);
        assert_eq!(ends.only().outcome, Outcome::Complete);
    }
}

#[tokio::test]
async fn a_service_that_fails_has_no_status() {
    let ends = Ends::default();
    let service = ObserveLayer::new(ends.clone()).layer(service_fn(|_: Request<()>| async {
        Err::<Response<AnyBody>, _>(io::Error::other("down"))
    }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap_err().to_string(), "down");
    let end = ends.only();
    assert_eq!((end.outcome, end.status, end.head), (Outcome::ServiceError, None, None));
}

#[test]
fn a_call_that_is_dropped_is_a_client_that_left() {
    for polls in 0..3 {
        let ends = Ends::default();
        let mut service = ObserveLayer::new(ends.clone())
            .layer(service_fn(|_: Request<()>| pending::<Result<Response<AnyBody>, Infallible>>()));
        let mut future = Box::pin(service.call(Request::new(())));
        for _ in 0..polls {
            let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        assert!(ends.none());
        drop(future);
        assert_eq!(ends.only().outcome, Outcome::ClientGone);
    }
}

/// Panics where it is told to.
struct PanickingBody;

impl Body for PanickingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("in the body");
    }
}

#[test]
fn a_panic_is_told_wherever_it_is() {
    let run = |service: &dyn Fn(Ends)| {
        let ends = Ends::default();
        assert!(catch_unwind(AssertUnwindSafe(|| service(ends.clone()))).is_err());
        assert!(context::current().is_none());
        ends.only()
    };
    let poll = |future: Pin<&mut dyn Future<Output = ()>>| {
        let _ = future.poll(&mut Context::from_waker(Waker::noop()));
    };

    let in_call = run(&|ends| {
        let mut service = ObserveLayer::new(ends).layer(service_fn(
            |_: Request<()>| -> std::future::Ready<Result<Response<AnyBody>, Infallible>> {
                panic!("in the call")
            },
        ));
        drop(service.call(Request::new(())));
    });
    let in_future = run(&|ends| {
        let mut service = ObserveLayer::new(ends).layer(service_fn(|_: Request<()>| async {
            if true {
                panic!("in the future");
            }
            Ok::<_, Infallible>(Response::new(empty()))
        }));
        let future = service.call(Request::new(()));
        poll(pin!(async { drop(future.await) }));
    });
    let in_body = run(&|ends| {
        let mut service = ObserveLayer::new(ends).layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(PanickingBody))
        }));
        let future = service.call(Request::new(()));
        poll(pin!(async {
            let _ = future.await.unwrap().into_body().collect().await;
        }));
    });

    assert_eq!((in_call.outcome, in_call.status), (Outcome::Panic, None));
    assert_eq!((in_future.outcome, in_future.status), (Outcome::Panic, None));
    assert_eq!((in_body.outcome, in_body.status), (Outcome::Panic, Some(StatusCode::OK)));
}

#[tokio::test]
async fn a_panic_that_is_caught_further_out_is_told_as_one() {
    let ends = Ends::default();
    let mut service = ObserveLayer::new(ends.clone()).layer(service_fn(|_: Request<()>| async {
        if true {
            panic!("in the future");
        }
        Ok::<_, Infallible>(Response::new(empty()))
    }));
    let mut future = Box::pin(service.call(Request::new(())));
    assert!(AssertUnwindSafe(future.as_mut()).catch_unwind().await.is_err());
    // By now the thread does not panic any more.
    drop(future);
    assert_eq!(ends.only().outcome, Outcome::Panic);
}

#[test]
fn a_panic_of_the_caller_is_not_the_services() {
    let ends = Ends::default();
    let mut service = ObserveLayer::new(ends.clone())
        .layer(service_fn(|_: Request<()>| pending::<Result<Response<AnyBody>, Infallible>>()));
    let caller = catch_unwind(AssertUnwindSafe(|| {
        let _call = service.call(Request::new(()));
        panic!("of the caller's own");
    }));
    assert!(caller.is_err());
    assert_eq!(ends.only().outcome, Outcome::ClientGone);
}

#[derive(Debug)]
struct Panicking;

impl Observer for Panicking {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_response<B>(&self, (): &mut (), _: &Response<B>, _: &RequestContext) {
        panic!("an observer's own mistake");
    }

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {
        panic!("an observer's own mistake");
    }
}

#[tokio::test]
async fn a_panic_of_an_observer_is_kept_from_the_request_and_from_other_observers() {
    let ends = Ends::default();
    let observers = (ends.clone(), Panicking, ends.clone());
    let layer = ObserveLayer::new(observers);

    let mut never = layer
        .layer(service_fn(|_: Request<()>| pending::<Result<Response<AnyBody>, Infallible>>()));
    drop(never.call(Request::new(())));
    assert_eq!(ends.0.lock().unwrap().len(), 2);

    let answers = layer.layer(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(full(b"ok")))
    }));
    let response = answers.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert_eq!(ends.0.lock().unwrap().len(), 4);
}

/// Counts an operation when it is dropped, as a timer does.
struct Query;

impl Drop for Query {
    fn drop(&mut self) {
        context::current().unwrap().count(Operation::Db, Duration::from_secs(3));
    }
}

/// Keeps how many queries were counted when the exchange was over.
#[derive(Clone, Debug, Default)]
struct Queries(Arc<Mutex<Vec<u32>>>);

impl Observer for Queries {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_end(&self, (): (), _: &Totals, context: &RequestContext) {
        self.0.lock().unwrap().push(context.operations(Operation::Db).count);
    }
}

#[test]
fn what_a_cancelled_call_was_doing_is_counted_before_its_end() {
    let queries = Queries::default();
    let mut service =
        ObserveLayer::new(queries.clone()).layer(service_fn(|_: Request<()>| async {
            let _query = Query;
            pending::<Result<Response<AnyBody>, Infallible>>().await
        }));
    let mut future = Box::pin(service.call(Request::new(())));
    let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(future);
    assert_eq!(*queries.0.lock().unwrap(), [1]);
}

/// What was said of each step, in order.
#[derive(Clone, Debug, Default)]
struct Steps(Arc<Mutex<Vec<String>>>, &'static str);

impl Observer for Steps {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn around<R>(&self, (): &(), run: impl FnOnce() -> R) -> R {
        assert!(context::current().is_some());
        self.0.lock().unwrap().push(format!("{} in", self.1));
        let result = run();
        self.0.lock().unwrap().push(format!("{} out", self.1));
        result
    }

    fn on_trailers(&self, (): &mut (), trailers: &HeaderMap, _: &RequestContext) {
        self.0.lock().unwrap().push(format!("{} {:?}", self.1, trailers["grpc-status"]));
    }

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {}
}

#[tokio::test]
async fn observers_are_entered_around_each_piece_of_the_services_code_and_see_trailers() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let layer =
        ObserveLayer::new((Steps(Arc::clone(&steps), "a"), Some(Steps(Arc::clone(&steps), "b"))));
    let take = || std::mem::take(&mut *steps.lock().unwrap());
    let nested = ["a in", "b in", "b out", "a out"];

    let mut service = layer.layer(service_fn(|_: Request<()>| async {
        let trailers =
            HeaderMap::from_iter([("grpc-status".parse().unwrap(), "5".parse().unwrap())]);
        Ok::<_, Infallible>(Response::new(frames(vec![Ok(Frame::trailers(trailers))])))
    }));
    let call = service.call(Request::new(()));
    assert_eq!(take(), nested);
    let response = call.await.unwrap();
    // The future was polled, and the body was asked for its size.
    assert_eq!(take(), [nested, nested].concat());
    let _ = response.into_body().collect().await.unwrap();
    assert_eq!(take()[..6], [&nested[..], &["a \"5\"", "b \"5\""][..]].concat());
}

#[tokio::test]
async fn all_observers_of_a_tuple_are_told_and_an_absent_one_is_not() {
    let (first, second, third) = (Ends::default(), Ends::default(), Ends::default());
    let observers = (first.clone(), Some(second.clone()), None::<Ends>, (third.clone(),));
    let service = ObserveLayer::new(observers)
        .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(empty())) }));
    let _ = service.oneshot(Request::new(())).await.unwrap();
    for ends in [first, second, third] {
        assert_eq!(ends.only().outcome, Outcome::Complete);
    }
}

#[tokio::test]
async fn disabled_it_tells_nobody_and_makes_no_context() {
    let service = ObserveLayer::<Ends>::disabled().layer(service_fn(|_: Request<()>| async {
        assert!(context::current().is_none());
        Ok::<_, Infallible>(Response::new(full(b"as it is")))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.into_body().size_hint().exact(), Some(8));
}

/// The id of a context, and whether there is a current one.
type Seen = (Option<String>, bool);

/// Keeps what it sees of each context that it is shown.
#[derive(Clone, Debug, Default)]
struct Shown(Arc<Mutex<Vec<Seen>>>);

impl Shown {
    fn keep(&self, context: &RequestContext) {
        let id = context.request_id_str().map(str::to_owned);
        self.0.lock().unwrap().push((id, context::current().is_some()));
    }
}

impl Observer for Shown {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, context: &RequestContext) {
        self.keep(context);
    }

    fn on_response<B>(&self, (): &mut (), _: &Response<B>, context: &RequestContext) {
        self.keep(context);
    }

    fn on_end(&self, (): (), _: &Totals, context: &RequestContext) {
        self.keep(context);
    }
}

#[tokio::test]
async fn an_outbound_call_is_shown_its_callers_context_and_leaves_it_as_it_is() {
    let shown = Shown::default();
    let client =
        ObserveLayer::new(shown.clone()).outbound().layer(service_fn(|_: Request<()>| async {
            assert_eq!(context::current().unwrap().request_id_str(), Some("served"));
            Ok::<_, Infallible>(Response::new(full(b"hello")))
        }));
    let served = RequestContext::new();
    served.set_request_id(http::HeaderValue::from_static("served"));
    // The call is made in the request, and ends in a task that knows nothing of it.
    let call = served.scope(|| client.oneshot(Request::new(())).boxed());
    let call = tokio::spawn(InRequest::new(Some(served.clone()), call));
    let _ = call.await.unwrap().unwrap().into_body().collect().await.unwrap();

    assert_eq!(served.started(), None);
    assert_eq!(*shown.0.lock().unwrap(), vec![(Some("served".to_owned()), true); 3]);
}

#[tokio::test]
async fn an_outbound_call_outside_of_any_request_makes_no_context() {
    let shown = Shown::default();
    let client =
        ObserveLayer::new(shown.clone()).outbound().layer(service_fn(|_: Request<()>| async {
            assert!(context::current().is_none());
            Ok::<_, Infallible>(Response::new(full(b"hello")))
        }));
    let response = client.oneshot(Request::new(())).await.unwrap();
    let _ = response.into_body().collect().await.unwrap();
    assert_eq!(*shown.0.lock().unwrap(), vec![(None, false); 3]);
}

/// What it panics with panics when it is dropped, and so does what that panics with.
struct Evil(u8);

impl Drop for Evil {
    fn drop(&mut self) {
        if let Some(less) = self.0.checked_sub(1) {
            std::panic::panic_any(Evil(less));
        }
    }
}

struct Bomb;

impl Observer for Bomb {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {
        std::panic::panic_any(Evil(2));
    }
}

#[tokio::test]
async fn a_panics_payload_does_no_harm_either() {
    let ends = Ends::default();
    let service = ObserveLayer::new((Bomb, ends.clone()))
        .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(empty())) }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
    assert_eq!(ends.only().outcome, Outcome::Complete);
}

/// Which request it was: told at the end.
#[derive(Clone, Debug, Default)]
struct Paths(Arc<Mutex<Vec<(String, u64)>>>);

impl Observer for Paths {
    type Exchange = String;

    fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> String {
        request.uri().path().to_owned()
    }

    fn on_end(&self, path: String, end: &Totals, _: &RequestContext) {
        self.0.lock().unwrap().push((path, end.bytes_out));
    }
}

#[tokio::test]
async fn exchanges_that_end_on_other_threads_and_in_another_order_are_not_mixed_up() {
    let (outer, inner) = (Paths::default(), Paths::default());
    // Two kinds, one inside of the other.
    let service = ObserveLayer::new((outer.clone(), ())).layer(
        ObserveLayer::new(inner.clone()).layer(service_fn(|request: Request<()>| async move {
            let body = Bytes::from(vec![0; request.uri().path().len()]);
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        })),
    );
    let mut bodies = Vec::new();
    for number in 0..20 {
        let request = Request::get(format!("/{}", "x".repeat(number))).body(()).unwrap();
        bodies.push(service.clone().oneshot(request).await.unwrap().into_body());
    }
    bodies.reverse();
    let read = |body: _| BodyExt::collect(body).now_or_never().unwrap().unwrap();
    let threads = bodies.into_iter().map(|body| std::thread::spawn(move || drop(read(body))));
    threads.for_each(|thread| thread.join().unwrap());
    for ends in [outer, inner] {
        let ends = ends.0.lock().unwrap();
        assert_eq!(ends.len(), 20);
        assert!(ends.iter().all(|(path, bytes)| path.len() as u64 == *bytes), "{ends:?}");
    }
}
