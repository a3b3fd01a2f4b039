//! The workspace's own commands: `cargo xtask test | deps | bench | fuzz | doc`.
//!
//! The standard library alone, so that a fresh machine compiles it in seconds.
#![allow(clippy::print_stderr, reason = "a command speaks to the one who typed it")]

#[cfg(test)]
mod book;
mod cargo;
#[cfg(test)]
mod catalogue;
mod commands;
mod console;
mod dependencies;
mod manifest;
#[cfg(test)]
mod rust_source;
mod services;
mod steps;
mod workspace;

use std::process::ExitCode;

use console::{Console, say};

/// What a command could not do, in words for the one who typed it.
type Failure = Box<dyn std::error::Error>;

const COMMANDS: [&str; 5] = ["test", "deps", "bench", "fuzz", "doc"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let Some((command, rest)) = arguments.split_first() else {
        say(usage().trim_end());
        return Ok(ExitCode::SUCCESS);
    };
    if arguments.iter().any(|word| word == "--help" || word == "-h") || command == "help" {
        say(usage().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let console = Console::detect();
    match command.as_str() {
        "test" => steps::run(console, rest),
        "deps" => dependencies::run(console, rest),
        "bench" => commands::bench(console, rest),
        "fuzz" => commands::fuzz(console, rest),
        "doc" => commands::doc(console, rest),
        unknown => {
            Err(format!("`{unknown}` is not a command; there are: {}", COMMANDS.join(", ")).into())
        }
    }
}

fn usage() -> String {
    let mut text = String::from(
        "\
usage: cargo xtask <command>

  test [step…]              every check, or only the steps named
  deps                      dependencies of each published crate beside its budget
  bench [filter]            our layers beside their peers; --gate: only whether one of ours
                            got dearer; --load: as servers
  fuzz [target] [seconds]   one fuzz target, or all of them
  doc                       API documentation, and the book where mdbook is installed

steps of `test`, in order:
",
    );
    for step in steps::STEPS {
        text.push_str(&format!("  {:<9} {}\n", step.name, step.about));
    }
    text
}
