//! The connection: one, supervised by a task of its own. Nobody waits for it to come back.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use redis::{Client, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc, watch},
    time::timeout,
};

use super::{
    breaker::Breaker,
    denied::Denied,
    forgot::Forgot,
    lease::Leases,
    outage::Outage,
    script::{Call, SCRIPT},
    supervise::{self, Start},
};
use crate::{
    key::{Hashed, Keys},
    memory::{MemoryStore, nanos},
};

/// Refunds and later charges that wait to be sent; those beyond are lost.
const JOBS: usize = 1_024;
/// In so many steps the keys come back to a Redis that does.
pub(super) const RAMP: u32 = 8;

/// The connection, and what a node knows of what is behind it.
pub(super) struct Link {
    timeout: Duration,
    /// Where no request waits.
    pub(super) patience: Duration,
    state: Mutex<State>,
    /// Of how many of the steps the keys are asked for in Redis.
    ramp: AtomicU32,
    is_up: watch::Sender<bool>,
    jobs: mpsc::Sender<Job>,
    /// Until the supervisor takes it.
    start: Mutex<Option<Start>>,
    is_started: AtomicBool,
    pub(super) memory: MemoryStore,
    pub(super) denied: Denied,
    pub(super) leases: Leases,
    pub(super) outage: Outage,
    pub(super) forgot: Forgot,
    /// There are leases or debts to be looked after.
    pub(super) chores: Arc<Notify>,
    pub(super) failures: AtomicU64,
    pub(super) lost: AtomicU64,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    breaker: Breaker,
    generation: u64,
}

/// A connection that answers.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    pub(super) digest: Arc<str>,
    pub(super) generation: u64,
}

/// What came of a question.
pub(super) enum Answer {
    Said(Vec<i64>),
    /// An error: nothing was charged.
    Refused,
    /// Nobody knows whether it was charged.
    Unknown,
}

/// What is done without anyone waiting for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) call: Call,
    pub(super) since: Instant,
    pub(super) then: Then,
}

/// When it is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Nothing,
    /// Something was given back to the key.
    Forgive(Hashed),
    /// The counts themselves are to go.
    Forget(Keys),
}

type Running = Pin<Box<dyn Future<Output = RedisResult<Vec<i64>>> + Send>>;

/// A question that is asked. Who asked may leave: it is heard to its end nevertheless, within its
/// time. Else there would be no telling a client that has left from a server that says nothing, and
/// what was charged for a lease would be lost.
struct Sent {
    link: Arc<Link>,
    generation: u64,
    asked: Instant,
    /// Where it asks for a lease.
    lease: Option<Call>,
    /// It took too long, and that is counted.
    is_late: bool,
    running: Option<Running>,
}

impl Link {
    pub(super) fn new(
        client: Client,
        probe: (Call, String),
        memory: MemoryStore,
        (timeout, lease): (Duration, u32),
    ) -> Arc<Self> {
        let (jobs, receiver) = mpsc::channel(JOBS);
        let patience = supervise::patience(timeout);
        Arc::new(Self {
            timeout,
            patience,
            state: Mutex::default(),
            ramp: AtomicU32::new(0),
            is_up: watch::Sender::new(false),
            jobs,
            start: Mutex::new(Some(Start::new(client, patience, probe, receiver))),
            is_started: AtomicBool::new(false),
            memory,
            denied: Denied::new(),
            leases: Leases::new(lease),
            outage: Outage::new(),
            forgot: Forgot::new(),
            chores: Arc::default(),
            failures: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        })
    }

    /// Begins to connect, the first time that it is asked to within a runtime.
    pub(super) fn start(self: &Arc<Self>) {
        if self.is_started.load(Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(start) = start {
            self.is_started.store(true, Relaxed);
            let changes = self.is_up.subscribe();
            let chores = Arc::clone(&self.chores);
            let link = Arc::downgrade(self);
            drop(runtime.spawn(supervise::run(link, start, changes, chores)));
        }
    }

    /// The runtime has ended on which the connection was. Another one may begin anew.
    pub(super) fn stopped(&self, start: Start) {
        self.lose(&mut self.state());
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = Some(start);
        self.is_started.store(false, Relaxed);
    }

    /// The connection, if it answers, and this key is asked for there; else there is nothing to
    /// wait for.
    pub(super) fn live(&self, key: Hashed) -> Option<Live> {
        if key.spread() % u64::from(RAMP) >= u64::from(self.ramp.load(Relaxed)) {
            return None;
        }
        self.state().live.clone()
    }

    pub(super) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    /// Waits until it is up, or down.
    pub(super) async fn becomes(&self, wanted: bool) {
        // It ends with the sender, which is ours.
        let _ = self.is_up.subscribe().wait_for(|is_up| *is_up == wanted).await;
    }

    /// Asks, and waits no longer than the timeout.
    pub(super) async fn ask(self: &Arc<Self>, live: Live, call: Call) -> Answer {
        let generation = live.generation;
        let lease = (call.most() > 1).then(|| call.clone());
        let mut sent = Sent {
            link: Arc::clone(self),
            generation,
            asked: Instant::now(),
            lease,
            is_late: false,
            running: Some(Box::pin(async move { live.run(&call).await })),
        };
        let Some(running) = &mut sent.running else { return Answer::Unknown };
        match timeout(self.timeout, running).await {
            Ok(answer) => {
                sent.running = None;
                self.heard(generation, answer)
            }
            Err(elapsed) => {
                sent.is_late = true;
                self.failed(generation, &elapsed, false);
                Answer::Unknown
            }
        }
    }

    fn heard(&self, generation: u64, answer: RedisResult<Vec<i64>>) -> Answer {
        match answer {
            Ok(answer) => {
                self.succeeded(generation);
                Answer::Said(answer)
            }
            Err(error) => {
                self.failed(generation, &error, error.is_unrecoverable_error());
                if error.code().is_some() { Answer::Refused } else { Answer::Unknown }
            }
        }
    }

    pub(super) fn later(&self, call: Call, then: Then) {
        if self.jobs.try_send(Job { call, since: Instant::now(), then }).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn succeeded(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            let _ = state.breaker.count(false, Instant::now());
        }
    }

    /// Of a connection that is lost nobody waits for the next failure.
    pub(super) fn failed(&self, generation: u64, error: &dyn fmt::Display, is_lost: bool) {
        self.failures.fetch_add(1, Relaxed);
        self.count(generation, error, |breaker| breaker.count(true, Instant::now()) || is_lost);
    }

    fn count(
        &self,
        generation: u64,
        error: &dyn fmt::Display,
        opens: impl FnOnce(&mut Breaker) -> bool,
    ) {
        let mut state = self.state();
        // A failure of one that is given up already says nothing of the next one.
        if state.generation != generation || state.live.is_none() || !opens(&mut state.breaker) {
            return;
        }
        self.lose(&mut state);
        drop(state);
        tracing::warn!(%error, "Redis is down: limits are decided by the fall-back");
    }

    /// Both under one lock, with [`connected`](Self::connected): else it could stay said to be up
    /// with nothing there, and nobody would connect again.
    fn lose(&self, state: &mut State) {
        state.live = None;
        self.ramp.store(0, Relaxed);
        self.is_up.send_replace(false);
    }

    /// For the first of the keys; answers the connection's number.
    pub(super) fn connected(&self, connection: MultiplexedConnection, digest: Arc<str>) -> u64 {
        let mut state = self.state();
        state.generation += 1;
        state.breaker = Breaker::default();
        state.live = Some(Live { connection, digest, generation: state.generation });
        state.generation
    }

    /// For so many steps of the keys; false where the connection is lost again.
    pub(super) fn ramp(&self, generation: u64, step: u32) -> bool {
        let state = self.state();
        let is_it = state.generation == generation && state.live.is_some();
        if is_it {
            self.ramp.store(step, Relaxed);
            if step == RAMP {
                tracing::warn!("Redis is up: limits are decided by it");
                self.is_up.send_replace(true);
            }
        }
        is_it
    }

    pub(super) fn current(&self) -> Option<Live> {
        self.state().live.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    pub(super) async fn run(mut self, call: &Call) -> Result<Vec<i64>, RedisError> {
        let by_digest = call.command("EVALSHA", &self.digest);
        match by_digest.query_async(&mut self.connection).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                call.command("EVAL", SCRIPT).query_async(&mut self.connection).await
            }
            answer => answer,
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let (lease, running) = (self.lease.take(), self.running.take());
        let Some(running) = running.filter(|_| !self.is_late || lease.is_some()) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let left = Self {
            link: Arc::clone(&self.link),
            generation: self.generation,
            asked: self.asked,
            lease,
            is_late: self.is_late,
            running: None,
        };
        drop(runtime.spawn(left.hear(running)));
    }
}

impl Sent {
    /// In place of who has left.
    async fn hear(mut self, mut running: Running) {
        let mut answer = None;
        if !self.is_late {
            match timeout(self.link.timeout, &mut running).await {
                Ok(said) => answer = Some(self.link.heard(self.generation, said)),
                Err(elapsed) => self.link.failed(self.generation, &elapsed, false),
            }
        }
        let Some(lease) = self.lease.take() else { return };
        if answer.is_none() {
            let late = timeout(self.link.patience, running).await;
            answer = late.ok().and_then(Result::ok).map(Answer::Said);
        }
        if let Some(Answer::Said(said)) = answer
            && let Some(back) = lease.unused(&said)
        {
            self.link.later(back.ago(nanos(self.asked.elapsed())), Then::Nothing);
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}
