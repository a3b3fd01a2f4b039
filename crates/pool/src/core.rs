//! What the pools of all servers have in common.

use std::{
    fmt, mem,
    panic::Location,
    sync::{
        Arc, OnceLock,
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
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{
    backoff::{Backoff, random},
    check::{Gauge, Saturation, Status},
    connect::{ConnectError, ConnectErrorKind},
    counts::Counts,
    error::{AcquireError, AcquireErrorKind, ConfigError, ConfigErrorKind as Kind},
    kept::{Driver, Manager},
    lease::{Leases, StillOut},
    leased::Leased,
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
    /// The upkeep that fills it.
    refill: OnceLock<AbortHandle>,
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
        let manager = Manager::new(driver, limits, Arc::clone(&counts));
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
            refill: OnceLock::new(),
        });
        drop(runtime.spawn(upkeep::run(Arc::downgrade(&core), limits)));
        if limits.min_idle > 0 {
            let refill = runtime.spawn(upkeep::refill(Arc::downgrade(&core), limits));
            core.refill.get_or_init(|| refill.abort_handle());
        }
        Ok(core)
    }

    pub(crate) fn driver(&self) -> &D {
        &self.pool.manager().driver
    }

    pub(crate) async fn acquire(
        self: &Arc<Self>,
        place: &'static Location<'static>,
    ) -> Result<Leased<D>, AcquireError> {
        let asked = Asked { counts: &self.counts, began: Instant::now() };
        self.counts.waiting.fetch_add(1, Relaxed);
        let object = self.object().await?;
        // It was closed while this one was made: who waits for its end does not know of it.
        if self.pool.is_closed() {
            return Err(AcquireError::new(AcquireErrorKind::Closed));
        }
        drop(asked);
        Ok(Leased::new(object, Arc::clone(self), place))
    }

    async fn object(&self) -> Result<Object<Manager<D>>, AcquireError> {
        // Each part has its time; the whole has too, however many old ones do not answer.
        let Limits { wait, create, recycle, .. } = self.limits;
        let Ok(got) = timeout(wait + create + recycle, self.pool.get()).await else {
            // Not for want of one that is given back: that would have ended before.
            self.counts.create_timeouts.fetch_add(1, Relaxed);
            return Err(AcquireError::connect(self.timed_out()));
        };
        match got {
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

    fn timed_out(&self) -> ConnectError {
        ConnectError::new(ConnectErrorKind::Timeout, self.driver().at(), None)
    }

    /// Connections that are there, idle or out.
    pub(crate) fn size(&self) -> usize {
        let spare = self.pool.manager().spare().len();
        self.pool.status().size + spare
    }

    /// Opens connections until the least number is there, and takes none from anybody.
    pub(crate) async fn fill(&self) -> Result<(), ConnectError> {
        let _alone = self.filling.lock().await;
        self.fill_alone().await
    }

    async fn fill_alone(&self) -> Result<(), ConnectError> {
        let manager = self.pool.manager();
        while self.size() < self.limits.min_idle && !self.pool.is_closed() {
            let kept = manager.open().await?;
            manager.spare().push(kept);
        }
        if self.pool.is_closed() {
            self.drop_spare();
        }
        Ok(())
    }

    fn drop_spare(&self) {
        let spare = mem::take(&mut *self.pool.manager().spare());
        drop(spare);
    }

    /// One connection is got, which proves that it works, and then the least number is opened.
    async fn connect(&self) -> Result<(), AcquireError> {
        let _alone = self.filling.lock().await;
        drop(self.object().await?);
        self.fill_alone().await.map_err(AcquireError::connect)
    }

    pub(crate) async fn connect_with_retry(&self, backoff: Backoff) -> Result<(), ConnectError> {
        let began = Instant::now();
        let (pool, at) = (&*self.name, self.driver().at());
        let mut attempts = 0;
        loop {
            attempts += 1;
            // Many that are slow would take their time one after the other.
            let Limits { wait, create, recycle, .. } = self.limits;
            let left = backoff.total.saturating_sub(began.elapsed());
            let within = left.saturating_add(wait + create + recycle);
            let late = |_| Err(AcquireError::connect(self.timed_out()));
            let error = match timeout(within, self.connect()).await.unwrap_or_else(late) {
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
        if let Some(refill) = self.refill.get() {
            refill.abort();
        }
        self.drop_spare();
    }

    pub(crate) async fn close_and_wait(&self, within: Duration) -> Result<(), StillOut> {
        self.close();
        let all = async {
            self.leases.none().await;
            // One that is just made has no size yet.
            while self.pool.status().size > 0 || self.counts.waiting.load(Relaxed) > 0 {
                sleep(LOOK).await;
            }
            drop(self.filling.lock().await);
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
            idle: self.size().saturating_sub(out),
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
            .field("at", &self.driver().at())
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

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
