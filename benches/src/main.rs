//! `cargo xtask bench [filter] [--gate | --load]`.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use buttress_bench::{
    Case, Failure, Side, allocations, callgrind, cases,
    gate::{self, Verdict},
    load, pools, redis, stores,
    table::{Table, thousands},
    threads,
    times::{self, Times},
};

const NO_VALGRIND: &str = "valgrind is not installed (apt-get install valgrind): no instructions";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            progress(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        // Of this program to itself.
        ["--case", side, "--iterations", times] => return repeat(side, times.parse()?),
        ["--serve", around] => load::serve(around.parse()?)?,
        ["--load"] => say(load::run(io::stdout().is_terminal(), |line| progress(line))?),
        _ => return measure(arguments),
    }
    Ok(ExitCode::SUCCESS)
}

fn repeat(side: &str, times: u64) -> Result<ExitCode, Failure> {
    let all = cases::<&str>(&[]);
    let side = all.iter().flat_map(Case::sides).find(|known| known.key() == side);
    let mut run = side.ok_or("no such side")?.start()?;
    callgrind::only_the_job_is_counted(&mut run, times);
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &[String]) -> Result<ExitCode, Failure> {
    let (options, words): (Vec<_>, Vec<_>) =
        arguments.iter().cloned().partition(|word| word.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| *option != "--gate") {
        return Err(format!("`{unknown}` is no option; there are: --gate, --load").into());
    }
    let cases = cases(&words);
    if !options.is_empty() {
        return if cases.is_empty() { Err(no_case(&words)) } else { stand_at_gate(&cases) };
    }
    if !cases.is_empty() {
        measure_cases(&cases, &words)?;
    }
    let aligned = io::stdout().is_terminal();
    let stores = stores::measure(&words, aligned, |line| progress(line))?;
    let redis = redis::measure(&words, aligned, |line| progress(line))?;
    let threads = threads::measure(&words, aligned, |line| progress(line))?;
    let pools = pools::measure(&words, aligned, |line| progress(line))?;
    let tables: Vec<_> = [stores, redis, threads, pools].into_iter().flatten().collect();
    if cases.is_empty() && tables.is_empty() {
        return Err(no_case(&words));
    }
    for table in tables {
        say(format_args!("\n{table}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn no_case(words: &[String]) -> Failure {
    format!("no case has `{}` in its name", words.join("` and `")).into()
}

fn measure_cases(cases: &[Case], words: &[String]) -> Result<(), Failure> {
    let allocations = count_allocations(words);
    let instructions = count_instructions(cases.iter().flat_map(Case::sides))?;
    let mut times = Vec::new();
    for (case, number) in cases.iter().zip(1..) {
        progress(format_args!("[{number}/{}] times: {}", cases.len(), case.name));
        times.push(times::measure(case)?);
    }
    say(table(cases, &times, &instructions, &allocations));
    report(cases, &instructions)?;
    Ok(())
}

fn stand_at_gate(cases: &[Case]) -> Result<ExitCode, Failure> {
    if !callgrind::is_installed() {
        say(NO_VALGRIND);
        return Ok(ExitCode::SUCCESS);
    }
    let counts = count_instructions(cases.iter().flat_map(|case| [&case.bare, &case.ours]))?;
    let passed = report(cases, &counts)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Without the program that counts, the rest is still worth having.
fn count_allocations(words: &[String]) -> BTreeMap<String, u64> {
    progress("allocations");
    allocations::count(words).unwrap_or_else(|failure| {
        progress(format_args!("no allocations: {failure}"));
        BTreeMap::new()
    })
}

fn count_instructions<'a>(
    sides: impl Iterator<Item = &'a Side>,
) -> Result<BTreeMap<String, u64>, Failure> {
    if !callgrind::is_installed() {
        progress(NO_VALGRIND);
        return Ok(BTreeMap::new());
    }
    let sides: BTreeMap<&str, &Side> = sides.map(|side| (side.key(), side)).collect();
    let sides: Vec<&Side> = sides.into_values().collect();
    let started = AtomicUsize::new(1);
    callgrind::count(&sides, |key| {
        let number = started.fetch_add(1, Ordering::Relaxed);
        progress(format_args!("[{number}/{}] instructions: {key}", sides.len()));
    })
}

/// Says how the cases stand at the gate, and whether they all pass.
fn report(cases: &[Case], counts: &BTreeMap<String, u64>) -> Result<bool, Failure> {
    let verdicts = gate::judge(cases, counts)?;
    let passed = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Passed).count();
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Passed => {}
            Verdict::Exceeded { now, limit } => say(format_args!(
                "gate: {name}: {} instructions, and {} is the limit",
                thousands(*now),
                thousands(*limit)
            )),
            Verdict::Unknown => {
                say(format_args!("gate: {name}: no count in benches/instructions.toml"));
            }
        }
    }
    say(format_args!(
        "gate: {passed} of {} cases are within 10 % of what they took",
        verdicts.len()
    ));
    if passed < verdicts.len() {
        say(format_args!("\nas measured:\n{}", gate::lines(cases, counts)));
    }
    Ok(passed == verdicts.len())
}

fn table(
    cases: &[Case],
    times: &[Times],
    instructions: &BTreeMap<String, u64>,
    allocations: &BTreeMap<String, u64>,
) -> Table {
    let head = [
        "case",
        "ours ns",
        "peer",
        "peer ns",
        "peer : ours",
        "instructions",
        "peer's",
        "allocations",
        "peer's",
        "asked",
    ];
    let mut table = Table::new(head, io::stdout().is_terminal());
    for (case, times) in cases.iter().zip(times) {
        let instructions = case.added(instructions);
        let allocations = case.added(allocations);
        let count = |counts: &[Option<u64>], side: usize| {
            counts.get(side).copied().flatten().map_or_else(none, thousands)
        };
        for side in 0..case.peers.len().max(1) {
            let peer = case.peers.get(side).zip(times.peers.get(side));
            table.row([
                case.name.clone(),
                format!("{:.0}", times.ours),
                peer.map_or_else(none, |(peer, _)| peer.name().to_owned()),
                peer.map_or_else(none, |(_, ns)| format!("{ns:.0}")),
                // Of less than a nanosecond there is nothing to compare.
                peer.filter(|_| times.ours >= 1.0)
                    .map_or_else(none, |(_, ns)| format!("{:.2}", ns / times.ours)),
                count(&instructions, 0),
                count(&instructions, side + 1),
                count(&allocations, 0),
                count(&allocations, side + 1),
                case.asked.map_or_else(none, |asked| {
                    format!("≤ {}, {}", thousands(asked.instructions), asked.allocations)
                }),
            ]);
        }
    }
    table
}

fn none() -> String {
    "-".to_owned()
}

fn say(text: impl Display) {
    // A reader that left wants no more of it.
    let _ = writeln!(io::stdout(), "{text}");
}

/// On standard error, so that standard output is the result alone.
fn progress(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
