//! `cargo xtask test`: every check, one after the other, and a summary.
//!
//! The steps share `target/debug`. None of them sets `RUSTFLAGS` there, since that would compile
//! every dependency anew: warnings are denied through clippy's arguments and `RUSTDOCFLAGS`. The
//! loom step cannot do without, and has a folder of its own.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::cargo::{Invocation, root, target_dir};
use crate::console::{Colour, Console, duration, say};
use crate::workspace::{self, Member, published};
use crate::{commands, services};

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    run: fn(Console) -> Result<Ending, Failure>,
}

/// How a step ended that found nothing wrong.
#[derive(Debug)]
enum Ending {
    Passed,
    Skipped(&'static str),
}

/// What is cheap to find out comes first.
pub(crate) const STEPS: [Step; 8] = [
    Step {
        name: "services",
        about: "redis-server and postgres, installed through apt where missing",
        run: services,
    },
    Step { name: "fmt", about: "the format", run: fmt },
    Step { name: "clippy", about: "lints, warnings denied, all targets and features", run: clippy },
    Step { name: "doc", about: "API documentation, warnings denied", run: doc },
    Step { name: "test", about: "tests, doctests and the examples' smoke tests", run: test },
    Step { name: "loom", about: "every interleaving of what is shared between threads", run: loom },
    Step {
        name: "features",
        about: "each published crate with no feature and with each alone",
        run: features,
    },
    Step {
        name: "deny",
        about: "advisories, licences and sources, where cargo-deny is installed",
        run: deny,
    },
];

/// One line of the summary.
#[derive(Debug)]
struct Report {
    step: &'static str,
    time: Duration,
    result: Result<Ending, Failure>,
}

pub(crate) fn run(console: Console, names: &[String]) -> Result<ExitCode, Failure> {
    let chosen = choose(names)?;
    let started = Instant::now();
    let mut reports = Vec::new();
    for (step, number) in chosen.iter().zip(1..) {
        let place = format!("[{number}/{}]", chosen.len());
        let title = format!("{place} {}: {}", step.name, step.about);
        say(console.paint(Colour::Bold, title));
        let begun = Instant::now();
        let report = Report { step: step.name, result: (step.run)(console), time: begun.elapsed() };
        let line = format!("{place} {}", report.summary(console));
        say(line);
        reports.push(report);
    }
    Ok(conclude(console, &reports, started.elapsed()))
}

fn choose(names: &[String]) -> Result<Vec<&'static Step>, Failure> {
    let known = |name: &str| STEPS.iter().any(|step| step.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        let known = known.join(", ");
        return Err(format!("`{unknown}` is not a step; there are: {known}").into());
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| name == step.name))
        .collect())
}

fn conclude(console: Console, reports: &[Report], total: Duration) -> ExitCode {
    say(console.paint(Colour::Bold, "\nsummary"));
    for report in reports {
        say(format_args!("  {}", report.summary(console)));
    }
    let failed: Vec<&str> =
        reports.iter().filter(|report| report.result.is_err()).map(|report| report.step).collect();
    let total = duration(total);
    if failed.is_empty() {
        say(console.paint(Colour::Green, format_args!("passed in {total}")));
        return ExitCode::SUCCESS;
    }
    let failed = format!("failed in {total}: {}", failed.join(", "));
    say(console.paint(Colour::Red, failed));
    ExitCode::FAILURE
}

impl Report {
    fn summary(&self, console: Console) -> String {
        let (colour, word, note) = match &self.result {
            Ok(Ending::Passed) => (Colour::Green, "ok", String::new()),
            Ok(Ending::Skipped(why)) => (Colour::Yellow, "skipped", (*why).to_owned()),
            Err(failure) => (Colour::Red, "FAILED", failure.to_string()),
        };
        let word = console.paint(colour, format!("{word:<7}"));
        let line = format!("{:<9} {word} {:>12}  {note}", self.step, duration(self.time));
        line.trim_end().to_owned()
    }
}

fn services(console: Console) -> Result<Ending, Failure> {
    services::ensure(console)?;
    Ok(Ending::Passed)
}

fn fmt(console: Console) -> Result<Ending, Failure> {
    // rustfmt paints its diff even into a pipe.
    let colour = if console.has_colour() { "auto" } else { "never" };
    Invocation::cargo(["fmt", "--all", "--check", "--", "--color", colour]).stream(console)?;
    Ok(Ending::Passed)
}

fn clippy(console: Console) -> Result<Ending, Failure> {
    let what = ["clippy", "--workspace", "--all-targets", "--all-features"];
    Invocation::cargo(what.into_iter().chain(["--", "-D", "warnings"])).stream(console)?;
    Ok(Ending::Passed)
}

fn doc(console: Console) -> Result<Ending, Failure> {
    commands::api_documentation().stream(console)?;
    Ok(Ending::Passed)
}

fn test(console: Console) -> Result<Ending, Failure> {
    Invocation::cargo(["test", "--workspace", "--all-features", "--no-fail-fast"])
        .stream(console)?;
    Ok(Ending::Passed)
}

/// loom's models: the files `tests/loom*.rs`, and in the sources the tests of a module `loom`.
fn loom(console: Console) -> Result<Ending, Failure> {
    let mut runs = Vec::new();
    let members = workspace::members(root())?;
    for member in published(&members) {
        if has_loom_files(member) {
            runs.push(loom_tests(member, &["--test", "loom*"]));
        }
        if has_loom_module(member)? {
            runs.push(loom_tests(member, &["--lib", "--", "loom"]));
        }
    }
    if runs.is_empty() {
        return Ok(Ending::Skipped("no crate has a loom test"));
    }
    stream_all(console, runs)
}

fn has_loom_files(member: &Member) -> bool {
    workspace::files(&member.dir.join("tests"), "rs")
        .iter()
        .filter_map(|file| file.file_stem()?.to_str())
        .any(|name| name.starts_with("loom"))
}

fn has_loom_module(member: &Member) -> Result<bool, Failure> {
    for file in workspace::files(&member.dir.join("src"), "rs") {
        let text = workspace::read(&file)?;
        if text.contains("cfg(all(test, loom))") || text.contains("cfg(all(loom, test))") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn loom_tests(member: &Member, targets: &[&str]) -> Invocation {
    let dir = target_dir().join("loom").to_string_lossy().into_owned();
    let test = ["test", "--release", "--target-dir", &dir, "-p", member.name()];
    Invocation::cargo(test.iter().chain(targets))
        .env("RUSTFLAGS", "--cfg loom")
        // A model runs a body thousands of times, so it is optimised; what links it is not worth
        // the time that a release takes.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
}

/// clippy and not `check`, so that warnings are denied without `RUSTFLAGS`.
fn features(console: Console) -> Result<Ending, Failure> {
    let members = workspace::members(root())?;
    let runs = published(&members).flat_map(|member| {
        let alone = member.manifest.features.iter().map(Some);
        [None].into_iter().chain(alone).map(|feature| {
            let check = ["clippy", "--quiet", "-p", member.name(), "--no-default-features"];
            let feature = feature.map(|feature| ["--features", feature.as_str()]);
            let words = check.into_iter().chain(feature.into_iter().flatten());
            Invocation::cargo(words.chain(["--", "-D", "warnings"]))
        })
    });
    stream_all(console, runs.collect())
}

fn deny(console: Console) -> Result<Ending, Failure> {
    if !Invocation::cargo(["deny", "--version"]).succeeds() {
        return Ok(Ending::Skipped("cargo-deny is not installed"));
    }
    Invocation::cargo(["deny", "check"]).stream(console)?;
    Ok(Ending::Passed)
}

/// Runs them all, whatever one of them says.
fn stream_all(console: Console, runs: Vec<Invocation>) -> Result<Ending, Failure> {
    let failures: Vec<String> = runs
        .into_iter()
        .filter_map(|run| run.stream(console).err())
        .map(|failure| failure.to_string())
        .collect();
    if failures.is_empty() {
        return Ok(Ending::Passed);
    }
    Err(failures.join("\n    ").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Console = Console::plain();

    fn named(names: &[&str]) -> Result<Vec<&'static str>, Failure> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Ok(choose(&names)?.iter().map(|step| step.name).collect())
    }

    #[test]
    fn no_name_chooses_every_step() {
        assert_eq!(named(&[]).unwrap().len(), STEPS.len());
    }

    #[test]
    fn named_steps_run_in_their_own_order() {
        assert_eq!(named(&["clippy", "fmt"]).unwrap(), ["fmt", "clippy"]);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_list() {
        let refusal = named(&["fmt", "lint"]).unwrap_err().to_string();
        assert!(refusal.starts_with("`lint` is not a step; there are: services, fmt, "));
    }

    #[test]
    fn a_summary_line_says_what_time_and_why() {
        let report = |result| Report { step: "deny", time: Duration::from_millis(4), result };
        for (report, line) in [
            (report(Ok(Ending::Passed)), "deny      ok              4 ms"),
            (
                report(Ok(Ending::Skipped("cargo-deny is not installed"))),
                "deny      skipped         4 ms  cargo-deny is not installed",
            ),
            (report(Err("bad licence".into())), "deny      FAILED          4 ms  bad licence"),
        ] {
            assert_eq!(report.summary(PLAIN), line);
        }
    }

    #[test]
    fn a_later_run_starts_although_one_failed() {
        let file = std::env::temp_dir().join(format!("xtask-later-run-{}", std::process::id()));
        let touch = Invocation::program("touch", [file.to_string_lossy()]);
        let failing = Invocation::program("false", [""; 0]);
        let failure = stream_all(PLAIN, vec![failing, touch]).unwrap_err();
        assert!(failure.to_string().starts_with("`false`: exit status: 1"));
        std::fs::remove_file(file).unwrap();
    }
}
