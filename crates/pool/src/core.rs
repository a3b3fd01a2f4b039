//! What the pools of all servers have in common.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use buttress_core::source::Sample;
use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolConfig, PoolError, QueueMode, Timeouts},
};
use tokio::{
    runtime::Handle,
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::{
    backoff::{Backoff, random},
    check::{Gauge, Saturation, Status},
    connect::{ConnectError, ConnectErrorKind},
    counts::Counts,
    error::{AcquireError, AcquireErrorKind, ConfigError, ConfigErrorKind as Kind},
    kept::{Driver, Kept, Manager, Spoilable},
    lease::{Leases, StillOut},
    limits::Limits,
    upkeep,
};

const LONGEST_NAME: usize = 64;
/// Between two looks at whether the last connection is closed, which deadpool tells nobody.
const LOOK: Duration = Duration::from_millis(2);

/// A pool: deadpool's, with what we know of it.
pub(crate) struct Core<D: Driver> {
    pub(crate) name: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) pool: Pool<Manager<D>>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) leases: Leases,
    /// One at a time: two would open the least number twice.
    filling: Mutex<()>,
}

impl<D: Driver> Core<D> {
    pub(crate) fn new(
        name: Arc<str>,
        limits: Limits,
        counts: Arc<Counts>,
        driver: D,
    ) -> Result<Arc<Self>, ConfigError> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
            let message =
                format!("a name has 1 to {LONGEST_NAME} bytes and no control characters: {name:?}");
            return Err(ConfigError::new(Kind::Name, message));
        }
        let limits = limits.checked()?;
        let no_runtime = || ConfigError::new(Kind::Runtime, "a pool needs a tokio runtime");
        let runtime = Handle::try_current().map_err(|_| no_runtime())?;
        let manager = Manager { driver, limits, counts: Arc::clone(&counts) };
        let mut config = PoolConfig::new(limits.size);
        // A connection is made and asked within our own times, where their ends are told apart. The
        // newest is taken first: what is not needed becomes idle, and is closed.
        config.timeouts = Timeouts { wait: Some(limits.wait), create: None, recycle: None };
        config.queue_mode = QueueMode::Lifo;
        let pool = Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|_| no_runtime())?;
        let core = Arc::new(Self {
            name,
            limits,
            pool,
            counts,
            leases: Leases::new(),
            filling: Mutex::new(()),
        });
        drop(runtime.spawn(upkeep::run(Arc::downgrade(&core), limits)));
        Ok(core)
    }

    pub(crate) async fn acquire(
        self: &Arc<Self>,
        place: &'static Location<'static>,
    ) -> Result<Leased<D>, AcquireError> {
        let asked = Asked { counts: &self.counts, began: Instant::now() };
        self.counts.waiting.fetch_add(1, Relaxed);
        let object = self.object().await?;
        drop(asked);
        let id = self.leases.begin(place);
        Ok(Leased { object, end: End { core: Arc::clone(self), id, is_spoilt: false } })
    }

    async fn object(&self) -> Result<Object<Manager<D>>, AcquireError> {
        // Each part has its time; the whole has too, however many old ones do not answer.
        let Limits { wait, create, recycle, .. } = self.limits;
        let got = timeout(wait + create + recycle, self.pool.get()).await;
        match got.unwrap_or(Err(PoolError::Timeout(deadpool::managed::TimeoutType::Wait))) {
            Ok(object) => Ok(object),
            Err(PoolError::Timeout(_)) => {
                self.counts.wait_timeouts.fetch_add(1, Relaxed);
                Err(AcquireError::new(AcquireErrorKind::Wait))
            }
            Err(PoolError::Backend(error)) => Err(AcquireError::connect(error)),
            // There are no hooks, and there is a runtime.
            Err(
                PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_),
            ) => Err(AcquireError::new(AcquireErrorKind::Closed)),
        }
    }

    /// Opens connections until so many are there, which are then idle.
    pub(crate) async fn fill(&self, connections: usize) -> Result<(), AcquireError> {
        let _alone = self.filling.lock().await;
        let mut held = Vec::with_capacity(connections);
        while held.len() < connections {
            held.push(self.object().await?);
        }
        Ok(())
    }

    pub(crate) async fn connect_with_retry(&self, backoff: Backoff) -> Result<(), ConnectError> {
        let began = Instant::now();
        let (pool, at) = (&*self.name, self.pool.manager().driver.at());
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match self.fill(self.limits.min_idle.max(1)).await {
                Ok(()) => {
                    let took = began.elapsed();
                    tracing::info!(pool, at, attempts, took_ms = millis(took), "connected");
                    return Ok(());
                }
                Err(error) => error,
            };
            // All are out: it has connected long ago.
            if error.kind() == AcquireErrorKind::Wait {
                return Ok(());
            }
            let closed =
                || ConnectError::new(ConnectErrorKind::Other, at, Some("it is closed".into()));
            let error = error.into_connect_error().unwrap_or_else(closed);
            let pause = backoff.pause(attempts, random());
            let is_over = began.elapsed().saturating_add(pause) >= backoff.total;
            if is_over || !error.kind().is_transient() {
                return Err(error.after(attempts, began.elapsed()));
            }
            let wait_ms = millis(pause);
            tracing::warn!(pool, attempts, wait_ms, %error, "no connection yet");
            sleep(pause).await;
        }
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    pub(crate) async fn close_and_wait(&self, within: Duration) -> Result<(), StillOut> {
        self.close();
        let all = async {
            self.leases.none().await;
            while self.pool.status().size > 0 {
                sleep(LOOK).await;
            }
        };
        if timeout(within, all).await.is_ok() {
            return Ok(());
        }
        let still = StillOut { name: self.name.to_string(), leases: self.leases.all() };
        tracing::warn!(pool = &*self.name, "{still}");
        Err(still)
    }

    pub(crate) fn saturation(self: &Arc<Self>) -> Saturation {
        let seen = self.counts.wait_timeouts.load(Relaxed);
        Saturation {
            name: format!("{}-saturation", self.name).into(),
            gauge: Arc::clone(self) as _,
            seen: Arc::new(AtomicU64::new(seen)),
        }
    }

    pub(crate) fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        self.counts.collect(&self.name, self.status(), each);
    }
}

impl<D: Driver> Gauge for Core<D> {
    fn status(&self) -> Status {
        let deadpool = self.pool.status();
        let out = self.leases.len();
        Status {
            max: deadpool.max_size,
            idle: deadpool.size.saturating_sub(out),
            out,
            waiting: self.counts.waiting.load(Relaxed),
            wait_timeouts: self.counts.wait_timeouts.load(Relaxed),
        }
    }
}

impl<D: Driver> fmt::Debug for Core<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("at", &self.pool.manager().driver.at())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// One call that asks for a connection, until it has one or leaves.
struct Asked<'a> {
    counts: &'a Counts,
    began: Instant,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        decrement(&self.counts.waiting);
        self.counts.acquires.add(self.began.elapsed());
    }
}

fn decrement(count: &AtomicUsize) {
    count.fetch_sub(1, Relaxed);
}

/// A connection that is out. Its parts are dropped in this order: given back first, told then.
pub(crate) struct Leased<D: Driver> {
    object: Object<Manager<D>>,
    pub(crate) end: End<D>,
}

pub(crate) struct End<D: Driver> {
    pub(crate) core: Arc<Core<D>>,
    id: u64,
    is_spoilt: bool,
}

impl<D: Driver> Deref for Leased<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.object.connection
    }
}

impl<D: Driver> DerefMut for Leased<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.object.connection
    }
}

impl<D: Driver> Drop for Leased<D> {
    fn drop(&mut self) {
        self.object.idle_since = Instant::now();
        self.end.is_spoilt = self.object.connection.spoilt().is_some();
    }
}

impl<D: Driver> Drop for End<D> {
    fn drop(&mut self) {
        if self.is_spoilt {
            // At once, and not when somebody wants it next: the server holds its end open.
            let removed =
                self.core.pool.retain(|kept: &Kept<_>, _| kept.connection.spoilt().is_none());
            drop(removed);
        }
        let out = self.core.leases.end(self.id);
        self.core.counts.usages.add(out);
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
