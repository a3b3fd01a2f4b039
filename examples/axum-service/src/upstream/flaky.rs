//! The service that is called: one that fails as it is told to, on a port of its own.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::any,
};
use buttress::{problem::Failure, shutdown::CancellationToken};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use crate::error::Error;

/// What a caller may ask for.
const MOST_FAILURES: u32 = 10;
const LONGEST_MS: u64 = 5_000;
/// How many calls it remembers the attempts of; an older one begins anew.
const REMEMBERED: usize = 1_024;

/// How it is to fail.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Whims {
    /// So many attempts of a call …
    fail: u32,
    /// … with this status …
    status: u16,
    /// … and how long each attempt takes, in milliseconds.
    slow: u64,
}

/// What it says.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Said {
    /// Which of the call's attempts this is, as it has come to know them.
    attempt: u32,
}

/// It ends when it is told to, or when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Flaky {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    end: CancellationToken,
    ended: CancellationToken,
    _served: Arc<JoinSet<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: AtomicU64,
    attempts: Mutex<VecDeque<(u64, u32)>>,
}

impl Flaky {
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let app = Router::new().route("/calls/{call}", any(answer)).with_state(Arc::clone(&seen));
        let (end, ended) = (CancellationToken::new(), CancellationToken::new());
        let (told, tells) = (end.clone(), ended.clone().drop_guard());
        let mut served = JoinSet::new();
        served.spawn(async move {
            let _tells = tells;
            axum::serve(listener, app).with_graceful_shutdown(told.cancelled_owned()).await
        });
        Ok(Self { address, seen, end, ended, _served: Arc::new(served) })
    }

    /// Ends it, and waits until it has.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let (end, ended) = (self.end.clone(), self.ended.clone());
        async move {
            end.cancel();
            ended.cancelled().await;
        }
    }

    /// How many requests have reached it.
    pub(super) fn requests(&self) -> u64 {
        self.seen.requests.load(Relaxed)
    }
}

async fn answer(
    State(seen): State<Arc<Seen>>,
    Path(call): Path<u64>,
    Query(whims): Query<Whims>,
) -> Result<(StatusCode, Json<Said>), Failure> {
    let status = whims.status()?;
    let attempt = seen.attempt_of(call);
    sleep(Duration::from_millis(whims.slow)).await;
    let status = if attempt <= whims.fail { status } else { StatusCode::OK };
    Ok((status, Json(Said { attempt })))
}

impl Seen {
    fn attempt_of(&self, call: u64) -> u32 {
        self.requests.fetch_add(1, Relaxed);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, attempt)) = attempts.iter_mut().rev().find(|(known, _)| *known == call) {
            *attempt += 1;
            return *attempt;
        }
        if attempts.len() == REMEMBERED {
            attempts.pop_front();
        }
        attempts.push_back((call, 1));
        1
    }
}

impl Whims {
    /// Those that may be, or what would be right.
    pub(super) fn check(self) -> Result<Self, Error> {
        self.status()?;
        Error::at_most("fail", self.fail.into(), MOST_FAILURES.into())?;
        Error::at_most("slow", self.slow, LONGEST_MS)?;
        Ok(self)
    }

    /// As a query.
    pub(super) fn query(self) -> String {
        let Self { fail, status, slow } = self;
        format!("fail={fail}&status={status}&slow={slow}")
    }

    fn status(self) -> Result<StatusCode, Error> {
        let status = StatusCode::from_u16(self.status).ok();
        let failure = status.filter(|status| status.is_client_error() || status.is_server_error());
        failure.ok_or(Error::NoFailure)
    }
}

impl Default for Whims {
    fn default() -> Self {
        Self { fail: 0, status: 503, slow: 0 }
    }
}
