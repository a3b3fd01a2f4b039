//! How large a pool is, and how long anything in it may take.

use std::time::Duration;

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// The most connections of one pool. A Postgres server with as many would not work.
const MOST: usize = 10_000;
const DAY: Duration = Duration::from_secs(86_400);

/// How large a pool is, and how long anything in it may take. There is no way to wait for ever.
///
/// | | default | |
/// |---|---|---|
/// | [`size`](Self::size) | 10 | connections at most, of 1 to 10,000 |
/// | [`min_idle`](Self::min_idle) | 0 | connections that are kept open, at most `size` |
/// | [`wait`](Self::wait) | 5 s | for a connection to be given back |
/// | [`create`](Self::create) | 5 s | for a new connection, from the name's look-up to the login |
/// | [`recycle`](Self::recycle) | 2 s | for an old connection to prove that it lives |
/// | [`lifetime`](Self::lifetime) | 30 min | of a connection; each lives between 80 % and 100 % of it |
/// | [`idle`](Self::idle) | 10 min | that a connection may lie unused, with the same jitter |
/// | [`long_use`](Self::long_use) | 60 s | after which one that is out is warned of |
///
/// Each time is from 1 ms to a day, and checked when the pool is made.
///
/// ```
/// use buttress_pool::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::new().size(20).min_idle(2).wait(Duration::from_millis(500));
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(crate) size: usize,
    pub(crate) min_idle: usize,
    pub(crate) wait: Duration,
    pub(crate) create: Duration,
    pub(crate) recycle: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) idle: Duration,
    pub(crate) long_use: Duration,
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            size: 10,
            min_idle: 0,
            wait: Duration::from_secs(5),
            create: Duration::from_secs(5),
            recycle: Duration::from_secs(2),
            lifetime: Duration::from_secs(30 * 60),
            idle: Duration::from_secs(10 * 60),
            long_use: Duration::from_secs(60),
        }
    }

    /// The most connections.
    pub const fn size(mut self, connections: usize) -> Self {
        self.size = connections;
        self
    }

    /// How many connections are kept open though nobody needs them: by
    /// `connect_with_retry` from the start, and by the pool's upkeep from then on.
    pub const fn min_idle(mut self, connections: usize) -> Self {
        self.min_idle = connections;
        self
    }

    /// How long to wait for a connection when all are out.
    pub const fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// How long a new connection may take.
    pub const fn create(mut self, time: Duration) -> Self {
        self.create = time;
        self
    }

    /// How long an idle connection may take to prove that it lives; then it is closed, and another
    /// one is taken or made.
    pub const fn recycle(mut self, time: Duration) -> Self {
        self.recycle = time;
        self
    }

    /// How old a connection may become. Each has its own share of it, from 80 % to 100 %, so that
    /// those that were made together do not end together.
    pub const fn lifetime(mut self, time: Duration) -> Self {
        self.lifetime = time;
        self
    }

    /// How long a connection may lie unused, by the same share.
    pub const fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// After how long a connection that has not come back is warned of.
    pub const fn long_use(mut self, time: Duration) -> Self {
        self.long_use = time;
        self
    }

    #[cfg_attr(
        not(any(feature = "postgres", feature = "redis", test)),
        expect(dead_code, reason = "there is no pool then")
    )]
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let Self { size, min_idle, .. } = self;
        if !(1..=MOST).contains(&size) {
            let message = format!("a pool has 1 to {MOST} connections, not {size}");
            return Err(ConfigError::new(Kind::Size, message));
        }
        if min_idle > size {
            let message = format!("{min_idle} idle connections do not fit into a pool of {size}");
            return Err(ConfigError::new(Kind::Size, message));
        }
        let times = [
            ("wait", self.wait),
            ("create", self.create),
            ("recycle", self.recycle),
            ("lifetime", self.lifetime),
            ("idle", self.idle),
            ("long use", self.long_use),
        ];
        for (what, time) in times {
            check_time(what, time)?;
        }
        Ok(self)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn check_time(what: &str, time: Duration) -> Result<(), ConfigError> {
    if (Duration::from_millis(1)..=DAY).contains(&time) {
        return Ok(());
    }
    Err(ConfigError::new(Kind::Time, format!("{what}: from 1 ms to a day, not {time:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right() {
        let secs = Duration::from_secs;
        let limits = Limits::new().checked().unwrap();
        assert_eq!(limits, Limits::default());
        let waits = [limits.wait, limits.create, limits.recycle, limits.long_use];
        assert_eq!(waits, [5, 5, 2, 60].map(secs));
        assert_eq!([limits.lifetime, limits.idle], [30 * 60, 10 * 60].map(secs));
        assert_eq!((limits.size, limits.min_idle), (10, 0));
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let ms = Duration::from_millis;
        let wrong = [
            (Limits::new().size(0), Kind::Size),
            (Limits::new().size(MOST + 1), Kind::Size),
            (Limits::new().size(3).min_idle(4), Kind::Size),
            (Limits::new().wait(ms(0)), Kind::Time),
            (Limits::new().create(Duration::MAX), Kind::Time),
            (Limits::new().recycle(ms(0)), Kind::Time),
            (Limits::new().lifetime(DAY + ms(1)), Kind::Time),
            (Limits::new().idle(ms(0)), Kind::Time),
            (Limits::new().long_use(ms(0)), Kind::Time),
        ];
        for (limits, kind) in wrong {
            assert_eq!(limits.checked().unwrap_err().kind(), kind, "{limits:?}");
        }
    }
}
