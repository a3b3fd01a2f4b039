//! How a transaction is begun, and how often.

use std::num::NonZeroU32;

use tokio_postgres::IsolationLevel;

const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

/// How a transaction is begun, and how often it is tried.
///
/// ```
/// use buttress_pool::TxOptions;
/// use std::num::NonZeroU32;
///
/// // The defaults: the server's own level, read and write, three attempts.
/// let plain = TxOptions::new();
/// let strict = TxOptions::serializable().attempts(NonZeroU32::new(5).unwrap());
/// # let _ = (plain, strict);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TxOptions {
    isolation: Option<IsolationLevel>,
    is_read_only: bool,
    pub(super) attempts: NonZeroU32,
}

impl TxOptions {
    /// The server's own level (`READ COMMITTED` unless it is set otherwise), three attempts.
    pub const fn new() -> Self {
        Self { isolation: None, is_read_only: false, attempts: THREE }
    }

    /// `SERIALIZABLE`, as if all transactions ran one after the other: those that cannot, fail with
    /// 40001, and are tried again.
    pub const fn serializable() -> Self {
        Self::new().isolation(IsolationLevel::Serializable)
    }

    /// The isolation level.
    pub const fn isolation(mut self, level: IsolationLevel) -> Self {
        self.isolation = Some(level);
        self
    }

    /// The server refuses every statement that writes.
    pub const fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// How often it is tried, the first attempt among them.
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    pub(super) const fn begin(self) -> &'static str {
        use IsolationLevel::{ReadCommitted, ReadUncommitted, RepeatableRead, Serializable};

        match (self.isolation, self.is_read_only) {
            (Some(Serializable), false) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            (Some(Serializable), true) => "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            (Some(RepeatableRead), false) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            (Some(RepeatableRead), true) => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            // To Postgres these two are one (its manual, "Transaction Isolation").
            (Some(ReadCommitted | ReadUncommitted), false) => {
                "BEGIN ISOLATION LEVEL READ COMMITTED"
            }
            (Some(ReadCommitted | ReadUncommitted), true) => {
                "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY"
            }
            (_, false) => "BEGIN",
            (_, true) => "BEGIN READ ONLY",
        }
    }
}

impl Default for TxOptions {
    fn default() -> Self {
        Self::new()
    }
}
