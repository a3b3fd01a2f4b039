//! Pools of connections to a real server, beside deadpool alone, which is inside of ours: what one
//! lease, one statement and one transaction take of the client.

use std::{
    fs, io,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use buttress::pool::{
    Backoff, Limits, PgError, Postgres, Redis, TxOptions,
    deadpool_postgres::{self, Manager, ManagerConfig, RecyclingMethod, tokio_postgres::NoTls},
    deadpool_redis, with_transaction,
};
use buttress_testkit::{postgres, redis as redis_server};
use deadpool::managed::QueueMode;
use redis::AsyncCommands;
use tokio::task::JoinSet;

use crate::{Failure, table::Table, times::median};

/// Turns of each, one after the other.
const ROUNDS: usize = 9;
const TURN: Duration = Duration::from_millis(300);
/// Connections of each pool.
const SIZE: usize = 8;
/// How many want one at the same time: the one, and more than there are connections.
const AT_ONCE: [u32; 2] = [1, 32];

const POSTGRES: &str = "pool of Postgres";
const REDIS: &str = "pool of Redis";

/// Does its job until then, and says how often.
type Asker = Arc<dyn Fn(Instant) -> Counted + Send + Sync>;
type Counted = Pin<Box<dyn Future<Output = Result<u32, Failure>> + Send>>;

/// One job by one pool.
struct Row {
    name: &'static str,
    at_once: u32,
    asker: Asker,
    turns: Vec<Turn>,
}

struct Turn {
    each_us: f64,
    client_us: f64,
}

/// Measures on servers of their own; `None` where the words are not in a name, or there is no
/// server to be had, which `progress` is told.
///
/// # Errors
///
/// When a server does not answer.
pub fn measure(
    words: &[String],
    aligned: bool,
    progress: impl Fn(&str),
) -> Result<Option<Table>, Failure> {
    let is_chosen = |name: &str| words.iter().all(|word| name.contains(word.as_str()));
    if !is_chosen(POSTGRES) && !is_chosen(REDIS) {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let head = ["by", "at once", "each second", "µs each", "client CPU µs each"];
        let mut table = Table::new(head, aligned);
        if is_chosen(POSTGRES)
            && let Some(server) = there(postgres::Server::start().await, POSTGRES, &progress)?
        {
            progress(POSTGRES);
            in_turns(of_postgres(&server).await?, &mut table).await?;
        }
        if is_chosen(REDIS)
            && let Some(server) = there(redis_server::Server::start().await, REDIS, &progress)?
        {
            progress(REDIS);
            in_turns(of_redis(&server).await?, &mut table).await?;
        }
        Ok(Some(table))
    })
}

/// Nothing, where it is not installed.
fn there<S>(
    started: io::Result<S>,
    name: &str,
    progress: impl Fn(&str),
) -> Result<Option<S>, Failure> {
    match started {
        Ok(server) => Ok(Some(server)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            progress(&format!("{error}: no {name}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Both take the newest connection first: in turns, which is deadpool's own way, each would come to
/// a process of the server's that has slept.
async fn of_postgres(server: &postgres::Server) -> Result<Vec<Row>, Failure> {
    let ours = Postgres::new(server.url())?.limits(limits()).pool()?;
    ours.connect_with_retry(Backoff::new()).await?;
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(server.url().parse()?, NoTls, config);
    let alone = deadpool_postgres::Pool::builder(manager)
        .max_size(SIZE)
        .queue_mode(QueueMode::Lifo)
        .build()?;

    let mut rows = vec![
        Row::new("deadpool-postgres: get, put", 1, &alone, |pool| async move {
            drop(pool.get().await?);
            Ok(())
        }),
        Row::new("buttress: get, put", 1, &ours, |pool| async move {
            drop(pool.get().await?);
            Ok(())
        }),
    ];
    for at_once in AT_ONCE {
        rows.extend([
            Row::new("deadpool-postgres: SELECT 1", at_once, &alone, |pool| async move {
                let client = pool.get().await?;
                let statement = client.prepare_cached("SELECT 1").await?;
                client.query_one(&statement, &[]).await?;
                Ok(())
            }),
            Row::new("buttress: SELECT 1", at_once, &ours, |pool| async move {
                pool.get().await?.query_one("SELECT 1", &[]).await?;
                Ok(())
            }),
        ]);
    }
    rows.extend([
        Row::new("deadpool-postgres: a transaction", 1, &alone, |pool| async move {
            let mut client = pool.get().await?;
            let tx = client.transaction().await?;
            let statement = tx.prepare_cached("SELECT 1").await?;
            tx.query_one(&statement, &[]).await?;
            Ok(tx.commit().await?)
        }),
        Row::new("buttress: a transaction", 1, &ours, |pool| async move {
            let done = with_transaction(&pool, TxOptions::new(), |tx| {
                Box::pin(async move {
                    tx.query_one("SELECT 1", &[]).await?;
                    Ok::<_, PgError>(())
                })
            });
            Ok(done.await?)
        }),
    ]);
    Ok(rows)
}

/// deadpool alone asks a connection whether it lives each time, too.
async fn of_redis(server: &redis_server::Server) -> Result<Vec<Row>, Failure> {
    let ours = Redis::new(server.url())?.limits(limits()).pool()?;
    ours.connect_with_retry(Backoff::new()).await?;
    let manager = deadpool_redis::Manager::new(server.url())?;
    let alone = deadpool_redis::Pool::builder(manager)
        .max_size(SIZE)
        .queue_mode(QueueMode::Lifo)
        .build()?;

    let mut rows = Vec::new();
    for at_once in AT_ONCE {
        rows.extend([
            Row::new("deadpool-redis: INCR", at_once, &alone, |pool| async move {
                let _: u64 = pool.get().await?.incr("visits", 1).await?;
                Ok(())
            }),
            Row::new("buttress: INCR", at_once, &ours, |pool| async move {
                let _: u64 = pool.get().await?.incr("visits", 1).await?;
                Ok(())
            }),
        ]);
    }
    Ok(rows)
}

fn limits() -> Limits {
    Limits::new().size(SIZE).min_idle(SIZE)
}

impl Row {
    fn new<P, F>(name: &'static str, at_once: u32, pool: &P, once: fn(P) -> F) -> Self
    where
        P: Clone + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let pool = pool.clone();
        let asker: Asker = Arc::new(move |end| {
            let pool = pool.clone();
            Box::pin(async move {
                let mut count = 0;
                while Instant::now() < end {
                    once(pool.clone()).await?;
                    count += 1;
                }
                Ok(count)
            })
        });
        Self { name, at_once, asker, turns: Vec::new() }
    }

    async fn take(&mut self) -> Result<(), Failure> {
        let (cpu, started) = (client_cpu()?, Instant::now());
        let mut tasks = JoinSet::new();
        for _ in 0..self.at_once {
            tasks.spawn((self.asker)(started + TURN));
        }
        let mut count = 0;
        while let Some(counted) = tasks.join_next().await {
            count += counted??;
        }
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), client_cpu()? - cpu);
        let count = f64::from(count);
        self.turns.push(Turn { each_us: elapsed * 1e6 / count, client_us: cpu * 1e6 / count });
        Ok(())
    }
}

/// Each row's turns, in turns; the first ones, which connect and prepare, do not count.
async fn in_turns(mut rows: Vec<Row>, table: &mut Table) -> Result<(), Failure> {
    for _ in 0..=ROUNDS {
        for row in &mut rows {
            row.take().await?;
        }
    }
    for row in rows {
        let of = |read: fn(&Turn) -> f64| median(row.turns.iter().skip(1).map(read).collect());
        let each_us = of(|turn| turn.each_us);
        table.row([
            row.name.to_owned(),
            row.at_once.to_string(),
            format!("{:.0}", 1e6 / each_us),
            format!("{:.2}", each_us * f64::from(row.at_once)),
            format!("{:.2}", of(|turn| turn.client_us)),
        ]);
    }
    Ok(())
}

/// Seconds that this thread has run, in the kernel too. All that the client does is on it.
fn client_cpu() -> Result<f64, Failure> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split_whitespace().next().ok_or("no time in schedstat")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
}
