//! Setting up, by variables and by verbs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod output;

use std::process::Command;

use buttress_log::{Format, InitErrorKind, LogLevel, Schema, Setup, Sink, init};
use output::{Output, WAIT, parsed};
use tracing_subscriber::prelude::*;

/// What is written by a set-up with these variables.
fn written(variables: &[(&str, &str)]) -> String {
    let output = Output::default();
    let setup = Setup::new().sink(Sink::to(output.clone())).service("api");
    let setup = setup.vars(|name| {
        variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    });
    let (layer, guard) = setup.unwrap().layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::trace!("a trace");
        tracing::debug!("a debug");
        tracing::info!("an info");
        tracing::info!(target: "hyper::proto", "of hyper");
        tracing::warn!("a warning");
        tracing::error!("an error");
        tracing::error!(fatal = true, "the end");
    });
    assert!(guard.flush(WAIT));
    output.text()
}

fn messages(variables: &[(&str, &str)]) -> Vec<String> {
    let text = written(variables);
    text.lines().map(|line| parsed(line)["message"].as_str().unwrap().to_owned()).collect()
}

const ALL: [&str; 7] =
    ["a trace", "a debug", "an info", "of hyper", "a warning", "an error", "the end"];

#[test]
fn levels_are_set_by_log_level_and_rust_log() {
    for (variables, expected) in [
        (&[][..], &ALL[2..]),
        (&[("LOG_LEVEL", "")], &ALL[2..]),
        (&[("LOG_LEVEL", "warn")], &ALL[4..]),
        (&[("LOG_LEVEL", "ERROR")], &ALL[5..]),
        (&[("LOG_LEVEL", "fatal")], &ALL[6..]),
        (&[("LOG_LEVEL", "off")], &[]),
        (&[("RUST_LOG", "error")], &ALL[5..]),
        (&[("RUST_LOG", "warn,hyper=info")], &ALL[3..]),
        (&[("RUST_LOG", "hyper=info")], &ALL[3..4]),
        (&[("LOG_LEVEL", "info"), ("RUST_LOG", "error")], &ALL[5..]),
        // In production only for those who ask twice.
        (&[("LOG_LEVEL", "trace")], &ALL[2..]),
        (
            &[("RUST_LOG", "init=trace,hyper=error")],
            &["an info", "a warning", "an error", "the end"],
        ),
        (&[("LOG_LEVEL", "debug"), ("ALLOW_DEBUG", "true")], &ALL[1..]),
        (&[("RUST_LOG", "trace"), ("ALLOW_DEBUG", "true")], &ALL),
        (&[("LOG_LEVEL", "debug"), ("ALLOW_DEBUG", "false")], &ALL[2..]),
    ] {
        assert_eq!(messages(variables), expected, "{variables:?}");
    }
}

#[test]
fn in_development_debug_lines_need_no_leave() {
    let text = written(&[("LOG_FORMAT", "pretty"), ("LOG_LEVEL", "trace")]);
    assert_eq!(text.lines().count(), 7, "{text}");
}

#[test]
fn formats_are_set_by_log_format() {
    for (format, sign) in [
        ("auto", r#""level":"INFO""#),
        ("json", r#""service":"api""#),
        ("ecs", r#""log.level":"info""#),
        ("datadog", r#""status":"info""#),
        ("gcp", r#""severity":"INFO""#),
        ("otel", r#""SeverityNumber":9"#),
        ("pino", r#""level":30"#),
        ("cloudwatch", r#""msg":"an info""#),
        ("Pino", r#""level":30"#),
        ("pretty", " INFO  init "),
    ] {
        let text = written(&[("LOG_FORMAT", format)]);
        assert!(text.contains(sign), "{format}: {text}");
    }
}

#[test]
fn a_value_that_is_not_known_is_refused_with_those_that_are() {
    for (name, value, message) in [
        (
            "LOG_LEVEL",
            "loud",
            r#"LOG_LEVEL="loud": one of trace, debug, info, warn, error, fatal, off"#,
        ),
        (
            "LOG_FORMAT",
            "xml",
            "LOG_FORMAT=\"xml\": one of auto, pretty, json, ecs, datadog, gcp, otel, pino, \
             cloudwatch",
        ),
        ("ALLOW_DEBUG", "yes", r#"ALLOW_DEBUG="yes": true or false"#),
    ] {
        let error = Setup::new().vars(|other| (other == name).then(|| value.into())).unwrap_err();
        assert_eq!(error.kind(), InitErrorKind::InvalidVariable);
        assert_eq!(error.to_string(), message);
    }
    let wrong = |name: &str| (name == "RUST_LOG").then(|| "hyper=loud".into());
    let error = Setup::new().vars(wrong).unwrap_err().to_string();
    assert!(error.starts_with(r#"RUST_LOG="hyper=loud": "#), "{error}");
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let file = |name: &str| (name == "LOG_FILE").then(|| "/dev/null/app.log".into());
    let error = Setup::new().vars(file).unwrap().layer::<tracing_subscriber::Registry>();
    let error = error.map(drop).unwrap_err();
    assert_eq!(error.kind(), InitErrorKind::Sink);
    assert!(error.to_string().starts_with("cannot log to /dev/null/app.log: "), "{error}");
}

#[test]
fn verbs_have_the_last_word() {
    let output = Output::default();
    let setup = Setup::new().vars(|_| None).unwrap().sink(Sink::to(output.clone()));
    let setup = setup.format(Format::Json(Schema::pino())).level(LogLevel::Debug).allow_debug(true);
    let (layer, guard) = setup.field("version", "1").layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::debug!("hello");
    });
    assert!(guard.flush(WAIT));
    let line = parsed(output.text().trim());
    assert_eq!((&line["level"], &line["version"]), (&20.into(), &"1".into()));
}

/// What the child process of the tests below does.
#[test]
fn child() {
    if std::env::var_os("BUTTRESS_LOG_CHILD").is_none() {
        return;
    }
    let guard = init().unwrap();
    tracing::debug!("hidden");
    tracing::info!("shown");
    let error = init().unwrap_err();
    assert_eq!(error.kind(), InitErrorKind::AlreadySet);
    assert!(error.to_string().ends_with(" already: log by it, or by Setup::layer"), "{error}");
    drop(guard);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_and_not_guessed() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let mut child = child_process();
    child.env("LOG_FILE", OsStr::from_bytes(b"/tmp/\xff.log"));
    let output = child.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("LOG_FILE=") && text.contains("not UTF-8"), "{text}");
}

fn child_process() -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env("BUTTRESS_LOG_CHILD", "1");
    for name in ["LOG_FORMAT", "LOG_LEVEL", "RUST_LOG", "LOG_FILE", "ALLOW_DEBUG"] {
        child.env_remove(name);
    }
    child
}

fn run(variables: &[(&str, &str)]) -> String {
    let output = child_process().envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn one_call_logs_to_standard_output_and_flushes_at_the_end() {
    let text = run(&[]);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("\"level\"")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    let line = lines[0].get(lines[0].find('{').unwrap()..).unwrap();
    assert_eq!(parsed(line)["message"], "shown");
}

#[test]
fn asking_for_debug_in_production_is_answered_by_a_warning() {
    let text = run(&[("LOG_LEVEL", "debug")]);
    assert!(text.contains("unless ALLOW_DEBUG=true"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
    let text = run(&[("RUST_LOG", "init=debug")]);
    assert!(text.contains("unless ALLOW_DEBUG=true"), "whatever the targets: {text}");
    let text = run(&[("LOG_LEVEL", "debug"), ("ALLOW_DEBUG", "true")]);
    assert!(text.contains("hidden") && !text.contains("unless"), "{text}");
}
