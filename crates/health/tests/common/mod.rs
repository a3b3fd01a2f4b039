//! What the tests share: a check that follows a script, and a client.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary takes what it needs; a test is meant to panic"
)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport, Metrics};
use buttress_health::{Health, HealthLayer, HealthService, NotFound};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

/// `P`asses, `D`egraded, `F`ails, `X` panics, hangs on `-`; the last one goes on.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    name: &'static str,
    row: Arc<Mutex<VecDeque<char>>>,
}

impl Script {
    pub(crate) fn new(name: &'static str, row: &str) -> Self {
        Self { name, row: Arc::new(Mutex::new(row.chars().collect())) }
    }

    pub(crate) fn now(&self, row: &str) {
        *self.row.lock().unwrap() = row.chars().collect();
    }
}

impl Check for Script {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        let next = {
            let mut row = self.row.lock().unwrap();
            if row.len() > 1 { row.pop_front() } else { row.front().copied() }
        };
        assert_ne!(next, Some('x'), "planted: before the first await");
        Box::pin(async move {
            match next {
                Some('P') => Ok(CheckReport::ok().with("answered", true)),
                Some('D') => Err(CheckError::degraded("slow")),
                Some('F') => Err(CheckError::failed("no connection").because(PLANTED)),
                Some('-') => std::future::pending().await,
                _ => {
                    tokio::task::yield_now().await;
                    panic!("planted: after an await")
                }
            }
        })
    }
}

/// What a driver's error says, and nobody outside may read.
pub(crate) const PLANTED: &str = "postgres://app:hunter2@db-7.internal:5432/orders refused";

pub(crate) fn number(health: &Health, name: &str, check: &str) -> f64 {
    let mut found = None;
    health.collect(&mut |sample| {
        if sample.name == name && sample.labels.contains(&("check", check)) {
            found = Some(sample.value);
        }
    });
    found.unwrap()
}

/// Time is paused in these tests, and passes while all tasks wait.
pub(crate) async fn after_runs(health: &Health, check: &str, runs: u32) {
    while number(health, "health_check_runs_total", check) < f64::from(runs) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn probes(health: &Health) -> HealthService<NotFound> {
    HealthLayer::new(health).into_service()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) reason: Option<&'static str>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn send<S, B>(service: &S, request: Request<()>) -> Answer
where
    S: Service<Request<()>, Response = Response<B>> + Clone,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let response = service.clone().oneshot(request).await.unwrap();
    let reason = response
        .extensions()
        .get::<buttress_core::reject::Rejected>()
        .map(|rejected| rejected.reason());
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body, reason }
}

pub(crate) async fn get(service: &HealthService<NotFound>, path: &str) -> Answer {
    send(service, Request::get(path).body(()).unwrap()).await
}
