//! What deadpool keeps, and when it is to be thrown away.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU8, AtomicU64,
            Ordering::{self, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use deadpool::managed::{Manager as DeadpoolManager, Metrics, RecycleError, RecycleResult};
use tokio::time::timeout;

use crate::{
    backoff::random,
    connect::{ConnectError, ConnectErrorKind},
    counts::{Closed, Counts},
    limits::Limits,
};

/// How to make a connection, and how to ask one whether it lives.
pub(crate) trait Driver: Clone + Send + Sync + 'static {
    type Connection: Spoilable + 'static;
    type Error: Error + Send + Sync + 'static;

    /// For messages: `host:port/database`.
    fn at(&self) -> &str;

    fn open(&self) -> impl Future<Output = Result<Self::Connection, ConnectError>> + Send;

    fn lives(
        &self,
        connection: &mut Self::Connection,
        idle: Duration,
    ) -> impl Future<Output = bool> + Send;

    /// Has the server answer something that it need not look up.
    fn ask(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A connection that may come to be of no more use while it is out.
pub(crate) trait Spoilable: Send {
    fn spoilt(&self) -> Option<Closed>;

    /// It is about to go back.
    fn given_back(&self) {}
}

/// Why, if so; it is set through a shared reference. The first reason stays, but for a change: that
/// says nothing of what is still on its way.
#[derive(Debug, Default)]
pub(crate) struct Spoilt(AtomicU8);

impl Spoilt {
    const CHANGED: u8 = 3;

    pub(crate) fn set(&self, why: Closed) {
        let why = match why {
            Closed::Unconfirmed => 1,
            Closed::Abandoned => 2,
            Closed::Changed => Self::CHANGED,
            _ => 4,
        };
        let replace = |now: u8| matches!(now, 0 | Self::CHANGED).then_some(why);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, replace);
    }

    pub(crate) fn get(&self) -> Option<Closed> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Closed::Unconfirmed),
            2 => Some(Closed::Abandoned),
            Self::CHANGED => Some(Closed::Changed),
            _ => Some(Closed::Lost),
        }
    }
}

/// One connection. Dropped, it is closed and counted.
pub(crate) struct Kept<C: Spoilable> {
    pub(crate) connection: C,
    pub(crate) idle_since: Instant,
    born: Instant,
    /// From 0.8 to 1: its share of the lifetime and of the idle time.
    share: f64,
    /// Why it must not be used again, where that does not show on the connection.
    pub(crate) doomed: Option<Closed>,
    limits: Limits,
    counts: Arc<Counts>,
}

impl<C: Spoilable> Kept<C> {
    /// Why it must not be used again, if so.
    pub(crate) fn end(&self, now: Instant) -> Option<Closed> {
        if self.doomed.is_some() {
            return self.doomed;
        }
        let over = |since: Instant, limit: Duration| {
            now.saturating_duration_since(since) >= limit.mul_f64(self.share)
        };
        self.connection
            .spoilt()
            .or_else(|| over(self.born, self.limits.lifetime).then_some(Closed::Lifetime))
            .or_else(|| over(self.idle_since, self.limits.idle).then_some(Closed::Idle))
    }
}

impl<C: Spoilable> Drop for Kept<C> {
    fn drop(&mut self) {
        self.counts.closed(self.end(Instant::now()).unwrap_or(Closed::Shutdown));
    }
}

impl<C: Spoilable> fmt::Debug for Kept<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("born", &self.born).finish_non_exhaustive()
    }
}

/// Makes connections for deadpool, and throws away those whose time has come.
pub(crate) struct Manager<D: Driver> {
    pub(crate) driver: D,
    pub(crate) limits: Limits,
    pub(crate) counts: Arc<Counts>,
    /// Connections that are open and that deadpool does not know yet. It has no way to take one in,
    /// and would open one only while all others are out: to have it do so, upkeep would have to
    /// keep those from everybody. So they wait here for the next time that it wants to open one.
    spare: Mutex<Vec<Kept<D::Connection>>>,
}

impl<D: Driver> Manager<D> {
    pub(crate) fn new(driver: D, limits: Limits, counts: Arc<Counts>) -> Self {
        Self { driver, limits, counts, spare: Mutex::default() }
    }

    pub(crate) fn spare(&self) -> MutexGuard<'_, Vec<Kept<D::Connection>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_spare(&self) -> Option<Kept<D::Connection>> {
        self.spare().pop()
    }

    /// A new connection.
    pub(crate) async fn open(&self) -> Result<Kept<D::Connection>, ConnectError> {
        // Counted as a failure also where whoever waits for it leaves.
        let mut failure = Failure(Some(&self.counts.create_failures));
        let connection = match timeout(self.limits.create, self.driver.open()).await {
            Ok(opened) => opened?,
            Err(elapsed) => {
                self.counts.create_timeouts.fetch_add(1, Relaxed);
                let source = Some(elapsed.into());
                let at = self.driver.at();
                return Err(ConnectError::new(ConnectErrorKind::Timeout, at, source));
            }
        };
        failure.0 = None;
        self.counts.created.fetch_add(1, Relaxed);
        let now = Instant::now();
        Ok(Kept {
            connection,
            idle_since: now,
            born: now,
            share: 0.8 + 0.2 * random(),
            doomed: None,
            limits: self.limits,
            counts: Arc::clone(&self.counts),
        })
    }
}

impl<D: Driver> DeadpoolManager for Manager<D> {
    type Type = Kept<D::Connection>;
    type Error = ConnectError;

    async fn create(&self) -> Result<Self::Type, ConnectError> {
        while let Some(mut kept) = self.take_spare() {
            if self.recycle(&mut kept, &Metrics::default()).await.is_ok() {
                return Ok(kept);
            }
        }
        self.open().await
    }

    async fn recycle(&self, kept: &mut Self::Type, _: &Metrics) -> RecycleResult<ConnectError> {
        let now = Instant::now();
        // That it lay unused is upkeep's affair, which leaves the least number open.
        if kept.end(now).is_some_and(|why| why != Closed::Idle) {
            return Err(RecycleError::message("its time has come"));
        }
        // Until it has proved the opposite, whoever leaves in between leaves it lost.
        kept.doomed = Some(Closed::Lost);
        let idle = now.saturating_duration_since(kept.idle_since);
        match timeout(self.limits.recycle, self.driver.lives(&mut kept.connection, idle)).await {
            Ok(true) => {
                kept.doomed = None;
                Ok(())
            }
            Ok(false) => Err(RecycleError::message("it is lost")),
            Err(_) => {
                self.counts.recycle_timeouts.fetch_add(1, Relaxed);
                Err(RecycleError::message("it does not answer"))
            }
        }
    }
}

struct Failure<'a>(Option<&'a AtomicU64>);

impl Drop for Failure<'_> {
    fn drop(&mut self) {
        if let Some(failures) = self.0 {
            failures.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing(Spoilt);

    impl Spoilable for Nothing {
        fn spoilt(&self) -> Option<Closed> {
            self.0.get()
        }
    }

    fn kept(share: f64) -> Kept<Nothing> {
        let secs = Duration::from_secs;
        let now = Instant::now();
        Kept {
            connection: Nothing(Spoilt::default()),
            idle_since: now,
            born: now,
            share,
            doomed: None,
            limits: Limits::new().lifetime(secs(1000)).idle(secs(100)),
            counts: Arc::default(),
        }
    }

    #[test]
    fn it_ends_by_its_own_share_of_its_time() {
        for (share, idle, lifetime) in [(1.0, 100_000, 1_000_000), (0.8, 80_000, 800_000)] {
            let mut kept = kept(share);
            let at = |millis| kept.born + Duration::from_millis(millis);
            let ends = [idle - 1, idle, lifetime - 1, lifetime].map(at);
            assert_eq!(kept.end(ends[0]), None);
            assert_eq!(kept.end(ends[1]), Some(Closed::Idle));
            kept.idle_since = ends[2];
            assert_eq!(kept.end(ends[2]), None);
            assert_eq!(kept.end(ends[3]), Some(Closed::Lifetime));
        }
    }

    #[test]
    fn the_first_reason_stays() {
        let kept = kept(1.0);
        kept.connection.0.set(Closed::Unconfirmed);
        kept.connection.0.set(Closed::Abandoned);
        assert_eq!(kept.end(kept.born), Some(Closed::Unconfirmed));
    }

    #[test]
    fn a_change_hides_no_other_reason() {
        let kept = kept(1.0);
        for why in [Closed::Changed, Closed::Abandoned, Closed::Changed] {
            kept.connection.0.set(why);
        }
        assert_eq!(kept.end(kept.born), Some(Closed::Abandoned));
    }
}
