//! The connection: one, supervised by a task of its own. Nobody waits for it to come back.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use redis::{Client, RedisError, aio::MultiplexedConnection};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    breaker::Breaker,
    script::{Call, SCRIPT},
};

/// For a connection and its probe; no request waits for them.
const PROBE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Refunds and later charges that wait to be sent; those beyond are lost.
const JOBS: usize = 1_024;

pub(super) struct Link {
    timeout: Duration,
    state: Mutex<State>,
    is_up: watch::Sender<bool>,
    jobs: mpsc::Sender<Job>,
    /// Until the supervisor takes it.
    start: Mutex<Option<Start>>,
    is_started: AtomicBool,
    pub(super) failures: AtomicU64,
}

struct Start {
    client: Client,
    probe: Call,
    jobs: mpsc::Receiver<Job>,
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
    connection: MultiplexedConnection,
    digest: Arc<str>,
    generation: u64,
}

/// What is done without anyone waiting for it.
#[derive(Debug)]
pub(super) enum Job {
    Run(Call),
    Forget(Call),
}

impl Link {
    pub(super) fn new(client: Client, probe: Call, timeout: Duration) -> Arc<Self> {
        let (jobs, receiver) = mpsc::channel(JOBS);
        Arc::new(Self {
            timeout,
            state: Mutex::default(),
            is_up: watch::Sender::new(false),
            jobs,
            start: Mutex::new(Some(Start { client, probe, jobs: receiver })),
            is_started: AtomicBool::new(false),
            failures: AtomicU64::new(0),
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
            drop(runtime.spawn(supervise(Arc::downgrade(self), start, changes)));
        }
    }

    /// The connection, if it answers; else there is nothing to wait for.
    pub(super) fn live(&self) -> Option<Live> {
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
    pub(super) async fn ask(&self, live: Live, call: &Call) -> Option<Vec<i64>> {
        let generation = live.generation;
        match timeout(self.timeout, live.run(call)).await {
            Ok(Ok(answer)) => {
                self.succeeded(generation);
                Some(answer)
            }
            Ok(Err(error)) => {
                self.failed(generation, &error, error.is_unrecoverable_error());
                None
            }
            Err(elapsed) => {
                self.failed(generation, &elapsed, false);
                None
            }
        }
    }

    pub(super) fn later(&self, job: Job) {
        let _ = self.jobs.try_send(job);
    }

    fn succeeded(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            let _ = state.breaker.count(false, Instant::now());
        }
    }

    /// Of a connection that is lost nobody waits for the next failure.
    fn failed(&self, generation: u64, error: &dyn fmt::Display, is_lost: bool) {
        self.failures.fetch_add(1, Relaxed);
        let mut state = self.state();
        // A failure of one that is given up already says nothing of the next one.
        if state.generation != generation || state.live.is_none() {
            return;
        }
        if state.breaker.count(true, Instant::now()) || is_lost {
            state.live = None;
            drop(state);
            tracing::warn!(%error, "Redis is down: limits are decided by the fall-back");
            self.is_up.send_replace(false);
        }
    }

    fn connected(&self, connection: MultiplexedConnection, digest: Arc<str>) {
        let mut state = self.state();
        state.generation += 1;
        state.breaker = Breaker::default();
        state.live = Some(Live { connection, digest, generation: state.generation });
        drop(state);
        tracing::warn!("Redis is up: limits are decided by it");
        self.is_up.send_replace(true);
    }

    async fn run(&self, job: Job) {
        let Some(mut live) = self.live() else { return };
        match job {
            Job::Run(call) => drop(self.ask(live, &call).await),
            Job::Forget(call) => {
                let forget = call.forget();
                let forget = forget.query_async::<()>(&mut live.connection);
                drop(timeout(self.timeout, forget).await);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    async fn run(mut self, call: &Call) -> Result<Vec<i64>, RedisError> {
        let by_digest = call.command("EVALSHA", &self.digest);
        match by_digest.query_async(&mut self.connection).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                call.command("EVAL", SCRIPT).query_async(&mut self.connection).await
            }
            answer => answer,
        }
    }
}

/// Connects, says what nobody waits for, and connects again, until the store is dropped.
async fn supervise(link: Weak<Link>, mut start: Start, mut changes: watch::Receiver<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let connected = timeout(PROBE, connect(&start.client, &start.probe)).await;
        let Some(alive) = link.upgrade() else { return };
        let Ok(Ok((connection, digest))) = connected else {
            drop(alive);
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            continue;
        };
        alive.connected(connection, digest);
        drop(alive);
        pause = FIRST_PAUSE;
        loop {
            let down = async { changes.wait_for(|is_up| !*is_up).await.is_ok() };
            tokio::select! {
                there_is_a_store = down => match there_is_a_store {
                    true => break,
                    false => return,
                },
                job = start.jobs.recv() => {
                    let (Some(job), Some(link)) = (job, link.upgrade()) else { return };
                    link.run(job).await;
                }
            }
        }
        // What was to be said to a server that is gone.
        while start.jobs.try_recv().is_ok() {}
    }
}

/// A connection over which a charge was made: a replica, a server that loads its data and one that
/// is out of memory answer a `PING` too.
async fn connect(
    client: &Client,
    probe: &Call,
) -> Result<(MultiplexedConnection, Arc<str>), RedisError> {
    let connection = client.get_multiplexed_async_connection().await?;
    let mut own = connection.clone();
    let digest: String = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut own).await?;
    let digest: Arc<str> = digest.into();
    let live = Live { connection: own, digest: Arc::clone(&digest), generation: 0 };
    live.run(probe).await?;
    Ok((connection, digest))
}

/// Half of it to all of it, so that nodes do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let dice = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + f64::from(dice) / f64::from(u32::MAX) / 2.0)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}
