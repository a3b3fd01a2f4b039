//! `cargo run --release -p buttress-fuzz -- [target] [seconds | file]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program in a terminal")]

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use buttress_fuzz::{
    TARGETS, Target,
    engine::{Engine, holds},
    target,
};

const DEFAULT_TIME: Duration = Duration::from_secs(60);
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What takes longer than this for an input of 4 KiB is not linear.
const TOO_SLOW: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => run_each(TARGETS, DEFAULT_TIME),
        [one] if seconds(one).is_some() => run_each(TARGETS, seconds(one).unwrap_or(DEFAULT_TIME)),
        [name, more @ ..] => match (target(name), more) {
            (Some(target), []) => run(target, DEFAULT_TIME),
            (Some(target), [one]) => match seconds(one) {
                Some(time) => run(target, time),
                None => run_again(target, Path::new(one)),
            },
            _ => return usage(),
        },
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    eprintln!("usage: buttress-fuzz [target] [seconds | file]\ntargets: {}", names.join(", "));
    ExitCode::FAILURE
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

fn run_each(targets: &'static [Target], time: Duration) -> io::Result<bool> {
    let mut all_hold = true;
    for target in targets {
        all_hold &= run(target, time)?;
    }
    Ok(all_hold)
}

/// Feeds the target for this long, or until it fails.
fn run(target: &Target, time: Duration) -> io::Result<bool> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let mut engine = Engine::new(target, seed.into())?;
    let start = Instant::now();
    let (mut runs, mut slowest, mut next_line) = (0_u64, Duration::ZERO, PROGRESS_EVERY);
    loop {
        let input = engine.next_input();
        let before = Instant::now();
        let held = holds(target, &input);
        runs += 1;
        let now = Instant::now();
        let took = now - before;
        if !held {
            return fails(target, &input, "panicked");
        }
        if took > TOO_SLOW {
            return fails(target, &input, "took too long");
        }
        slowest = slowest.max(took);
        let elapsed = now - start;
        if elapsed >= next_line || elapsed >= time {
            println!(
                "{:<16} {:>4} s {runs:>12} runs {:>9}/s   slowest {slowest:.1?}",
                target.name,
                elapsed.as_secs(),
                u128::from(runs) * 1000 / elapsed.as_millis().max(1),
            );
            next_line += PROGRESS_EVERY;
        }
        if elapsed >= time {
            return Ok(true);
        }
    }
}

/// Keeps the input and says how to run it again.
fn fails(target: &Target, input: &[u8], what: &str) -> io::Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}-{:016x}", target.name, fnv1a(input)));
    fs::write(&file, input)?;
    let (name, file) = (target.name, relative(&file));
    println!("{name}: {what} for \"{}\"", input.escape_ascii());
    println!("run it again:  cargo run -p buttress-fuzz -- {name} {}", file.display());
    Ok(false)
}

fn run_again(target: &Target, file: &Path) -> io::Result<bool> {
    let input = fs::read(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    let start = Instant::now();
    let held = holds(target, &input);
    let verdict = if held { "holds" } else { "fails" };
    println!("{} {verdict} for {} after {:.1?}", target.name, file.display(), start.elapsed());
    Ok(held)
}

fn relative(path: &Path) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// A name for the input: the same input, the same file (FNV-1a, 64 bits).
fn fnv1a(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
