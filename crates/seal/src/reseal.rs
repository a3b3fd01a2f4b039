//! Rotation of what is stored: in batches, while others read and write.

use std::{error::Error, fmt, future::Future};

use crate::{
    context::{Context, Purpose},
    error::{SealError, SealErrorKind},
    ring::KeyRing,
};

/// Where sealed values are stored: a table with an order, such as that of its primary key.
///
/// ```sql
/// -- fetch: the next rows in order, perhaps only those of the old key (`like_pattern("k1")`)
/// SELECT id, secret FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2;
/// -- replace: only what is still as it was read
/// UPDATE api_keys SET secret = $3 WHERE id = $1 AND secret = $2;
/// ```
pub trait ResealStore {
    /// What tells a row from all others, and where it stands in the order.
    type Key: Clone + Send + Sync;
    /// Why the store did not do it.
    type Error: Send;

    /// The next rows after this one, in order, so many at most; from the first where there is
    /// none. No rows at all is the end: so rows that were fetched before must not come again, or a
    /// row that does not open keeps the run going for ever.
    fn fetch(
        &mut self,
        after: Option<&Self::Key>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Row<Self::Key>>, Self::Error>> + Send;

    /// Puts `sealed` in the place of what the row held when it was fetched, in one step, and
    /// answers whether it did: `false` where somebody has changed or removed it since.
    fn replace(
        &mut self,
        row: &Row<Self::Key>,
        sealed: &str,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Keeps how far it got: all rows up to this one are done. Where the run is killed, the next
    /// one to the same key may begin [`after`](Reseal::after) it; one to another key would skip
    /// rows. By default nothing is kept, and the next run looks at all rows again; what is done
    /// stays done.
    fn checkpoint(
        &mut self,
        done: &Self::Key,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = done;
        std::future::ready(Ok(()))
    }
}

/// One stored value. `Debug` shows its key and place; what it holds may be plain text, where a
/// table is not sealed yet.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row<K> {
    /// Which one.
    pub key: K,
    /// What it holds.
    pub sealed: String,
    /// Where it was sealed for.
    pub context: Context,
}

impl<K> Row<K> {
    /// A row as it was fetched.
    pub fn new(key: K, sealed: impl Into<String>, context: Context) -> Self {
        Self { key, sealed: sealed.into(), context }
    }
}

impl<K: fmt::Debug> fmt::Debug for Row<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("key", &self.key)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Seals all that is stored with the ring's primary key.
///
/// It goes through the rows in order, batch by batch. A row that another key has sealed is opened,
/// sealed anew, and put back if nobody has changed it since: so a writer's new value is never
/// overwritten, and nothing is sealed twice. It may be killed at any point and run again. A row
/// that does not open is left as it is, reported, and stops nothing.
///
/// Let all writers have the new key first, or run it again when they have: a writer that still
/// seals with the old key behind its back is the one thing that it cannot see.
///
/// ```
/// use buttress_seal::{Key, KeyRing, Reseal, ResealStore, Row, context};
/// # use std::{collections::BTreeMap, convert::Infallible};
///
/// struct Table(BTreeMap<i64, String>);
///
/// impl ResealStore for Table {
///     type Key = i64;
///     type Error = Infallible;
///
///     async fn fetch(&mut self, after: Option<&i64>, limit: usize) -> Result<Vec<Row<i64>>, Infallible> {
///         let rows = self.0.range(after.map_or(0, |id| id + 1)..).take(limit);
///         let row = |(id, sealed): (&i64, &String)| {
///             Row::new(*id, sealed.as_str(), context!("api_keys.secret", id))
///         };
///         Ok(rows.map(row).collect())
///     }
///
///     async fn replace(&mut self, row: &Row<i64>, sealed: &str) -> Result<bool, Infallible> {
///         let held = self.0.get_mut(&row.key).filter(|held| **held == row.sealed);
///         Ok(held.map(|held| *held = sealed.to_owned()).is_some())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let old = Key::generate()?;
/// # let text = old.to_text();
/// # let sealed = KeyRing::new(old).seal("hunter2", context!("api_keys.secret", 7))?;
/// # let old_key = Key::parse(text.expose())?;
/// # let mut table = Table(BTreeMap::from([(7, sealed.into_string())]));
/// let ring = KeyRing::new(Key::generate()?).and_old(old_key)?;
/// let report = Reseal::new(&ring).run(&mut table).await?;
/// assert_eq!((report.seen(), report.resealed(), report.failed()), (1, 1, 0));
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it is run"]
pub struct Reseal<'a, K> {
    ring: &'a KeyRing,
    batch: usize,
    is_dry: bool,
    after: Option<K>,
    on_progress: Option<Teller<'a, K>>,
}

type Teller<'a, K> = Box<dyn FnMut(&Report<K>) + Send + 'a>;

/// Rows in a batch, if nothing else is said.
const BATCH: usize = 500;
/// The most failed rows that a report names.
const MAX_NAMED: usize = 100;

impl<'a, K: Clone> Reseal<'a, K> {
    /// With the keys of this ring.
    pub fn new(ring: &'a KeyRing) -> Self {
        Self { ring, batch: BATCH, is_dry: false, after: None, on_progress: None }
    }

    /// How many rows are fetched at once: 500, if nothing else is said. Zero is one.
    pub fn batch(self, rows: usize) -> Self {
        Self { batch: rows.max(1), ..self }
    }

    /// Opens everything and changes nothing: tells beforehand which rows would fail.
    pub fn dry_run(self) -> Self {
        Self { is_dry: true, ..self }
    }

    /// Begins behind this row, where a run before has left its checkpoint. It sees nothing of what
    /// that run has left undone, and so its report [is never complete](Report::is_complete).
    pub fn after(self, done: K) -> Self {
        Self { after: Some(done), ..self }
    }

    /// Tells of each batch when it is done.
    pub fn on_progress(self, tell: impl FnMut(&Report<K>) + Send + 'a) -> Self {
        Self { on_progress: Some(Box::new(tell)), ..self }
    }

    /// Goes through all rows. Dropped, it stops between two rows at the latest, and may be run
    /// again.
    ///
    /// # Errors
    /// Those of the store, with the report until then.
    pub async fn run<S>(mut self, store: &mut S) -> Result<Report<K>, ResealError<K, S::Error>>
    where
        S: ResealStore<Key = K>,
    {
        let task = Task { ring: self.ring, is_dry: self.is_dry };
        let mut report = Report::new(self.is_dry, self.after.take());
        loop {
            let rows = match store.fetch(report.done.as_ref(), self.batch).await {
                Ok(rows) => rows,
                Err(error) => return Err(ResealError { report, error }),
            };
            let Some(last) = rows.last().map(|row| row.key.clone()) else { return Ok(report) };
            for row in &rows {
                if let Err(error) = task.row(store, row, &mut report).await {
                    return Err(ResealError { report, error });
                }
            }
            if !self.is_dry
                && let Err(error) = store.checkpoint(&last).await
            {
                return Err(ResealError { report, error });
            }
            report.done = Some(last);
            if let Some(tell) = &mut self.on_progress {
                tell(&report);
            }
        }
    }
}

/// What the future holds on to: the progress's teller is not `Sync`.
#[derive(Clone, Copy)]
struct Task<'a> {
    ring: &'a KeyRing,
    is_dry: bool,
}

impl Task<'_> {
    async fn row<S: ResealStore>(
        self,
        store: &mut S,
        row: &Row<S::Key>,
        report: &mut Report<S::Key>,
    ) -> Result<(), S::Error> {
        report.seen += 1;
        let again = match self.again(row) {
            Ok(Some(again)) => again,
            Ok(None) => {
                report.current += 1;
                return Ok(());
            }
            Err(error) => {
                report.failed += 1;
                if report.failures.len() < MAX_NAMED {
                    report.failures.push((row.key.clone(), error));
                }
                return Ok(());
            }
        };
        if self.is_dry || store.replace(row, &again).await? {
            report.resealed += 1;
        } else {
            report.overtaken += 1;
        }
        Ok(())
    }

    /// What the row should hold, if that is not what it holds.
    fn again<K>(self, row: &Row<K>) -> Result<Option<String>, SealError> {
        let context = row.context.as_bytes();
        if !self.ring.is_stale(&row.sealed) {
            // By its own word; a dry run looks.
            return match crate::is_sealed(&row.sealed) {
                true if self.is_dry => {
                    self.ring.open_text(&row.sealed, Purpose::Secret, context).map(|_| None)
                }
                true => Ok(None),
                false => Err(crate::envelope::check(&row.sealed)
                    .err()
                    .unwrap_or_else(|| SealErrorKind::NotSealed.into())),
            };
        }
        let plain = self.ring.open_text(&row.sealed, Purpose::Secret, context)?;
        self.ring.seal_text(&plain, Purpose::Secret, context).map(Some)
    }
}

/// What a run has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<K> {
    is_dry: bool,
    is_rest: bool,
    seen: u64,
    resealed: u64,
    current: u64,
    overtaken: u64,
    failed: u64,
    failures: Vec<(K, SealError)>,
    done: Option<K>,
}

impl<K> Report<K> {
    const fn new(is_dry: bool, done: Option<K>) -> Self {
        Self {
            is_dry,
            is_rest: done.is_some(),
            seen: 0,
            resealed: 0,
            current: 0,
            overtaken: 0,
            failed: 0,
            failures: Vec::new(),
            done,
        }
    }

    /// Whether nothing was changed.
    #[must_use]
    pub const fn is_dry_run(&self) -> bool {
        self.is_dry
    }

    /// All rows that were looked at: those that follow, together.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Rows that are now sealed with the primary key; in a dry run, that would be.
    #[must_use]
    pub const fn resealed(&self) -> u64 {
        self.resealed
    }

    /// Rows that were already.
    #[must_use]
    pub const fn current(&self) -> u64 {
        self.current
    }

    /// Rows that somebody has changed meanwhile. Where a writer still seals with the old key, run
    /// it again.
    #[must_use]
    pub const fn overtaken(&self) -> u64 {
        self.overtaken
    }

    /// Rows that do not open, left as they were.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// The first 100 of them, and why.
    #[must_use]
    pub fn failures(&self) -> &[(K, SealError)] {
        &self.failures
    }

    /// The last row of the last batch that was done.
    #[must_use]
    pub const fn done(&self) -> Option<&K> {
        self.done.as_ref()
    }

    /// Whether the old keys may go: nothing was overtaken, nothing failed, it was no dry run, and
    /// it began with the first row. After a run that was resumed, run it once more over all: rows
    /// that are current cost no cryptography.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.is_dry && !self.is_rest && self.overtaken == 0 && self.failed == 0
    }
}

impl<K> fmt::Display for Report<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.is_dry { "to reseal" } else { "resealed" };
        let Self { seen, resealed, current, overtaken, failed, .. } = self;
        write!(
            f,
            "{seen} seen, {resealed} {verb}, {current} current, {overtaken} overtaken, {failed} failed"
        )
    }
}

/// A store that failed, and how far the run had come.
#[derive(Clone, Debug)]
pub struct ResealError<K, E> {
    report: Report<K>,
    error: E,
}

impl<K, E> ResealError<K, E> {
    /// What was done until then.
    pub const fn report(&self) -> &Report<K> {
        &self.report
    }

    /// The store's own error.
    pub fn into_inner(self) -> E {
        self.error
    }
}

impl<K, E: fmt::Display> fmt::Display for ResealError<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store failed after {}: {}", self.report, self.error)
    }
}

impl<K: fmt::Debug, E: Error + 'static> Error for ResealError<K, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl<K: fmt::Debug> fmt::Debug for Reseal<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reseal")
            .field("primary", &self.ring.primary_id())
            .field("batch", &self.batch)
            .field("is_dry", &self.is_dry)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
