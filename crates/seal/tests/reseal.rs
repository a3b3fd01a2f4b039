//! Rotation of a table, killed anywhere.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use buttress_seal::{
    Context, Key, KeyRing, Reseal, ResealStore, Row, SealErrorKind, Sealed, context, like_pattern,
};
use futures_util::FutureExt;
use tokio::task::yield_now;

/// A table that several may use at once, and that can fail. Each call waits a moment, as a real
/// one would.
#[derive(Clone, Default)]
struct Table {
    rows: Arc<Mutex<BTreeMap<i64, String>>>,
    checkpoint: Arc<Mutex<Option<i64>>>,
    replaced: Arc<Mutex<Vec<i64>>>,
    /// How many calls succeed.
    calls_left: Arc<Mutex<Option<u32>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Down;

impl Table {
    async fn call(&self) -> Result<(), Down> {
        yield_now().await;
        match &mut *self.calls_left.lock().unwrap() {
            Some(0) => Err(Down),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn get(&self, id: i64) -> String {
        self.rows.lock().unwrap()[&id].clone()
    }
}

fn place(id: i64) -> Context {
    context!("api_keys.secret", id)
}

impl ResealStore for Table {
    type Key = i64;
    type Error = Down;

    async fn fetch(&mut self, after: Option<&i64>, limit: usize) -> Result<Vec<Row<i64>>, Down> {
        self.call().await?;
        let rows = self.rows.lock().unwrap();
        let rows = rows.range(after.map_or(i64::MIN, |id| id + 1)..).take(limit);
        let row = |(id, sealed): (&i64, &String)| Row::new(*id, sealed.as_str(), place(*id));
        Ok(rows.map(row).collect())
    }

    async fn replace(&mut self, row: &Row<i64>, sealed: &str) -> Result<bool, Down> {
        self.call().await?;
        let mut rows = self.rows.lock().unwrap();
        let Some(held) = rows.get_mut(&row.key).filter(|held| **held == row.sealed) else {
            return Ok(false);
        };
        sealed.clone_into(held);
        self.replaced.lock().unwrap().push(row.key);
        Ok(true)
    }

    async fn checkpoint(&mut self, done: &i64) -> Result<(), Down> {
        self.call().await?;
        *self.checkpoint.lock().unwrap() = Some(*done);
        Ok(())
    }
}

fn key(id: &str, byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap().with_id(id).unwrap()
}

fn old() -> KeyRing {
    KeyRing::new(key("k1", 1))
}

fn new() -> KeyRing {
    KeyRing::new(key("k2", 2)).and_old(key("k1", 1)).unwrap()
}

fn table(rows: i64) -> Table {
    let table = Table::default();
    for id in 1..=rows {
        let sealed = old().seal(&format!("secret {id}"), place(id)).unwrap();
        table.rows.lock().unwrap().insert(id, sealed.into_string());
    }
    table
}

/// All rows open with the new key alone, as what they were.
fn assert_resealed(table: &Table, rows: i64) {
    let new = KeyRing::new(key("k2", 2));
    for id in 1..=rows {
        let sealed = Sealed::<String>::parse(table.get(id)).unwrap();
        assert_eq!(new.open(&sealed, place(id)).unwrap().expose(), &format!("secret {id}"));
    }
}

#[tokio::test]
async fn all_rows_are_resealed_once_in_batches_and_progress_is_told() {
    let mut table = table(25);
    let mut told = Vec::new();
    let new = new();
    let report = Reseal::new(&new)
        .batch(10)
        .on_progress(|report| told.push((report.seen(), *report.done().unwrap())))
        .run(&mut table)
        .await
        .unwrap();
    assert_eq!((report.seen(), report.resealed(), report.current()), (25, 25, 0));
    assert!(report.is_complete());
    assert_eq!(told, [(10, 10), (20, 20), (25, 25)]);
    assert_eq!(*table.checkpoint.lock().unwrap(), Some(25));
    assert_resealed(&table, 25);
    let before = table.rows.lock().unwrap().clone();

    let report = Reseal::new(&new).run(&mut table).await.unwrap();
    assert_eq!((report.seen(), report.resealed(), report.current()), (25, 0, 25));
    assert_eq!(*table.rows.lock().unwrap(), before);
    assert_eq!(report.to_string(), "25 seen, 0 resealed, 25 current, 0 overtaken, 0 failed");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_tells_what_would_fail() {
    let mut table = table(5);
    table.rows.lock().unwrap().insert(3, old().seal("other", place(4)).unwrap().into_string());
    let before = table.rows.lock().unwrap().clone();
    let report = Reseal::new(&new()).dry_run().run(&mut table).await.unwrap();
    assert!(report.is_dry_run() && !report.is_complete());
    assert_eq!((report.seen(), report.resealed(), report.failed()), (5, 4, 1));
    assert_eq!(report.failures()[0].0, 3);
    assert_eq!(report.failures()[0].1.kind(), SealErrorKind::Authentication);
    assert_eq!(*table.rows.lock().unwrap(), before);
    assert_eq!(*table.checkpoint.lock().unwrap(), None);
    assert_eq!(report.to_string(), "5 seen, 4 to reseal, 0 current, 0 overtaken, 1 failed");

    // A value of the present key that does not open is found by a dry run as well.
    let mut table = Table::default();
    table.rows.lock().unwrap().insert(1, new().seal("x", place(2)).unwrap().into_string());
    let report = Reseal::new(&new()).dry_run().run(&mut table).await.unwrap();
    assert_eq!((report.current(), report.failed()), (0, 1));
}

#[tokio::test]
async fn what_does_not_open_is_left_as_it_is_and_stops_nothing() {
    let mut table = table(200);
    let bad = [
        (7, "hunter2".to_owned()),
        (8, "sealed.v1.k1.AAAA".to_owned()),
        (9, "sealed.v1.k2.AAAA".to_owned()),
        (10, KeyRing::new(key("k9", 9)).seal("x", place(10)).unwrap().into_string()),
    ];
    table.rows.lock().unwrap().extend(bad.clone());
    let report = Reseal::new(&new()).batch(7).run(&mut table).await.unwrap();
    assert_eq!((report.seen(), report.resealed(), report.failed()), (200, 196, 4));
    assert!(!report.is_complete());
    let kinds: Vec<_> = report.failures().iter().map(|(_, error)| error.kind()).collect();
    let expected = [
        SealErrorKind::NotSealed,
        SealErrorKind::Truncated,
        SealErrorKind::Truncated,
        SealErrorKind::UnknownKeyId,
    ];
    assert_eq!(kinds, expected);
    for (id, text) in bad {
        assert_eq!(table.get(id), text);
    }
    // A table of nothing else: the report names some of them.
    let mut hopeless = Table::default();
    hopeless.rows.lock().unwrap().extend((0..1_000).map(|id| (id, "hunter2".to_owned())));
    let report = Reseal::new(&new()).run(&mut hopeless).await.unwrap();
    assert_eq!((report.failed(), report.failures().len()), (1_000, 100));
}

#[tokio::test]
async fn stopped_at_any_call_it_goes_on_from_its_checkpoint() {
    for calls in 0..32 {
        let mut table = table(12);
        *table.calls_left.lock().unwrap() = Some(calls);
        let stopped = Reseal::new(&new()).batch(5).run(&mut table).await;
        *table.calls_left.lock().unwrap() = None;
        if let Err(error) = &stopped {
            assert_eq!(error.report().done().copied(), *table.checkpoint.lock().unwrap());
        }
        let done = *table.checkpoint.lock().unwrap();
        let new = new();
        let mut rest = Reseal::new(&new).batch(5);
        if let Some(done) = done {
            rest = rest.after(done);
        }
        let report = rest.run(&mut table).await.unwrap();
        assert_eq!(report.seen(), 12 - done.unwrap_or(0).unsigned_abs());
        assert_resealed(&table, 12);
        let mut replaced = table.replaced.lock().unwrap().clone();
        replaced.sort_unstable();
        assert_eq!(replaced, (1..=12).collect::<Vec<_>>(), "{calls}: once each");
    }
}

#[tokio::test]
async fn dropped_at_any_point_it_can_be_run_again() {
    for polls in 0..32 {
        let mut table = table(12);
        {
            let new = new();
            let mut run = Box::pin(Reseal::new(&new).batch(5).run(&mut table));
            for _ in 0..polls {
                if (&mut run).now_or_never().is_some() {
                    break;
                }
            }
        }
        Reseal::new(&new()).run(&mut table).await.unwrap();
        assert_resealed(&table, 12);
        let mut replaced = table.replaced.lock().unwrap().clone();
        replaced.sort_unstable();
        assert_eq!(replaced, (1..=12).collect::<Vec<_>>(), "{polls}: once each");
    }
}

#[tokio::test]
async fn a_writer_that_comes_between_wins() {
    let mut table = table(50);
    let writers = table.clone();
    let new = new();
    let write = async {
        for id in 1..=50 {
            let sealed = new.seal("written", place(id)).unwrap();
            writers.rows.lock().unwrap().insert(id, sealed.into_string());
            yield_now().await;
        }
    };
    // One batch: all is read before anything is written.
    let (report, ()) = tokio::join!(Reseal::new(&new).batch(100).run(&mut table), write);
    let report = report.unwrap();
    assert!(report.overtaken() > 0, "{report}");
    assert_eq!(report.overtaken() + report.resealed() + report.current(), 50);
    for id in 1..=50 {
        let sealed = Sealed::<String>::parse(table.get(id)).unwrap();
        assert_eq!(new.open(&sealed, place(id)).unwrap().expose(), "written");
    }
}

#[test]
fn the_pattern_of_a_key_matches_its_values_alone() {
    // As LIKE has it: `%` any run, `_` any one character, `\` the next as it is.
    fn like(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'%', rest @ ..], _) => (0..=text.len()).any(|at| like(rest, &text[at..])),
            ([b'_', rest @ ..], [_, text @ ..]) => like(rest, text),
            ([b'\\', one, rest @ ..], [first, text @ ..])
            | ([one, rest @ ..], [first, text @ ..]) => one == first && like(rest, text),
            _ => false,
        }
    }
    for id in ["k1", "k_1", "k-1", "__"] {
        let pattern = like_pattern(id);
        for other in ["k1", "k_1", "k-1", "__", "kx1", "ab", "k1x"] {
            let value = KeyRing::new(key(other, 1)).seal("x", place(1)).unwrap();
            let matches = like(pattern.as_bytes(), value.as_str().as_bytes());
            assert_eq!(matches, id == other, "{pattern} {other}");
        }
    }
}

#[test]
fn a_run_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let new = new();
    let mut table = table(0);
    is_send(Reseal::new(&new).on_progress(|_| ()).run(&mut table));
}

#[test]
fn a_row_shows_nothing_of_what_it_holds() {
    let print = |held: &str| format!("{0:?} {0:#?}", Row::new(7, held, place(7)));
    assert_eq!(print("hunter2"), print("another, not yet sealed"));
    assert!(!print("hunter2").contains("hunter2"));
}

#[tokio::test]
async fn a_run_that_was_resumed_does_not_say_that_the_old_key_may_go() {
    let mut table = table(10);
    // Behind the run's back, when the first batch is done, a writer still seals with the old key.
    *table.calls_left.lock().unwrap() = Some(7);
    let new = new();
    let stopped = Reseal::new(&new).batch(5).run(&mut table).await.unwrap_err();
    assert_eq!(stopped.report().done(), Some(&5));
    *table.calls_left.lock().unwrap() = None;
    let late = old().seal("written late", place(2)).unwrap().into_string();
    table.rows.lock().unwrap().insert(2, late);

    let report = Reseal::new(&new).after(5).run(&mut table).await.unwrap();
    assert_eq!((report.seen(), report.resealed(), report.failed()), (5, 5, 0));
    assert!(!report.is_complete());
    let report = Reseal::new(&new).run(&mut table).await.unwrap();
    assert_eq!((report.resealed(), report.current()), (1, 9));
    assert!(report.is_complete());
}
