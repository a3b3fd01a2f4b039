//! Ten thousand requests at once over real connections, a third of them given up: one line each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test is meant to panic"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    future::{Future, pending},
    io,
    pin::pin,
    sync::LazyLock,
};

use buttress_core::context;
use buttress_log::AccessLog;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    future::{Either, join_all, select},
    stream,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::{body::Incoming, rt::Executor};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use support::{AnyBody, Lines, data, empty, frames, full};
use tokio::sync::{
    Semaphore,
    mpsc::{Sender, channel},
};
use tower::{Layer, Service, service_fn};
use tracing_subscriber::layer::SubscriberExt;

const CONNECTIONS: usize = 50;
const STREAMS: usize = 200;

/// What the service does, by the number of the request. The clients give up on the last four as
/// soon as the service has them, but on `half`, of which they wait for the head.
const KINDS: [&str; 12] = [
    "full",
    "empty",
    "head",
    "no-content",
    "not-modified",
    "trailers",
    "broken",
    "panic",
    "given-up",
    "yield",
    "never",
    "half",
];
const FIRST_GIVEN_UP: usize = 8;

/// Which requests the service has.
static ARRIVED: LazyLock<Vec<Semaphore>> =
    LazyLock::new(|| (0..CONNECTIONS * STREAMS).map(|_| Semaphore::new(0)).collect());

async fn serve(request: Request<Incoming>) -> Result<Response<AnyBody>, Infallible> {
    let path = request.uri().path().to_owned();
    context::current().unwrap().add("path_again", path.clone());
    let (kind, number) = path[1..].split_once('/').unwrap();
    ARRIVED[number.parse::<usize>().unwrap()].add_permits(1);
    let (status, body) = match kind {
        "empty" => (404, empty()),
        "no-content" => (204, empty()),
        "not-modified" => (304, empty()),
        "trailers" => {
            let status = ("grpc-status".parse().unwrap(), HeaderValue::from_static("0"));
            (200, frames(vec![data(b"ab"), Ok(Frame::trailers(HeaderMap::from_iter([status])))]))
        }
        "broken" => (200, frames(vec![data(b"ab"), Err(io::ErrorKind::ConnectionReset.into())])),
        "panic" => panic!("on purpose"),
        "yield" => {
            tokio::task::yield_now().await;
            (500, full(b"hello"))
        }
        "never" => pending().await,
        "half" => {
            let endless = stream::iter([data(b"ab")]).chain(stream::pending());
            (200, BodyExt::boxed(StreamBody::new(endless)))
        }
        _ => (200, full(b"hello")),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// Each task holds the sender while it lives: a server lets go of its connection before the last
/// of the tasks is gone that served a request of it.
#[derive(Clone)]
struct Tracked(Sender<()>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tracked {
    fn execute(&self, task: F) {
        let lives = self.0.clone();
        tokio::spawn(async move {
            // Declared first, and so dropped last, in a panic too.
            let _lives = lives;
            task.await;
        });
    }
}

async fn connect<S, B>(service: S, connection: usize, tasks: Tracked)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error = io::Error> + Send + 'static,
{
    let (client, server) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let mut builder = hyper::server::conn::http2::Builder::new(tasks);
        builder.max_concurrent_streams(u32::try_from(STREAMS).unwrap());
        let service = TowerToHyperService::new(service);
        builder.serve_connection(TokioIo::new(server), service).await.unwrap();
    });
    let (sender, client) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client))
            .await
            .unwrap();
    let client = tokio::spawn(client);
    let numbers = connection * STREAMS..(connection + 1) * STREAMS;
    let calls = numbers.map(|number| {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            let kind = KINDS[number % KINDS.len()];
            let request = Request::builder()
                .method(if kind == "head" { "HEAD" } else { "GET" })
                .uri(format!("http://localhost/{kind}/{number}"))
                .body(Empty::<Bytes>::new())
                .unwrap();
            call(number, sender.send_request(request)).await;
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    drop(sender);
    client.await.unwrap().unwrap();
    server.await.unwrap();
}

async fn call(number: usize, call: impl Future<Output = hyper::Result<Response<Incoming>>>) {
    let index = number % KINDS.len();
    if KINDS[index] == "half" {
        let first = call.await.unwrap().into_body().frame().await;
        assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "ab");
    } else if index >= FIRST_GIVEN_UP {
        let arrived = pin!(ARRIVED[number].acquire());
        if let Either::Left((Ok(answer), _)) = select(pin!(call), arrived).await {
            drop(answer);
        }
    } else if let Ok(answer) = call.await {
        // Some break off, and are meant to.
        let _ = answer.into_body().collect().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_requests_a_third_of_them_given_up_are_ten_thousand_lines() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&"on purpose") {
            hook(panic);
        }
    }));

    let service = AccessLog::new().layer().layer(service_fn(serve));
    let (tasks, mut living) = channel(1);
    let tasks = Tracked(tasks);
    join_all((0..CONNECTIONS).map(|at| connect(service.clone(), at, tasks.clone()))).await;
    drop(tasks);
    assert!(living.recv().await.is_none(), "all are gone");
    assert!(ARRIVED.iter().all(|arrived| arrived.available_permits() == 1), "all were served");

    let lines: Vec<_> = lines.take().into_iter().filter(|line| line.target == "access").collect();
    let paths: BTreeSet<&str> = lines.iter().map(|line| line.text("path")).collect();
    assert_eq!((lines.len(), paths.len()), (CONNECTIONS * STREAMS, CONNECTIONS * STREAMS));
    let mut ends: BTreeMap<_, usize> = BTreeMap::new();
    for line in &lines {
        let path = line.text("path");
        let kind = path[1..].split_once('/').unwrap().0;
        *ends.entry((kind, line.text("outcome"), line.get("status").as_u64())).or_default() += 1;
        // And no line has another's fields.
        let fields: BTreeMap<&str, &str> = serde_json::from_str(line.text("fields")).unwrap();
        assert_eq!(fields["path_again"], path);
    }
    let always = |kind: &'static str, outcome: &'static str, status: Option<u64>| {
        let found = ends.iter().filter(|((other, ..), _)| *other == kind);
        let found: Vec<_> = found.map(|((_, outcome, status), _)| (*outcome, *status)).collect();
        assert_eq!(found, [(outcome, status)], "{kind}");
    };
    always("full", "complete", Some(200));
    always("empty", "complete", Some(404));
    always("head", "complete", Some(200));
    always("no-content", "complete", Some(204));
    always("not-modified", "complete", Some(304));
    always("trailers", "complete", Some(200));
    always("broken", "body_error", Some(200));
    always("panic", "panic", None);
    always("never", "client_gone", None);
    always("half", "client_gone", Some(200));
}
