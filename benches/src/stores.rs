//! The stores of rate limits by themselves: what a decision takes with many keys and two threads,
//! and what a key takes.

use std::{
    collections::BTreeMap,
    fmt,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Barrier,
    thread,
    time::Instant,
};

use buttress::limit::{Limiter, MemoryStore, requests, seconds};
use governor::{DefaultKeyedRateLimiter, RateLimiter};

use crate::{
    Failure, allocations,
    limits::Quota,
    table::{Table, thousands},
    times::median,
};

/// Turns of each side, one after the other.
const ROUNDS: usize = 15;
/// By each thread in one turn: so many that a cache that the other side has filled is ours again.
const DECISIONS: u32 = 200_000;

/// So many clients, that come in no order, and so many threads that decide at the same time.
#[derive(Clone, Copy, Debug)]
struct Load {
    keys: u32,
    threads: u32,
}

impl Load {
    const ALL: [Self; 6] = [
        Self { keys: 1, threads: 1 },
        Self { keys: 1, threads: 2 },
        Self { keys: 100_000, threads: 1 },
        Self { keys: 100_000, threads: 2 },
        Self { keys: 1_000_000, threads: 1 },
        Self { keys: 1_000_000, threads: 2 },
    ];

    /// What of the bounds is asked of this one.
    fn asked(self) -> Option<&'static str> {
        (self.keys == 1_000_000).then_some("≤ 200, 21")
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n| if n == 1 { "" } else { "s" };
        let (keys, threads) = (thousands(self.keys.into()), self.threads);
        write!(f, "limit, a store of {keys} key{}, ", plural(self.keys))?;
        write!(f, "{threads} thread{}", plural(threads))
    }
}

/// A store of either side, that decides for a client. None of them is ever refused.
trait Store: Sync {
    fn admits(&self, client: Ipv4Addr) -> bool;
}

/// What the loop takes.
struct Nobody;

impl Store for Nobody {
    fn admits(&self, client: Ipv4Addr) -> bool {
        black_box(client);
        true
    }
}

impl Store for Limiter {
    fn admits(&self, client: Ipv4Addr) -> bool {
        !self.check(client.octets()).is_limited()
    }
}

impl Store for DefaultKeyedRateLimiter<IpAddr> {
    fn admits(&self, client: Ipv4Addr) -> bool {
        self.check_key(&IpAddr::V4(client)).is_ok()
    }
}

/// Ours, of the size that its documentation says for so many keys, with all of them in it.
fn ours(keys: u32) -> Result<Limiter, Failure> {
    // Each of so many new keys is remembered for a second.
    let slots = MemoryStore::capacity_for(&requests(1).per(seconds(1)), keys.into());
    let store = MemoryStore::with_capacity(slots)?;
    let limiter = Limiter::new(store, [Quota::Plenty.rule("general")?])?;
    fill(&limiter, keys)?;
    if limiter.store().times_full() > 0 {
        return Err(format!("{keys} keys have no room in {slots} slots").into());
    }
    Ok(limiter)
}

fn governor(keys: u32) -> Result<DefaultKeyedRateLimiter<IpAddr>, Failure> {
    let limiter = RateLimiter::keyed(Quota::Plenty.of_governor()?);
    fill(&limiter, keys)?;
    Ok(limiter)
}

fn fill(store: &impl Store, keys: u32) -> Result<(), Failure> {
    let admitted = (0..keys).filter(|&client| store.admits(client.into())).count();
    if admitted == usize::try_from(keys)? { Ok(()) } else { Err(REFUSED.into()) }
}

const REFUSED: &str = "a store refused a client that has plenty left";

/// Measures the stores whose names contain each of these words; `None` where there is none.
///
/// # Errors
///
/// When a store cannot be made, or refuses somebody.
pub fn measure(
    words: &[String],
    aligned: bool,
    progress: impl Fn(&str),
) -> Result<Option<Table>, Failure> {
    let chosen = |load: &Load| words.iter().all(|word| load.to_string().contains(word.as_str()));
    let loads: Vec<Load> = Load::ALL.into_iter().filter(chosen).collect();
    if loads.is_empty() {
        return Ok(None);
    }
    let bytes = allocations::count(&[BYTES.to_owned()]).unwrap_or_else(|failure| {
        progress(&format!("no bytes of stores: {failure}"));
        BTreeMap::new()
    });
    let mut table = Table::new(
        [
            "store",
            "ours ns",
            "governor ns",
            "governor : ours",
            "bytes a key",
            "governor's",
            "asked",
        ],
        aligned,
    );
    for load in loads {
        progress(&format!("times: {load}"));
        let (ours_ns, governor_ns) = times(load)?;
        let bytes_a_key = |side| {
            let bytes = bytes.get(&key(side, load.keys)).filter(|_| load.keys > 1);
            bytes.map_or_else(none, |&bytes| format!("{:.1}", bytes as f64 / f64::from(load.keys)))
        };
        table.row([
            load.to_string(),
            format!("{ours_ns:.0}"),
            format!("{governor_ns:.0}"),
            format!("{:.2}", governor_ns / ours_ns),
            bytes_a_key("buttress"),
            bytes_a_key("governor"),
            load.asked().map_or_else(none, str::to_owned),
        ]);
    }
    Ok(Some(table))
}

fn none() -> String {
    "-".to_owned()
}

/// Nanoseconds of one decision of ours and of governor's, as the thread sees it that asks.
fn times(load: Load) -> Result<(f64, f64), Failure> {
    let (ours, governor) = (ours(load.keys)?, governor(load.keys)?);
    let (mut of_ours, mut of_governor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let nobody = turn(&Nobody, load)?;
        of_ours.push(turn(&ours, load)? - nobody);
        of_governor.push(turn(&governor, load)? - nobody);
    }
    Ok((median(of_ours), median(of_governor)))
}

fn turn(store: &impl Store, load: Load) -> Result<f64, Failure> {
    let start = Barrier::new(usize::try_from(load.threads)?);
    let work = |seed: u32| {
        let mut clients = Clients { state: seed.into(), keys: load.keys };
        start.wait();
        let started = Instant::now();
        let admitted = (0..DECISIONS).filter(|_| store.admits(clients.next())).count();
        let elapsed = started.elapsed();
        (admitted, elapsed.as_secs_f64() * 1e9 / f64::from(DECISIONS))
    };
    let turns: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..load.threads).map(|seed| scope.spawn(move || work(seed))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut sum = 0.0;
    for turn in turns {
        let (admitted, ns) = turn.map_err(|_| "a thread that decides panicked")?;
        if admitted != usize::try_from(DECISIONS)? {
            return Err(REFUSED.into());
        }
        sum += ns;
    }
    Ok(sum / f64::from(load.threads))
}

/// In no order that a cache could learn: Knuth's generator of MMIX, and its high bits.
struct Clients {
    state: u64,
    keys: u32,
}

impl Clients {
    fn next(&mut self) -> Ipv4Addr {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let number = ((self.state >> 32) * u64::from(self.keys)) >> 32;
        // Less than `keys`, which is a `u32`.
        Ipv4Addr::from(u32::try_from(number).unwrap_or_default())
    }
}

/// What tells `buttress-bench-allocations` to count these in place of the cases.
pub const BYTES: &str = "--bytes-of-stores";

/// Fills each store and hands it to `count`, which says how many bytes it holds: by the key of its
/// side.
///
/// # Errors
///
/// When a store cannot be made.
pub fn bytes(
    mut count: impl FnMut(&mut dyn FnMut()) -> u64,
) -> Result<Vec<(String, u64)>, Failure> {
    let mut counts = Vec::new();
    for keys in [100_000, 1_000_000] {
        let (mut of_ours, mut of_governor) = (Ok(None), Ok(None));
        let bytes = count(&mut || of_ours = ours(keys).map(Some));
        of_ours?;
        counts.push((key("buttress", keys), bytes));
        let bytes = count(&mut || of_governor = governor(keys).map(Some));
        of_governor?;
        counts.push((key("governor", keys), bytes));
    }
    Ok(counts)
}

fn key(side: &str, keys: u32) -> String {
    format!("a store of {keys}: {side}")
}
