//! Instruction counts: this program again, under valgrind's callgrind.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{Failure, Loop, Side};

/// Two runs of different length; in their difference the start of the program cancels out, and so
/// does what is only done the first time.
const FEW: u64 = 200;
const MANY: u64 = 1_200;
/// The same for a job that takes long.
const FEW_LONG: u64 = 2;
const MANY_LONG: u64 = 12;

/// Whether `valgrind` can be started.
#[must_use]
pub fn is_installed() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What each side takes, by its key; the bare one is not taken off. `begin` is told of each side
/// as it is started.
///
/// As many run at once as there are cores: who else uses the machine does not change the count.
///
/// # Errors
///
/// When callgrind does not run, or does not say what it counted.
pub fn count(
    sides: &[&Side],
    begin: impl Fn(&str) + Sync,
) -> Result<BTreeMap<String, u64>, Failure> {
    let queue = Mutex::new(sides.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut counts = Vec::new();
        while let Some(side) = next() {
            begin(side.key());
            counts.push((side.key().to_owned(), count_one(side)?));
        }
        Ok::<_, Failure>(counts)
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut counts = BTreeMap::new();
    for result in results {
        counts.extend(result.map_err(|_| "a thread that counts instructions panicked")??);
    }
    Ok(counts)
}

/// Runs the job, where callgrind can tell it from what went before by this function's name.
///
/// It is asked for where that took as long as it took: in the difference of two runs it would not
/// cancel out. Elsewhere all threads are counted.
#[inline(never)]
pub fn only_the_job_is_counted(run: &mut Loop, times: u64) {
    run(times);
}

fn count_one(side: &Side) -> Result<u64, Failure> {
    let (few, many) = if side.is_long() { (FEW_LONG, MANY_LONG) } else { (FEW, MANY) };
    let times = many - few;
    let (few, many) = (collected(side, few)?, collected(side, many)?);
    Ok((many.saturating_sub(few) + times / 2) / times)
}

fn collected(side: &Side, iterations: u64) -> Result<u64, Failure> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    if side.calibrates() {
        valgrind.arg("--toggle-collect=*only_the_job_is_counted*");
    }
    let side = side.key();
    let output = valgrind
        .arg(std::env::current_exe()?)
        .args(["--case", side, "--iterations", &iterations.to_string()])
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{side}: valgrind: {}: {}", output.status, text.trim()).into());
    }
    read(&text).ok_or_else(|| format!("{side}: callgrind said no count: {}", text.trim()).into())
}

/// From `==42== Collected : 1234567`.
fn read(output: &str) -> Option<u64> {
    let (_, rest) = output.split_once("Collected :")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_count_is_read_from_what_callgrind_says_at_its_end() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(read(said), Some(1_234_567));
        assert_eq!(read("==7== Events    : Ir\n"), None);
    }
}
