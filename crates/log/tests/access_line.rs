//! The access line as this crate's own layer writes it, which takes it from where the event does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod output;
mod support;

use std::{convert::Infallible, future::ready, time::Duration};

use buttress_core::context::{self, Operation, RequestContext};
use buttress_log::{AccessLog, JsonLayer, Sink};
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, StatusCode, header::USER_AGENT};
use http_body_util::BodyExt;
use serde_json::{Map, Value as Json};
use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::prelude::*;

use self::support::{AnyBody, Lines, full};

/// Serves one request at once.
fn serve(log: &AccessLog, path: &str, agent: &[u8], inside: impl Fn(&RequestContext)) {
    let service = log.layer().layer(service_fn(|_: Request<()>| {
        inside(&context::current().unwrap());
        let mut response: Response<AnyBody> = Response::new(full(b"hello"));
        *response.status_mut() = StatusCode::CREATED;
        ready(Ok::<_, Infallible>(response))
    }));
    let mut request = Request::get(path).body(()).unwrap();
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_bytes(agent).unwrap());
    let response = service.oneshot(request).now_or_never().unwrap().unwrap();
    response.into_body().collect().now_or_never().unwrap().unwrap();
}

fn all(context: &RequestContext) {
    context.set_request_id(HeaderValue::from_static("01890a5d"));
    context.set_route("/users/{id}".into());
    context.set_principal("u_\u{1}\"1".into());
    context.set_client_ip("2001:db8::1".parse().unwrap());
    context.set_error_type("timeout");
    for kind in [Operation::Db, Operation::Ai, Operation::Http, Operation::Service] {
        context.count(kind, Duration::from_micros(31_200));
    }
}

fn none(_: &RequestContext) {}

#[test]
fn it_says_what_the_event_says() {
    let logs = [AccessLog::new(), AccessLog::new().slow(Duration::ZERO)];
    for (log, inside) in
        logs.iter().flat_map(|log| [(log, all as fn(&RequestContext)), (log, none)])
    {
        for agent in [b"curl/8.9".as_slice(), b"Bearer 4f7c2f0d9a1e4b0c8d3e5f6a", b"\xff\xfe\""] {
            let output = output::Output::default();
            let (writer, guard) = Sink::to(output.clone()).open().unwrap();
            let events = Lines::default();
            let ours = JsonLayer::new(writer);
            let subscriber = tracing_subscriber::registry().with(events.clone()).with(ours);
            tracing::subscriber::with_default(subscriber, || {
                serve(log, "/users/42?page=2&token=s3cr3t", agent, inside);
            });
            assert!(guard.flush(output::WAIT));
            let mut line: Map<String, Json> = serde_json::from_str(&output.text()).unwrap();
            let mut event: Map<String, Json> = events.only().fields.into_iter().collect();
            for ours in ["timestamp", "level", "target"] {
                line.remove(ours).unwrap();
            }
            // The event is redacted by who hears it.
            if agent.starts_with(b"Bearer") {
                assert_eq!(line["user_agent"], "Bearer [REDACTED]");
                line["user_agent"] = event["user_agent"].take();
                event["user_agent"] = line["user_agent"].clone();
            }
            assert_eq!(line, event);
        }
    }
}
