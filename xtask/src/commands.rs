//! The short commands: bench, fuzz, doc.

use std::process::ExitCode;

use crate::Failure;
use crate::cargo::{Invocation, root};
use crate::console::{Colour, Console, say};

const LIBFUZZER: &str = "fuzz/libfuzzer";

/// For each target, where none is said.
const FUZZ_SECONDS: u64 = 60;

/// Measured as it ships: the profile is `release` with line numbers.
pub(crate) fn bench(console: Console, arguments: &[String]) -> Result<ExitCode, Failure> {
    let known =
        |word: &&String| !word.starts_with('-') || ["--gate", "--load"].contains(&word.as_str());
    if let Some(unknown) = arguments.iter().find(|word| !known(word)) {
        let message = format!("`{unknown}` is not an option of bench; there are: --gate, --load");
        return Err(message.into());
    }
    let run = ["run", "--profile", "bench", "-p", "buttress-bench", "--"];
    let arguments = arguments.iter().map(String::as_str);
    Invocation::cargo(run.into_iter().chain(arguments)).stream(console)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn fuzz(console: Console, arguments: &[String]) -> Result<ExitCode, Failure> {
    let (target, seconds) = fuzz_arguments(arguments)?;
    match libfuzzer() {
        Some(toolchain) => run_libfuzzer(console, toolchain, target, seconds)?,
        None => {
            say(console.paint(
                Colour::Yellow,
                "no cargo-fuzz with a nightly compiler: a short run without coverage instead",
            ));
            let run = ["run", "--release", "-p", "buttress-fuzz", "--"];
            let arguments = arguments.iter().map(String::as_str);
            Invocation::cargo(run.into_iter().chain(arguments)).stream(console)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn fuzz_arguments(arguments: &[String]) -> Result<(Option<&str>, u64), Failure> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (target, seconds) = match words.as_slice() {
        [] => (None, None),
        [seconds] if seconds.parse::<u64>().is_ok() => (None, Some(*seconds)),
        [target] => (Some(*target), None),
        [target, seconds] => (Some(*target), Some(*seconds)),
        _ => return Err("usage: cargo xtask fuzz [target] [seconds]".into()),
    };
    let Some(seconds) = seconds else {
        return Ok((target, FUZZ_SECONDS));
    };
    let seconds = seconds.parse().map_err(|_| format!("`{seconds}` is not a number of seconds"))?;
    Ok((target, seconds))
}

/// How cargo is to be called for libFuzzer, which needs unstable compiler options.
fn libfuzzer() -> Option<&'static [&'static str]> {
    if !Invocation::program("cargo", ["fuzz", "--version"]).succeeds() {
        None
    } else if Invocation::program("cargo", ["+nightly", "--version"]).succeeds() {
        Some(&["+nightly"])
    } else {
        std::env::var_os("RUSTC_BOOTSTRAP").map(|_| [""; 0].as_slice())
    }
}

fn run_libfuzzer(
    console: Console,
    toolchain: &[&str],
    target: Option<&str>,
    seconds: u64,
) -> Result<(), Failure> {
    let cargo_fuzz = |words: &[&str]| {
        let fuzz = ["fuzz"].iter();
        Invocation::program("cargo", toolchain.iter().chain(fuzz).chain(words))
    };
    let targets = match target {
        Some(target) => target.to_owned(),
        None => cargo_fuzz(&["list", "--fuzz-dir", LIBFUZZER]).capture()?,
    };
    let limit = format!("-max_total_time={seconds}");
    for target in targets.lines().map(str::trim) {
        // New finds go into the first folder; the seeds that are kept with the sources are read.
        let finds = format!("{LIBFUZZER}/corpus/{target}");
        let seeds = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(root().join(&finds))?;
        cargo_fuzz(&["run", "--fuzz-dir", LIBFUZZER, target, &finds, &seeds, "--", &limit])
            .stream(console)?;
    }
    Ok(())
}

pub(crate) fn doc(console: Console, arguments: &[String]) -> Result<ExitCode, Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(format!("`doc` takes no `{unknown}`").into());
    }
    api_documentation().stream(console)?;
    if Invocation::program("mdbook", ["--version"]).succeeds() {
        Invocation::program("mdbook", ["build", "docs"]).stream(console)?;
    } else {
        let docs = root().join("docs");
        say(console.paint(
            Colour::Yellow,
            format_args!(
                "the book is skipped: mdbook is not installed; its pages are in {}",
                docs.display()
            ),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn api_documentation() -> Invocation {
    Invocation::cargo(["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_takes_a_target_and_seconds_or_either() {
        for (words, expected) in [
            (&[][..], (None, FUZZ_SECONDS)),
            (&["client_ip"], (Some("client_ip"), FUZZ_SECONDS)),
            (&["5"], (None, 5)),
            (&["client_ip", "5"], (Some("client_ip"), 5)),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(fuzz_arguments(&words).unwrap(), expected);
        }
        let words = ["client_ip".to_owned(), "soon".to_owned()];
        let refusal = fuzz_arguments(&words).unwrap_err();
        assert_eq!(refusal.to_string(), "`soon` is not a number of seconds");
    }
}
