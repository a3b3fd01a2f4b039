//! Decisions of a limit in Redis, on a private server: how many in a second, and what they take of
//! the server, beside the two commands that a limit takes at the least.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use buttress::client_ip::Peer;
use buttress::limit::{Key, Limit, LimitLayer, RedisStore};
use buttress_testkit::redis::Server;
use http::{Request, StatusCode};
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Failure,
    drive::{Answer, Bare, Nothing},
    limits,
    table::Table,
    times::median,
};

/// Turns of each, one after the other.
const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_millis(400);
/// Clients that come in turns.
const CLIENTS: u32 = 1_000;
/// How many wait for an answer at the same time.
const AT_ONCE: [u32; 2] = [1, 64];

const NAME: &str = "limit in Redis";

/// What asks the server.
#[derive(Clone, Copy, Debug)]
enum Asker {
    /// A counter and its expiry, in one pipeline: what the simplest limit does.
    Counter,
    /// The layer, with so many rules.
    Layer(usize),
}

impl Asker {
    const ALL: [Self; 3] = [Self::Counter, Self::Layer(1), Self::Layer(2)];

    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "INCR and PEXPIRE, pipelined",
            Self::Layer(1) => "limit in Redis, 1 rule",
            Self::Layer(_) => "limit in Redis, 2 rules",
        }
    }
}

/// Measures on a server of its own; `None` where the words are not in the name, or there is no
/// server to be had, which `progress` is told.
///
/// # Errors
///
/// When the server does not answer, or somebody was refused.
pub fn measure(
    words: &[String],
    aligned: bool,
    progress: impl Fn(&str),
) -> Result<Option<Table>, Failure> {
    if !words.iter().all(|word| NAME.contains(word.as_str())) {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = match Server::start().await {
            Ok(server) => server,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                progress(
                    "redis-server is not installed (apt-get install redis): no limit in Redis",
                );
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let head = ["by", "at once", "decisions per second", "µs each", "server CPU µs each"];
        let mut table = Table::new(head, aligned);
        for at_once in AT_ONCE {
            progress(&format!("{NAME}, {at_once} at once"));
            for (asker, turns) in turns(&server, at_once).await? {
                let of = |read: fn(&Turn) -> f64| median(turns.iter().map(read).collect());
                table.row([
                    asker.name().to_owned(),
                    at_once.to_string(),
                    format!("{:.0}", of(|turn| turn.rate)),
                    format!("{:.0}", of(|turn| turn.each_us)),
                    format!("{:.1}", of(|turn| turn.server_us)),
                ]);
            }
        }
        Ok(Some(table))
    })
}

/// Each asker's turns, in turns.
async fn turns(server: &Server, at_once: u32) -> Result<Vec<(Asker, Vec<Turn>)>, Failure> {
    let client = redis::Client::open(server.url())?;
    let mut info = client.get_multiplexed_async_connection().await?;
    let counter = client.get_multiplexed_async_connection().await?;
    let layers = [of_layer(server, 1).await?, of_layer(server, 2).await?];
    let mut of_each: Vec<_> = Asker::ALL.map(|asker| (asker, Vec::new())).into();
    for _ in 0..ROUNDS {
        for (asker, turns) in &mut of_each {
            let cpu = server_cpu(&mut info).await?;
            let started = Instant::now();
            let decisions = match *asker {
                Asker::Counter => counted(&counter, at_once).await?,
                Asker::Layer(rules) => {
                    let (store, service) = layers.get(rules - 1).ok_or("no such layer")?;
                    let before = store.stats();
                    let decisions = decided(service, at_once).await?;
                    let stats = store.stats();
                    if stats.by_fallback != before.by_fallback {
                        return Err("Redis has not decided in time".into());
                    }
                    decisions
                }
            };
            let elapsed = started.elapsed().as_secs_f64();
            let cpu = server_cpu(&mut info).await? - cpu;
            let decisions = f64::from(decisions);
            turns.push(Turn {
                rate: decisions / elapsed,
                each_us: elapsed * 1e6 * f64::from(at_once) / decisions,
                server_us: cpu * 1e6 / decisions,
            });
        }
    }
    Ok(of_each)
}

struct Turn {
    rate: f64,
    /// From the question to the answer.
    each_us: f64,
    server_us: f64,
}

async fn of_layer(server: &Server, rules: usize) -> Result<(RedisStore, Limit<Bare>), Failure> {
    // Nothing of what is measured is to be decided elsewhere.
    let store = RedisStore::new(&server.url())?.timeout(Duration::from_secs(5))?;
    let rules = limits::rules()?.into_iter().take(rules);
    let layer = LimitLayer::with_store(store.clone(), Key::peer(), rules)?;
    store.connected().await;
    Ok((store, layer.layer(Bare(Answer::Empty))))
}

/// Clients ask the layer until the turn is over; how often.
async fn decided(service: &Limit<Bare>, at_once: u32) -> Result<u32, Failure> {
    let mut tasks = JoinSet::new();
    let end = Instant::now() + TURN;
    for first in 0..at_once {
        let mut service = service.clone();
        tasks.spawn(async move {
            let mut decisions = 0;
            while Instant::now() < end {
                let mut request = Request::new(Nothing::new());
                request.extensions_mut().insert(Peer(client(first, decisions).into()));
                let response = service.call(request).await?;
                if response.status() != StatusCode::OK {
                    return Err(Failure::from("a client was refused that has plenty left"));
                }
                decisions += 1;
            }
            Ok(decisions)
        });
    }
    sum(tasks).await
}

/// The same with a counter for each client.
async fn counted(connection: &MultiplexedConnection, at_once: u32) -> Result<u32, Failure> {
    let mut tasks = JoinSet::new();
    let end = Instant::now() + TURN;
    for first in 0..at_once {
        let mut connection = connection.clone();
        tasks.spawn(async move {
            let mut decisions = 0;
            while Instant::now() < end {
                let key = format!("counter:{}", client(first, decisions));
                let mut pipe = redis::pipe();
                pipe.cmd("INCR").arg(&key).cmd("PEXPIRE").arg(&key).arg(900_000);
                let (_, _): (u64, u64) = pipe.query_async(&mut connection).await?;
                decisions += 1;
            }
            Ok(decisions)
        });
    }
    sum(tasks).await
}

fn client(first: u32, decision: u32) -> Ipv4Addr {
    Ipv4Addr::from((first + decision) % CLIENTS)
}

async fn sum(mut tasks: JoinSet<Result<u32, Failure>>) -> Result<u32, Failure> {
    let mut sum = 0;
    while let Some(decisions) = tasks.join_next().await {
        sum += decisions??;
    }
    Ok(sum)
}

/// Seconds, as the server counts them itself.
async fn server_cpu(connection: &mut MultiplexedConnection) -> Result<f64, Failure> {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(connection).await?;
    let fields: BTreeMap<&str, &str> =
        info.lines().filter_map(|line| line.split_once(':')).collect();
    let seconds = |name| -> Result<f64, Failure> {
        Ok(fields.get(name).ok_or("no CPU time in INFO")?.parse()?)
    };
    Ok(seconds("used_cpu_user")? + seconds("used_cpu_sys")?)
}
