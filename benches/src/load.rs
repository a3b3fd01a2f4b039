//! The same axum service as a server, with nothing around it, with our stack, and with the peers'
//! layers, in turns, loaded over loopback from another core. Both log their lines into a file.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    str::FromStr,
};

use axum::{Router, body::Body, routing::get};
use buttress::{
    Stack,
    client_ip::ClientIp,
    headers::SecurityHeadersLayer,
    limit::{Key, LimitLayer},
    log::{JsonLayer, Sink},
};
use tokio::net::TcpListener;
use tracing::subscriber::set_global_default;
use tracing_subscriber::fmt;

use crate::{Failure, drive::at_info, limits, peers, table::Table, times::median};

/// Many short turns of each server: who else uses the machine then hits all of them alike.
const ROUNDS: usize = 11;
const SECONDS: u64 = 1;
const CONNECTIONS: u64 = 32;

/// Linux gives a process's times in these to programs, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What stands around the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// Nothing.
    Bare,
    /// `Stack::production` with web's 12 headers and limits of two rules.
    Ours,
    /// The layers of tower-http and others that do the same.
    Peers,
}

impl Around {
    const ALL: [Self; 3] = [Self::Bare, Self::Ours, Self::Peers];

    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ours => "buttress",
            Self::Peers => "peers",
        }
    }
}

impl FromStr for Around {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        let known = Self::ALL.into_iter().find(|around| around.name() == name);
        known.ok_or_else(|| format!("`{name}` is no server").into())
    }
}

/// Serves until it is killed, on one thread, and prints its address as the first line. Its log is
/// its standard error.
///
/// # Errors
///
/// When no port can be had, or a layer cannot be made.
#[expect(clippy::print_stdout, reason = "the address is what the parent process waits for")]
pub fn serve(around: Around) -> Result<(), Failure> {
    let hello = Router::new().route("/", get(|| async { "hello" }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (app, _log) = match around {
            Around::Bare => (hello, None),
            Around::Ours => {
                let (writer, log) = Sink::stderr().open()?;
                set_global_default(at_info(JsonLayer::new(writer).service("bench")))?;
                let stack = Stack::production(ClientIp::peer().peer_from(limits::peer))
                    .headers(SecurityHeadersLayer::web())
                    .limit(LimitLayer::new(Key::client(), limits::rules()?)?);
                (hello.layer(stack), Some(log))
            }
            Around::Peers => {
                set_global_default(at_info(fmt::layer().json().with_writer(io::stderr)))?;
                let limits = limits::tower_governors::<Body>()?;
                (hello.layer(peers::stack(&SecurityHeadersLayer::web(), limits)?), None)
            }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        Ok(axum::serve(listener, app).await?)
    })
}

/// Loads each server in turns, and tells what came out.
///
/// # Errors
///
/// When wrk is not installed, or a server or wrk does not do as it should.
pub fn run(aligned: bool, mut progress: impl FnMut(&str)) -> Result<Table, Failure> {
    if !is_installed("wrk", "-v") {
        return Err("wrk is not installed (apt-get install wrk)".into());
    }
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        progress(&format!("[{round}/{ROUNDS}] {SECONDS} s each"));
        rounds.push([
            Turn::take(Around::Bare)?,
            Turn::take(Around::Ours)?,
            Turn::take(Around::Peers)?,
        ]);
    }
    let head = ["server", "requests per second", "bare : this", "p99 ms", "user CPU µs a request"];
    let mut table = Table::new(head, aligned);
    for (place, around) in Around::ALL.into_iter().enumerate() {
        let of = |read: fn(&Turn, &Turn) -> f64| {
            let turns = rounds.iter().filter_map(|round| Some((round.first()?, round.get(place)?)));
            median(turns.map(|(bare, turn)| read(bare, turn)).collect())
        };
        table.row([
            around.name().to_owned(),
            format!("{:.0}", of(|_, turn| turn.rate)),
            format!("{:.2}", of(|bare, turn| bare.rate / turn.rate)),
            format!("{:.2}", of(|_, turn| turn.p99_ms)),
            format!("{:.1}", of(|_, turn| turn.cpu_us)),
        ]);
    }
    Ok(table)
}

struct Turn {
    rate: f64,
    p99_ms: f64,
    cpu_us: f64,
}

impl Turn {
    fn take(around: Around) -> Result<Self, Failure> {
        let server = Server::start(around)?;
        let before = server.user_seconds()?;
        let output = on_core(1, "wrk".as_ref())
            .args(["-t1", "--latency", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s")])
            .arg(format!("http://{}/", server.address))
            .output()?;
        let cpu = server.user_seconds()? - before;
        let said = String::from_utf8_lossy(&output.stdout);
        let report = Report::read(&said).ok_or_else(|| format!("wrk said: {said}"))?;
        Ok(Self { rate: report.rate, p99_ms: report.p99_ms, cpu_us: cpu * 1e6 / report.requests })
    }
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(around: Around) -> Result<Self, Failure> {
        let process = on_core(0, std::env::current_exe()?.as_os_str())
            .args(["--serve", around.name()])
            .stdout(Stdio::piped())
            .stderr(log_file()?)
            .spawn()?;
        let mut server = Self { process, address: String::new() };
        let stdout = server.process.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut server.address)?;
        server.address.truncate(server.address.trim_end().len());
        Ok(server)
    }

    /// Field 14 of `proc_pid_stat(5)`, counted after the name, which may hold anything.
    fn user_seconds(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let ticks = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(11));
        Ok(ticks.ok_or("no user time in /proc")?.parse::<f64>()? / TICKS_PER_SECOND)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill or to wait for.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// A file that is gone when its last user is.
fn log_file() -> Result<File, Failure> {
    let path = std::env::temp_dir().join(format!("buttress-bench-{}.log", std::process::id()));
    let file = File::create(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// Pins a program to a core, where there are two and `taskset` is there.
fn on_core(core: usize, program: &std::ffi::OsStr) -> Command {
    let two = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if !two || !is_installed("taskset", "--version") {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

fn is_installed(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What wrk says at its end.
#[derive(Debug, PartialEq)]
struct Report {
    requests: f64,
    rate: f64,
    p99_ms: f64,
}

impl Report {
    fn read(text: &str) -> Option<Self> {
        let mut report = Self { requests: 0.0, rate: 0.0, p99_ms: 0.0 };
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["99%", latency] => report.p99_ms = millis(latency)?,
                [requests, "requests", "in", ..] => report.requests = requests.parse().ok()?,
                ["Requests/sec:", rate] => report.rate = rate.parse().ok()?,
                // An answer that is no answer makes the rest worthless.
                ["Non-2xx" | "Socket", ..] => return None,
                _ => {}
            }
        }
        (report.requests > 0.0 && report.rate > 0.0).then_some(report)
    }
}

fn millis(latency: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    units
        .into_iter()
        .find_map(|(unit, factor)| Some(latency.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

#[cfg(test)]
mod tests {
    use super::Report;

    const SAID: &str = "\
Running 4s test @ http://127.0.0.1:40001/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   512.34us  101.00us   4.20ms   90.00%
    Req/Sec    62.11k     1.93k   65.00k    82.50%
  Latency Distribution
     50%  498.00us
     99%    1.25ms
  247300 requests in 4.00s, 30.19MB read
Requests/sec:  61825.07
Transfer/sec:      7.55MB
";

    #[test]
    fn the_report_of_wrk_is_read() {
        let report = Report { requests: 247_300.0, rate: 61_825.07, p99_ms: 1.25 };
        assert_eq!(Report::read(SAID), Some(report));
    }

    #[test]
    fn answers_that_are_errors_are_no_result() {
        assert_eq!(Report::read(&format!("{SAID}  Non-2xx or 3xx responses: 3\n")), None);
        assert_eq!(Report::read("unable to connect"), None);
    }
}
