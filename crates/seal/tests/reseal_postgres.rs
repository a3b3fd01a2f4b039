//! Rotation of a table in a real Postgres, while others write, killed wherever it can be. A child
//! is this very program, told by an environment variable to be the rotation instead.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test is meant to panic, and a rotation tells its test how far it is"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use buttress_seal::{
    Context, Key, KeyRing, Report, Reseal, ResealError, ResealStore, Row, Sealed, context,
    like_pattern,
};
use buttress_testkit::postgres::Server;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, NoTls};

const URL: &str = "RESEAL_TEST_URL";
const DIES_AT: &str = "RESEAL_TEST_DIES_AT";
const BATCH: &str = "RESEAL_TEST_BATCH";

const TABLES: &str = "
    CREATE TABLE api_keys (id bigint PRIMARY KEY, secret text NOT NULL);
    CREATE TABLE checkpoint (is_one boolean PRIMARY KEY, done bigint NOT NULL);
    CREATE TABLE audit (id bigint, who text, before text, after text);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO audit
        VALUES (NEW.id, current_setting('application_name'), OLD.secret, NEW.secret);
        RETURN NEW;
    END $$;
    CREATE TRIGGER audit AFTER UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION audit();
";

fn key(id: &str, byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap().with_id(id).unwrap()
}

/// The ring of a service that has not been told of the new key's turn.
fn before() -> KeyRing {
    KeyRing::new(key("k1", 1)).and_old(key("k2", 2)).unwrap()
}

fn after() -> KeyRing {
    KeyRing::new(key("k2", 2)).and_old(key("k1", 1)).unwrap()
}

fn place(id: i64) -> Context {
    context!("api_keys.secret", id)
}

async fn connect(keywords: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(keywords, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn table_of(server: &Server, rows: i64) -> Client {
    let client = connect(&server.keywords()).await;
    client.batch_execute(TABLES).await.unwrap();
    let ring = before();
    let (mut ids, mut secrets) = (Vec::new(), Vec::new());
    for id in 1..=rows {
        ids.push(id);
        let sealed = ring.seal(&format!("first of {id}"), place(id)).unwrap();
        secrets.push(sealed.into_string());
    }
    let insert = "INSERT INTO api_keys SELECT * FROM unnest($1::bigint[], $2::text[])";
    client.execute(insert, &[&ids, &secrets]).await.unwrap();
    client
}

/// What the rotation sees of the table.
struct Stored {
    client: Client,
    /// Before and after each statement.
    point: u32,
    dies_at: Option<u32>,
}

impl Stored {
    async fn open(keywords: &str, dies_at: Option<u32>) -> Self {
        let client = connect(&format!("{keywords} application_name=rotation")).await;
        Self { client, point: 0, dies_at }
    }

    fn point(&mut self) {
        if self.dies_at == Some(self.point) {
            let kill =
                Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
            panic!("it outlived {kill:?}");
        }
        self.point += 1;
    }

    async fn done(&self) -> Option<i64> {
        let row = self.client.query_opt("SELECT done FROM checkpoint", &[]).await.unwrap();
        row.map(|row| row.get(0))
    }
}

impl ResealStore for Stored {
    type Key = i64;
    type Error = Error;

    async fn fetch(&mut self, after: Option<&i64>, limit: usize) -> Result<Vec<Row<i64>>, Error> {
        const FETCH: &str = "SELECT id, secret FROM api_keys \
             WHERE id > $1 AND secret LIKE $2 ORDER BY id LIMIT $3";
        self.point();
        let after = after.copied().unwrap_or(i64::MIN);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.client.query(FETCH, &[&after, &like_pattern("k1"), &limit]).await?;
        self.point();
        let row = |row: &tokio_postgres::Row| {
            let key = row.get(0);
            Row::new(key, row.get::<_, String>(1), place(key))
        };
        Ok(rows.iter().map(row).collect())
    }

    async fn replace(&mut self, row: &Row<i64>, sealed: &str) -> Result<bool, Error> {
        const REPLACE: &str = "UPDATE api_keys SET secret = $3 WHERE id = $1 AND secret = $2";
        self.point();
        let replaced = self.client.execute(REPLACE, &[&row.key, &row.sealed, &sealed]).await?;
        self.point();
        Ok(replaced == 1)
    }

    async fn checkpoint(&mut self, done: &i64) -> Result<(), Error> {
        const CHECKPOINT: &str = "INSERT INTO checkpoint VALUES (true, $1) \
             ON CONFLICT (is_one) DO UPDATE SET done = $1";
        self.point();
        self.client.execute(CHECKPOINT, &[&done]).await?;
        self.point();
        Ok(())
    }
}

async fn rotate(
    stored: &mut Stored,
    batch: usize,
    tell: impl FnMut(&Report<i64>) + Send,
) -> Result<Report<i64>, ResealError<i64, Error>> {
    let ring = after();
    let mut run = Reseal::new(&ring).batch(batch).on_progress(tell);
    if let Some(done) = stored.done().await {
        run = run.after(done);
    }
    run.run(stored).await
}

/// The child's `main`. Without its variable it is a test of nothing.
#[tokio::test]
async fn rotation() {
    let Ok(url) = std::env::var(URL) else { return };
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u32>().ok());
    let mut stored = Stored::open(&url, number(DIES_AT)).await;
    let batch = usize::try_from(number(BATCH).unwrap()).unwrap();
    let tell = |report: &Report<i64>| println!("@progress {report}");
    let report = rotate(&mut stored, batch, tell).await.unwrap();
    println!("@report {report}");
}

/// The rotation in a process of its own.
struct Rotation {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Rotation {
    fn start(keywords: &str, batch: u32, dies_at: Option<u32>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["rotation", "--exact", "--nocapture", "--test-threads=1"])
            .env(URL, keywords)
            .env(BATCH, batch.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(point) = dies_at {
            command.env(DIES_AT, point.to_string());
        }
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line that it has written for us; `None` when it has ended.
    fn line(&mut self) -> Option<String> {
        // libtest writes its own beginning on the same line.
        self.lines.find_map(|line| line.unwrap().split_once('@').map(|(_, said)| said.to_owned()))
    }

    fn was_killed(mut self) -> bool {
        while self.line().is_some() {}
        self.process.wait().unwrap().signal() == Some(9)
    }
}

/// All that is in the table, opened with the new key alone.
async fn opened(client: &Client) -> BTreeMap<i64, String> {
    let ring = KeyRing::new(key("k2", 2));
    let rows = client.query("SELECT id, secret FROM api_keys", &[]).await.unwrap();
    let open = |row: &tokio_postgres::Row| {
        let id: i64 = row.get(0);
        let sealed = Sealed::<String>::parse(row.get::<_, String>(1)).unwrap();
        (id, ring.open(&sealed, place(id)).unwrap().expose().clone())
    };
    rows.iter().map(open).collect()
}

/// How often the rotation has changed a row. It never changes one that has the new key.
async fn rotated(client: &Client) -> BTreeMap<i64, u64> {
    let query = "SELECT id, before, after FROM audit WHERE who = 'rotation'";
    let mut times = BTreeMap::new();
    for row in client.query(query, &[]).await.unwrap() {
        let (before, after): (String, String) = (row.get(1), row.get(2));
        assert!(before.starts_with("sealed.v1.k1.") && after.starts_with("sealed.v1.k2."));
        *times.entry(row.get(0)).or_default() += 1;
    }
    times
}

#[tokio::test]
async fn killed_before_or_after_any_statement_it_goes_on_where_it_was() {
    const ROWS: i64 = 7;
    let server = Server::start().await.unwrap();
    let client = table_of(&server, ROWS).await;
    let first: Vec<String> = {
        let rows = client.query("SELECT secret FROM api_keys ORDER BY id", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    for point in 0.. {
        let killed = Rotation::start(&server.keywords(), 3, Some(point)).was_killed();
        let done: Option<i64> = {
            let row = client.query_opt("SELECT done FROM checkpoint", &[]).await.unwrap();
            row.map(|row| row.get(0))
        };
        // What the checkpoint says is done is done.
        for (id, times) in rotated(&client).await {
            assert_eq!(times, 1, "{id} at {point}");
        }
        let stale = "SELECT count(*) FROM api_keys WHERE secret LIKE $1 AND id <= $2";
        let stale = client.query_one(stale, &[&like_pattern("k1"), &done.unwrap_or(0)]).await;
        assert_eq!(stale.unwrap().get::<_, i64>(0), 0, "at {point}");

        let mut rest = Rotation::start(&server.keywords(), 3, None);
        let report = std::iter::from_fn(|| rest.line()).last().unwrap();
        assert!(report.starts_with("report "), "{report}");
        let all = opened(&client).await;
        assert_eq!(all.len(), 7);
        assert!(all.iter().all(|(id, value)| *value == format!("first of {id}")), "at {point}");
        let times = rotated(&client).await;
        assert_eq!(times.len(), 7);
        assert!(times.values().all(|times| *times == 1), "at {point}: {times:?}");
        if !killed {
            // Three fetches, seven rows, three checkpoints, and the fetch that found the end.
            assert_eq!(point, 2 * (3 + 7 + 3 + 1));
            return;
        }

        client.batch_execute("TRUNCATE checkpoint").await.unwrap();
        let ids: Vec<i64> = (1..=ROWS).collect();
        let undo = "UPDATE api_keys SET secret = old.secret \
             FROM unnest($1::bigint[], $2::text[]) AS old (id, secret) WHERE api_keys.id = old.id";
        client.execute(undo, &[&ids, &first]).await.unwrap();
        client.batch_execute("TRUNCATE audit").await.unwrap();
    }
}

/// Writes to rows that are its own until it is told to stop, and answers what they hold then.
fn writer(
    server: &Server,
    ring: KeyRing,
    ids: Vec<i64>,
    stop: Arc<AtomicBool>,
) -> JoinHandle<BTreeMap<i64, Option<String>>> {
    let keywords = server.keywords();
    tokio::spawn(async move {
        let client = connect(&format!("{keywords} application_name=writer")).await;
        let mut held = BTreeMap::new();
        for round in 0.. {
            for id in &ids {
                if stop.load(SeqCst) {
                    return held;
                }
                // Every seventh row is taken away, and comes back in the next round.
                if (id + round) % 7 == 0 {
                    client.execute("DELETE FROM api_keys WHERE id = $1", &[id]).await.unwrap();
                    held.insert(*id, None);
                    continue;
                }
                let value = format!("round {round} of {id}");
                let sealed = ring.seal(&value, place(*id)).unwrap().into_string();
                let put = "INSERT INTO api_keys VALUES ($1, $2) \
                     ON CONFLICT (id) DO UPDATE SET secret = $2";
                client.execute(put, &[id, &sealed]).await.unwrap();
                held.insert(*id, Some(value));
            }
        }
        held
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_others_write_and_it_is_killed_nothing_is_lost_or_sealed_twice() {
    const ROWS: i64 = 2_000;
    let server = Server::start().await.unwrap();
    let client = table_of(&server, ROWS).await;
    let mut expected: BTreeMap<i64, Option<String>> =
        (1..=ROWS).map(|id| (id, Some(format!("first of {id}")))).collect();

    // Two services have the new key as their primary, and one has not been told yet. Each writes
    // to rows of its own, and nobody to most of the table.
    let stop = Arc::new(AtomicBool::new(false));
    let rows_of = |writer: i64| (1..=ROWS).filter(|id| id % 10 == writer).collect();
    let writers = [
        writer(&server, after(), rows_of(1), Arc::clone(&stop)),
        writer(&server, after(), rows_of(2), Arc::clone(&stop)),
        writer(&server, before(), rows_of(3), Arc::clone(&stop)),
    ];
    let keywords = server.keywords();
    let kills = tokio::task::spawn_blocking(move || {
        for point in [7, 150, 311, 420, 555] {
            assert!(Rotation::start(&keywords, 50, Some(point)).was_killed());
        }
    });
    kills.await.unwrap();
    let done = client.query_one("SELECT done FROM checkpoint", &[]).await.unwrap();
    let done: i64 = done.get(0);
    // A batch is 104 points: so they had done twelve of them.
    assert!((12 * 50..ROWS).contains(&done), "{done}");

    let keywords = server.keywords();
    let last = tokio::task::spawn_blocking(move || {
        let mut rest = Rotation::start(&keywords, 50, None);
        let lines: Vec<String> = std::iter::from_fn(|| rest.line()).collect();
        lines
    });
    let lines = last.await.unwrap();
    assert!(lines.iter().any(|line| line.starts_with("progress ")), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("report "), "{lines:?}");

    stop.store(true, SeqCst);
    for writer in writers {
        expected.extend(writer.await.unwrap());
    }
    // Now all have the new key, and it is run over the whole table once more.
    client.batch_execute("TRUNCATE checkpoint").await.unwrap();
    let mut stored = Stored::open(&server.keywords(), None).await;
    let report = rotate(&mut stored, 500, |_| ()).await.unwrap();
    assert!(report.is_complete(), "{report}");
    let report = Reseal::new(&after()).run(&mut stored).await.unwrap();
    assert_eq!(report.seen(), 0, "{report}");

    let held: BTreeMap<i64, String> =
        expected.into_iter().filter_map(|(id, value)| Some((id, value?))).collect();
    assert!(opened(&client).await == held);
    // A row to which nobody else wrote was changed once.
    let times = rotated(&client).await;
    let alone = (1..=ROWS).filter(|id| !(1..=3).contains(&(id % 10)));
    assert!(alone.map(|id| times[&id]).all(|times| times == 1));
}

#[tokio::test]
async fn a_dry_run_changes_no_row_and_tells_its_progress() {
    let server = Server::start().await.unwrap();
    let client = table_of(&server, 100).await;
    let bad = before().seal("of another", place(8)).unwrap().into_string();
    client.execute("UPDATE api_keys SET secret = $1 WHERE id = 7", &[&bad]).await.unwrap();
    let sum = async || -> String {
        let query = "SELECT md5(string_agg(secret, ',' ORDER BY id)) FROM api_keys";
        client.query_one(query, &[]).await.unwrap().get(0)
    };
    let before = sum().await;
    let mut stored = Stored::open(&server.keywords(), None).await;
    let mut told = Vec::new();
    let ring = after();
    let run = Reseal::new(&ring).dry_run().batch(40).on_progress(|report| told.push(report.seen()));
    let report = run.run(&mut stored).await.unwrap();
    assert_eq!((report.resealed(), report.failed(), report.failures()[0].0), (99, 1, 7));
    assert_eq!(told, [40, 80, 100]);
    assert_eq!(sum().await, before);
    assert!(rotated(&client).await.is_empty());
    assert_eq!(stored.done().await, None);
}

#[tokio::test]
async fn a_server_that_dies_ends_the_run_and_the_next_one_finishes_it() {
    let mut server = Server::start().await.unwrap();
    drop(table_of(&server, 300).await);
    let mut stored = Stored::open(&server.keywords(), None).await;
    let kill = |report: &Report<i64>| {
        if report.seen() == 100 {
            server.kill().unwrap();
        }
    };
    let error = rotate(&mut stored, 50, kill).await.unwrap_err();
    assert_eq!((error.report().seen(), error.report().done()), (100, Some(&100)));
    server.restart().await.unwrap();

    let mut stored = Stored::open(&server.keywords(), None).await;
    let report = rotate(&mut stored, 50, |_| ()).await.unwrap();
    assert_eq!((report.seen(), report.resealed()), (200, 200));
    let client = connect(&server.keywords()).await;
    assert_eq!(opened(&client).await.len(), 300);
    assert!(rotated(&client).await.values().all(|times| *times == 1));
}
