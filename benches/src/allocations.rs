//! Allocation counts, by `buttress-bench-allocations`.

use std::{collections::BTreeMap, process::Command};

use crate::Failure;

/// Has cargo build that program as this one was built, and runs it: how often each side of these
/// cases allocates, by its key.
///
/// # Errors
///
/// When it does not build or does not run.
pub fn count(words: &[String]) -> Result<BTreeMap<String, u64>, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--profile", "bench", "-p", "buttress-bench"])
        .args(["--bin", "buttress-bench-allocations", "--"])
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("buttress-bench-allocations: {}", output.status).into());
    }
    read(&String::from_utf8(output.stdout)?)
}

/// Reads what the program prints: lines of a key, a tab and a count.
///
/// # Errors
///
/// When a line is anything else.
pub fn read(text: &str) -> Result<BTreeMap<String, u64>, Failure> {
    text.lines()
        .map(|line| {
            let (key, count) = line.split_once('\t').ok_or("no tab")?;
            Ok((key.to_owned(), count.parse()?))
        })
        .collect()
}
