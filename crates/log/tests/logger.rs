//! Wherever a line is written, it says whose request it is, and what the code around it added.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::{convert::Infallible, error::Error, fmt};

use buttress_core::context::{self, RequestContext};
use buttress_log::{AccessLog, Sampling, logger};
use http::{HeaderValue, Request, Response, StatusCode, header::REFERER};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use support::{AnyBody, JsonLines, Lines, full};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, layer::SubscriberExt};

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

mod deep {
    pub(super) fn inside() {
        tracing::error!("nested");
    }
}

/// Writes at `ERROR` wherever a request's code may run.
async fn everywhere(_: Request<AnyBody>) -> Result<Response<AnyBody>, Infallible> {
    context::current().unwrap().set_request_id(HeaderValue::from_static("01890a5d"));
    deep::inside();
    tokio::task::yield_now().await;
    tracing::error!("after an await");
    context::spawn(async {
        tokio::task::yield_now().await;
        tracing::error!("spawned");
    })
    .await
    .unwrap();
    // The pool's threads do not have this thread's subscriber.
    let subscriber = tracing::dispatcher::get_default(Clone::clone);
    context::blocking(move || {
        tracing::dispatcher::with_default(&subscriber, || tracing::error!("blocking"));
    })
    .await
    .unwrap();
    let mut response = Response::new(full(b"hello"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(response)
}

#[test]
fn a_line_in_a_function_after_an_await_in_a_task_and_of_a_foreign_crate_has_the_requests_id() {
    for level in [LevelFilter::ERROR, LevelFilter::TRACE] {
        let (lines, ()) = JsonLines::of(level, || {
            block_on(async {
                let service = ServiceBuilder::new()
                    .layer(AccessLog::new().layer())
                    // It says of a failure itself; its span is gone with the filter at `error`.
                    .layer(TraceLayer::new_for_http())
                    .service(service_fn(everywhere));
                let request = Request::new(full(b""));
                let response = service.oneshot(request).await.unwrap();
                response.into_body().collect().await.unwrap();
            });
            tracing::error!("outside");
        });
        let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
        let said: Vec<_> = errors.iter().map(|line| line["message"].as_str().unwrap()).collect();
        let expected = [
            "nested",
            "after an await",
            "spawned",
            "blocking",
            "response failed",
            "GET - 500",
            "outside",
        ];
        assert_eq!(said, expected);
        for line in &errors {
            let id = if line["message"] == "outside" { Json::Null } else { json!("01890a5d") };
            assert_eq!(line["request_id"], id, "{line:#}");
        }
        assert!(errors[4]["target"].as_str().unwrap().starts_with("tower_http"));
    }
}

#[test]
fn child_fields_are_on_each_line_in_their_scope_and_what_the_event_says_counts() {
    for level in [LevelFilter::ERROR, LevelFilter::TRACE] {
        let (lines, ()) = JsonLines::of(level, || {
            block_on(logger().with("order", 17).with("password", "hunter2").follow(async {
                tracing::error!("in scope");
                tokio::task::yield_now().await;
                logger().with("step", "mail").enter(|| tracing::error!("deeper"));
                tokio::spawn(logger().follow(async { tracing::error!("spawned") })).await.unwrap();
                tokio::spawn(async { tracing::error!("not followed") }).await.unwrap();
                tracing::error!(order = 18, "its own");
            }));
            tracing::error!("outside");
        });
        let fields: Vec<_> = lines
            .iter()
            .map(|line| {
                let line = line.as_object().unwrap();
                let of = |name: &str| line.get(name).cloned().unwrap_or_default();
                (of("message"), of("order"), of("step"), of("password"))
            })
            .collect();
        let censored = json!("[REDACTED]");
        let none = Json::Null;
        assert_eq!(
            fields,
            [
                (json!("in scope"), json!(17), none.clone(), censored.clone()),
                (json!("deeper"), json!(17), json!("mail"), censored.clone()),
                (json!("spawned"), json!(17), none.clone(), censored.clone()),
                (json!("not followed"), none.clone(), none.clone(), none.clone()),
                (json!("its own"), json!(18), none.clone(), censored),
                (json!("outside"), none.clone(), none.clone(), none),
            ]
        );
    }
}

#[test]
fn the_access_line_has_the_applications_fields_and_the_headers_as_its_own() {
    let (lines, ()) = JsonLines::of(LevelFilter::INFO, || {
        block_on(async {
            let log = AccessLog::new().headers([REFERER]);
            let service = log.layer().layer(service_fn(|_: Request<()>| async {
                let request = context::current().unwrap();
                request.add("cart", 3_u64);
                request.add("api_key", "sk-1234");
                Ok::<_, Infallible>(Response::new(full(b"hello")))
            }));
            let request = Request::get("/?token=s3cr3t").header(REFERER, "https://example.com/");
            let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
            response.into_body().collect().await.unwrap();
        });
    });
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = &lines[0];
    for (field, value) in [
        ("target", json!("access")),
        ("message", json!("GET - 200")),
        ("status", json!(200)),
        ("query", json!("token=[REDACTED]")),
        ("cart", json!(3)),
        ("api_key", json!("[REDACTED]")),
        ("header_referer", json!("https://example.com/")),
        ("fields", Json::Null),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
}

/// A failure with a cause with a cause.
#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[test]
fn an_error_keeps_the_chain_of_its_sources() {
    let refused = Failure("connection refused", None);
    let failure = Failure("no user", Some(Box::new(Failure("query failed", Some(refused.into())))));
    let (lines, ()) = JsonLines::of(LevelFilter::ERROR, || {
        tracing::error!(error = &failure as &dyn Error, "failed");
    });
    let line = lines[0].to_string();
    for cause in ["no user", "query failed", "connection refused"] {
        assert!(line.contains(cause), "{line}");
    }
}

#[test]
fn a_requests_lines_share_one_verdict() {
    let lines = Lines::default();
    let rate = Sampling::new(0.5).unwrap();
    let subscriber = tracing_subscriber::registry().with(lines.clone().with_filter(rate));
    let log = AccessLog::new().sample(0.5).unwrap();
    let mut kept = 0;
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..100 {
            block_on(async {
                let service = log.layer().layer(service_fn(|_: Request<()>| async {
                    tracing::debug!("debug");
                    tracing::info!("info");
                    tracing::warn!("warn");
                    tracing::info!(target: "audit", "audit");
                    Ok::<_, Infallible>(Response::new(full(b"hello")))
                }));
                let context = RequestContext::new();
                let id = format!("request-{number}");
                context.set_request_id(HeaderValue::from_str(&id).unwrap());
                let served = context::InRequest::new(Some(context), async {
                    let response = service.oneshot(Request::new(())).await.unwrap();
                    response.into_body().collect().await.unwrap();
                });
                served.await;
            });
            let said: Vec<_> =
                lines.take().iter().map(|line| line.text("message").to_owned()).collect();
            if said.len() > 2 {
                kept += 1;
                assert_eq!(said, ["debug", "info", "warn", "audit", "GET - 200"]);
            } else {
                assert_eq!(said, ["warn", "audit"]);
            }
        }
        tracing::info!("outside");
    });
    assert_eq!(lines.only().text("message"), "outside");
    assert!((25..75).contains(&kept), "{kept}");
}
