//! The task behind a store: it connects, and does what nobody waits for.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    link::{Job, Link, Live, RAMP, Then},
    script::{Call, SCRIPT},
};
use crate::memory::nanos;

/// For what no request waits for: so many times what one waits, within these. A connection and its
/// probe are seven round trips.
const LEAST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(5);
const ROUND_TRIPS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Between two steps of the keys' return: all of them are back after a quarter of a second.
const STEP: Duration = Duration::from_millis(30);
/// What is sent together.
const BATCH: usize = 64;
/// How often leases and debts are looked after, while there are any.
const CHORES: Duration = Duration::from_millis(250);

pub(super) struct Start {
    client: Client,
    patience: Duration,
    probe: Call,
    /// The key of a value that Redis has as long as it has its counts.
    born: String,
    /// That value.
    known: Option<String>,
    jobs: mpsc::Receiver<Job>,
}

impl Start {
    pub(super) fn new(
        client: Client,
        patience: Duration,
        (probe, born): (Call, String),
        jobs: mpsc::Receiver<Job>,
    ) -> Self {
        Self { client, patience, probe, born, known: None, jobs }
    }
}

/// Dropped with its runtime, it leaves its work to the next one.
struct Supervisor {
    link: Weak<Link>,
    start: Option<Start>,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let (Some(link), Some(start)) = (self.link.upgrade(), self.start.take()) {
            link.stopped(start);
        }
    }
}

/// Connects, says what nobody waits for, and connects again, until the store is dropped.
pub(super) async fn run(
    link: Weak<Link>,
    start: Start,
    mut changes: watch::Receiver<bool>,
    chores: Arc<Notify>,
) {
    let mut supervisor = Supervisor { link, start: Some(start) };
    let mut pause = FIRST_PAUSE;
    while let Supervisor { link, start: Some(start) } = &mut supervisor {
        let is_first = start.known.is_none();
        let connected = timeout(start.patience, connect(start)).await;
        let Some(alive) = link.upgrade() else { return };
        let connected = connected.map_err(|elapsed| elapsed.to_string());
        let connected = connected.and_then(|done| done.map_err(|error| error.to_string()));
        let Ok((connection, digest, has_forgotten)) = connected.inspect_err(|error| {
            // Later it is said that Redis is down, when it goes.
            if is_first && pause == FIRST_PAUSE {
                tracing::warn!(%error, "Redis is not there: limits are decided by the fall-back");
            }
        }) else {
            drop(alive);
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            continue;
        };
        if has_forgotten {
            alive.forgot.all();
        }
        let is_admitted = admit(&alive, connection, digest, is_first).await;
        drop(alive);
        if !is_admitted {
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            continue;
        }
        pause = FIRST_PAUSE;
        if !serve(link, start, &mut changes, &chores).await {
            return;
        }
    }
}

/// A connection over which a charge was made: a replica, a server that loads its data and one that
/// is out of memory answer a `PING` too. And whether Redis has lost the counts that it had.
async fn connect(start: &mut Start) -> Result<(MultiplexedConnection, Arc<str>, bool), RedisError> {
    // The time is kept here, where connecting is in it too.
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let mut connection = start.client.get_multiplexed_async_connection_with_config(&config).await?;
    let load = || redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).to_owned();
    let digest: String = load().query_async(&mut connection).await?;
    let digest: Arc<str> = digest.into();
    let own = connection.clone();
    let live = Live { connection: own, digest: Arc::clone(&digest), generation: 0 };
    live.run(&start.probe).await?;
    let name = getrandom::u64().unwrap_or(0).to_string();
    let mut set = redis::cmd("SET");
    set.arg(&start.born).arg(name).arg("NX").query_async::<()>(&mut connection).await?;
    let born: String = redis::cmd("GET").arg(&start.born).query_async(&mut connection).await?;
    let has_forgotten = start.known.as_ref().is_some_and(|known| *known != born);
    start.known = Some(born);
    Ok((connection, digest, has_forgotten))
}

/// Lets the keys come back, step by step, behind what the outage has charged. False where it is
/// lost again.
async fn admit(
    link: &Link,
    connection: MultiplexedConnection,
    digest: Arc<str>,
    is_first: bool,
) -> bool {
    let generation = link.connected(connection, digest);
    let steps = if is_first { RAMP..=RAMP } else { 1..=RAMP };
    for step in steps {
        tell(link).await;
        if !link.ramp(generation, step) {
            return false;
        }
        if step < RAMP {
            sleep(STEP).await;
        }
    }
    // Of those who were on their way when the last keys came back.
    tell(link).await;
    true
}

/// Tells Redis what the fall-back has charged. What was sent is forgotten: once is enough, as nobody
/// knows what of it was heard. What was not waits for the next connection.
async fn tell(link: &Link) {
    // Not what is charged meanwhile: that may be without end.
    for _ in 0..link.outage.len().div_ceil(BATCH) {
        if link.current().is_none() {
            return;
        }
        let batch = link.outage.take(BATCH, link.memory.table.now());
        send(link, &batch, |_| {}).await;
    }
}

/// Until the connection is lost. False where the store is gone.
async fn serve(
    link: &Weak<Link>,
    start: &mut Start,
    changes: &mut watch::Receiver<bool>,
    chores: &Notify,
) -> bool {
    let mut jobs = Vec::with_capacity(BATCH);
    let mut has_chores = true;
    loop {
        let down = async { changes.wait_for(|is_up| !*is_up).await.is_ok() };
        let mut down = pin!(down);
        let round = async {
            tokio::select! {
                sent = start.jobs.recv_many(&mut jobs, BATCH) => (sent > 0, false),
                () = chores.notified(), if !has_chores => (true, true),
                () = sleep(CHORES), if has_chores => (true, true),
            }
        };
        let (has_store, is_chore) = tokio::select! {
            has_store = &mut down => match has_store {
                true => return true,
                false => return false,
            },
            round = round => round,
        };
        let Some(alive) = link.upgrade().filter(|_| has_store) else { return false };
        let work = async {
            if is_chore && has_chores {
                has_chores = keep(&alive).await;
            } else if is_chore {
                has_chores = true;
            }
            run_jobs(&alive, &mut jobs).await;
        };
        tokio::select! {
            has_store = &mut down => return has_store,
            () = work => {}
        }
    }
}

/// Looks after leases that are good no more, and debts. True where there is more to come.
async fn keep(link: &Link) -> bool {
    let mut over = Vec::new();
    let are_held = link.leases.over(link.memory.table.now(), |call| over.push(call));
    for batch in over.chunks(BATCH) {
        send(link, batch, |_| {}).await;
    }
    tell(link).await;
    are_held || link.outage.len() > 0
}

async fn run_jobs(link: &Link, jobs: &mut Vec<Job>) {
    if jobs.is_empty() {
        return;
    }
    let (mut calls, mut thens) = (Vec::new(), Vec::new());
    for Job { call, since, then } in jobs.drain(..) {
        calls.push(call.ago(nanos(since.elapsed())));
        thens.push(then);
    }
    send(link, &calls, |index| {
        let now = link.memory.table.now();
        match thens.get(index) {
            Some(Then::Forgive(key)) => link.denied.forgive(*key, now),
            Some(Then::Forget(keys)) => {
                link.denied.forgive(keys.first(), now);
                link.leases.forget(keys);
            }
            Some(Then::Nothing) | None => {}
        }
    })
    .await;
}

/// All of it at once, in its order.
async fn send(link: &Link, calls: &[Call], done: impl Fn(usize)) {
    let Some(mut live) = link.current().filter(|_| !calls.is_empty()) else { return };
    let mut pipe = redis::pipe();
    pipe.ignore_errors();
    for call in calls {
        pipe.add_command(call.command("EVALSHA", &live.digest));
    }
    let sent = timeout(link.patience, pipe.query_async(&mut live.connection)).await;
    let answers: Vec<RedisResult<redis::Value>> = match sent {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => return link.failed(live.generation, &error, true),
        Err(elapsed) => return link.failed(live.generation, &elapsed, true),
    };
    for ((index, call), answer) in calls.iter().enumerate().zip(answers) {
        let answer = match answer {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                let again = call.command("EVAL", SCRIPT);
                let again = again.query_async(&mut live.connection);
                timeout(link.patience, again).await.unwrap_or(Err(error))
            }
            answer => answer,
        };
        match answer {
            Ok(_) => done(index),
            Err(error) => link.failed(live.generation, &error, error.is_unrecoverable_error()),
        }
    }
}

/// How long to wait where no request does, with this timeout for those.
pub(super) fn patience(timeout: Duration) -> Duration {
    timeout.saturating_mul(ROUND_TRIPS).clamp(LEAST, MOST)
}

/// Half of it to all of it, so that nodes do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let dice = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + f64::from(dice) / f64::from(u32::MAX) / 2.0)
}
