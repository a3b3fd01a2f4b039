//! Clients that take their time.

#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress_conformance::ProbeBody;
use buttress_core::reject::Rejected;
use buttress_sanitize::{GuardedBody, Kind, Policy, Rule, SanitizeLayer};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, Interval, interval};
use tower::{Layer, ServiceExt, service_fn};

/// One byte of a text that has no end, as often as its interval says.
struct Drip {
    every: Interval,
    left: u64,
    length: Option<u64>,
}

impl Drip {
    fn new(every: Duration, length: Option<u64>) -> Self {
        Self { every: interval(every), left: length.unwrap_or(u64::MAX), length }
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.every.poll_tick(cx).map(|_| {
            self.left -= 1;
            // A buffer as a server has one, of which one byte is used.
            let buffer = Bytes::from(vec![b'1'; 8 * 1024]);
            Some(Ok(Frame::data(buffer.slice(..1))))
        })
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(_) => SizeHint::with_exact(self.left),
            None => SizeHint::default(),
        }
    }
}

fn layer() -> SanitizeLayer {
    SanitizeLayer::new(Policy::strict_json().max_number(u16::MAX))
        .body_timeout(Duration::from_secs(30))
}

async fn send<B>(layer: &SanitizeLayer, body: B) -> Response<Bytes>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = layer.layer(service_fn(|request: Request<GuardedBody<B>>| async {
        // It keeps nothing: what is held is held by the layer.
        let mut body = request.into_body();
        let status = loop {
            match body.frame().await {
                None => break 200,
                Some(Err(_)) => break 500,
                Some(Ok(_)) => {}
            }
        };
        let response = Response::builder().status(status).body(Full::<Bytes>::default());
        Ok::<_, Infallible>(response.unwrap())
    }));
    let request = Request::post("/").header("content-type", "application/json").body(body).unwrap();
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

/// What a thousand clients hold that drip into a buffer, and into a handler.
#[test]
fn a_thousand_dripping_clients_hold_little_and_are_ended() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    for length in [Some(60_000), None] {
        let runtime = runtime();
        let most = allocation_counter::measure(|| {
            runtime.block_on(async {
                let layer = layer();
                let start = Instant::now();
                let drip = || Drip::new(Duration::from_millis(500), length);
                let answers = join_all((0..1_000).map(|_| send(&layer, drip()))).await;
                assert_eq!(start.elapsed().as_secs(), 30);
                for answer in &answers {
                    assert_eq!(answer.status(), 408);
                    let rejected = answer.extensions().get::<Rejected>().unwrap();
                    assert_eq!(rejected.reason(), "body_time");
                }
                assert_eq!(layer.handle().refused(Rule::BodyTime), 1_000);
            });
        })
        .bytes_max;
        // 4 KiB a client, its future, timers and answer in it; each has dripped 60 bytes, and
        // declared 60,000.
        assert!(most < 4 * 1024 * 1_000 + 64 * 1024, "{length:?}: {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_time_passes_and_its_time_is_counted_in_all() {
    // 30 bytes at 0, 1, … 29 seconds; and one more.
    for (bytes, status) in [(30, 200), (32, 408)] {
        for first in [0, 64 * 1024] {
            let drip = Drip::new(Duration::from_secs(1), Some(bytes));
            assert_eq!(send(&layer().check_first(first), drip).await.status(), status, "{bytes}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_its_time_is_not_the_clients_fault() {
    type Guarded = GuardedBody<ProbeBody>;
    let service = layer().layer(service_fn(|request: Request<Guarded>| async {
        let mut body = request.into_body();
        let mut frames = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            match body.frame().await {
                Some(frame) => frame.unwrap(),
                None => break,
            };
            frames += 1;
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(frames.to_string())))
    }));
    let body = ProbeBody::new().data("[").data("1").data("]");
    let request = Request::post("/").header("content-type", "application/json").body(body).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_there_at_the_deadline_wins() {
    // The last byte comes with the deadline.
    let drip = Drip::new(Duration::from_secs(30), Some(2));
    assert_eq!(send(&layer(), drip).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http_1_is_closed_after_it_and_one_of_http_2_is_not() {
    for (version, closes) in [(Version::HTTP_11, true), (Version::HTTP_2, false)] {
        let service = layer().layer(service_fn(|_: Request<GuardedBody<Drip>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let request = Request::post("/")
            .version(version)
            .header("content-type", "application/json")
            .body(Drip::new(Duration::from_secs(60), Some(2)))
            .unwrap();
        let answer = service.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 408);
        assert_eq!(answer.headers().contains_key("connection"), closes);
    }
}

#[tokio::test(start_paused = true)]
async fn in_report_mode_it_is_reported_once_and_the_body_goes_on() {
    let layer = layer().report_only();
    let drip = Drip::new(Duration::from_secs(10), Some(9));
    assert_eq!(send(&layer, drip).await.status(), 200);
    assert_eq!(layer.handle().reported(Rule::BodyTime), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_looks_into_is_ended_too() {
    let layer = layer().accept([Kind::Json, Kind::Other]);
    let service = layer.layer(service_fn(|request: Request<GuardedBody<Drip>>| async {
        let _ = request.into_body().collect().await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let drip = Drip::new(Duration::from_secs(1), None);
    let answer = service.oneshot(Request::post("/").body(drip).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 408);
}

#[tokio::test]
async fn under_hyper_a_client_that_stops_is_answered_408_and_its_connection_ends() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let layer = SanitizeLayer::new(Policy::strict_json()).body_timeout(Duration::from_millis(50));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            type Guarded = GuardedBody<hyper::body::Incoming>;
            let service = layer.layer(service_fn(|request: Request<Guarded>| async {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }));
            let service = hyper_util::service::TowerToHyperService::new(service);
            let io = hyper_util::rt::TokioIo::new(stream);
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(io, service).await;
        }
    });
    for length in ["content-length: 10", "transfer-encoding: chunked"] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let begun = format!(
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
        );
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("connection: close") && answer.contains("body_time"), "{answer}");
    }
    server.await.unwrap();
}
