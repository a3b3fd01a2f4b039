//! One breaker, and one or two threads that call through it at the same time.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use buttress::breaker::Permit;
use failsafe::CircuitBreaker;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Failure,
    breakers::{self, Memory},
    drive::{Answer, Bare, Nothing},
    table::Table,
    times::median,
};

/// Turns of each side, one after the other.
const ROUNDS: usize = 15;

/// Makes so many calls through the one breaker, and says how many were let through.
type Caller = Box<dyn Fn(u32) -> usize + Sync>;

/// What the breaker is around.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// The empty service.
    Service,
    /// Nothing: it is asked, and told of a success.
    Alone(Memory),
}

#[derive(Clone, Copy, Debug)]
struct Load {
    job: Job,
    threads: u32,
}

impl Load {
    const ALL: [Self; 8] = [
        Self { job: Job::Service, threads: 1 },
        Self { job: Job::Service, threads: 2 },
        Self { job: Job::Alone(Memory::Count), threads: 1 },
        Self { job: Job::Alone(Memory::Count), threads: 2 },
        Self { job: Job::Alone(Memory::Time), threads: 1 },
        Self { job: Job::Alone(Memory::Time), threads: 2 },
        Self { job: Job::Alone(Memory::Consecutive), threads: 1 },
        Self { job: Job::Alone(Memory::Consecutive), threads: 2 },
    ];

    fn asked(self) -> Option<&'static str> {
        (self.threads == 2 && !matches!(self.job, Job::Alone(Memory::Consecutive)))
            .then_some("≤ 80")
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.job {
            Job::Service => "breaker, count window",
            Job::Alone(Memory::Count | Memory::Slow) => "breaker, a circuit alone, count window",
            Job::Alone(Memory::Time) => "breaker, a circuit alone, time window",
            Job::Alone(Memory::Consecutive) => "breaker, a circuit alone, consecutive",
        })?;
        write!(f, ", {} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })
    }
}

impl Job {
    /// By each thread in one turn: so many that they run beside each other for long.
    const fn calls(self) -> u32 {
        match self {
            Self::Service => 30_000,
            Self::Alone(_) => 1_000_000,
        }
    }

    /// What the others do as well.
    fn bare(self) -> Caller {
        match self {
            Self::Service => through(Bare(Answer::Empty)),
            Self::Alone(_) => Box::new(|calls| count(calls, || std::hint::black_box(true))),
        }
    }

    fn ours(self) -> Result<Caller, Failure> {
        Ok(match self {
            Self::Service => through(Memory::Count.ours()?.layer(Bare(Answer::Empty))),
            Self::Alone(memory) => {
                let circuit = memory.circuit()?;
                let call = move || circuit.acquire().map(Permit::success).is_ok();
                Box::new(move |calls| count(calls, &call))
            }
        })
    }

    fn peer(self) -> Result<(&'static str, Caller), Failure> {
        Ok(match self {
            Self::Service => {
                let layer = Memory::Count.tower_resilience()?;
                ("tower-resilience", through(layer.layer(Bare(Answer::Empty))))
            }
            Self::Alone(Memory::Count | Memory::Slow) => {
                let breaker = breakers::recloser();
                ("recloser", Box::new(move |calls| count(calls, || breaker.call(good).is_ok())))
            }
            Self::Alone(Memory::Time) => {
                let breaker = breakers::failsafe_time();
                ("failsafe", Box::new(move |calls| count(calls, || breaker.call(good).is_ok())))
            }
            Self::Alone(Memory::Consecutive) => {
                let breaker = breakers::failsafe_consecutive();
                ("failsafe", Box::new(move |calls| count(calls, || breaker.call(good).is_ok())))
            }
        })
    }
}

const fn good() -> Result<(), Infallible> {
    Ok(())
}

fn count(calls: u32, mut call: impl FnMut() -> bool) -> usize {
    (0..calls).filter(|_| call()).count()
}

/// Each thread has a clone of the service, as each connection of a server has. One that has to
/// wait, as for a lock, sleeps.
fn through<S, B>(service: S) -> Caller
where
    S: Service<Request<Nothing>, Response = Response<B>> + Clone + Sync + 'static,
{
    Box::new(move |calls| {
        let mut service = service.clone();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        count(calls, || {
            while service.poll_ready(&mut cx).is_pending() {
                thread::park();
            }
            let mut answer = pin!(service.call(Request::new(Nothing::new())));
            loop {
                match answer.as_mut().poll(&mut cx) {
                    Poll::Ready(answer) => return answer.is_ok_and(|a| a.status().is_success()),
                    Poll::Pending => thread::park(),
                }
            }
        })
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Measures those whose names contain each of these words; `None` where there is none.
///
/// # Errors
///
/// When a breaker cannot be made, or refuses a call.
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
    let head = ["one breaker", "ours ns", "peer", "peer ns", "peer : ours", "asked"];
    let mut table = Table::new(head, aligned);
    for load in loads {
        progress(&format!("times: {load}"));
        let (name, peer) = load.job.peer()?;
        let (ours_ns, peer_ns) = times(load, &load.job.ours()?, &peer)?;
        table.row([
            load.to_string(),
            format!("{ours_ns:.0}"),
            name.to_owned(),
            format!("{peer_ns:.0}"),
            format!("{:.2}", peer_ns / ours_ns),
            load.asked().unwrap_or("-").to_owned(),
        ]);
    }
    Ok(Some(table))
}

/// Nanoseconds of one call of ours and of the peer's, as the thread sees it that calls.
fn times(load: Load, ours: &Caller, peer: &Caller) -> Result<(f64, f64), Failure> {
    let bare = load.job.bare();
    let (mut of_ours, mut of_peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let nothing = turn(&bare, load)?;
        of_ours.push(turn(ours, load)? - nothing);
        of_peer.push(turn(peer, load)? - nothing);
    }
    Ok((median(of_ours), median(of_peer)))
}

fn turn(caller: &Caller, load: Load) -> Result<f64, Failure> {
    let (calls, here) = (load.job.calls(), AtomicU32::new(0));
    let work = || {
        // Awake when the last one comes: it takes a sleeper longer to wake than some of the calls.
        here.fetch_add(1, Ordering::AcqRel);
        while here.load(Ordering::Acquire) < load.threads {
            thread::yield_now();
        }
        let started = Instant::now();
        let passed = caller(calls);
        (passed, started.elapsed().as_secs_f64() * 1e9 / f64::from(calls))
    };
    let turns: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..load.threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut sum = 0.0;
    for turn in turns {
        let (passed, ns) = turn.map_err(|_| "a thread that calls panicked")?;
        if passed != usize::try_from(calls)? {
            return Err("a breaker refused a call though none had failed".into());
        }
        sum += ns;
    }
    Ok(sum / f64::from(load.threads))
}
