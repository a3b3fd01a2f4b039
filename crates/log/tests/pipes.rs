//! The writer at the end of real pipes, sockets and files, that are frozen, broken and full.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod output;

use std::{
    convert::Infallible,
    io::{self, BufRead, BufReader, PipeReader, Read},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::sync_channel,
    thread,
    time::Duration,
};

use buttress_log::{AccessLog, Guard, JsonLayer, Setup, Sink, Writer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use output::{WAIT, parsed};
use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::prelude::*;

/// The lines of a pipe, and how many its notices say were lost.
fn read(pipe: impl Read) -> (u64, u64) {
    let (mut lines, mut lost) = (0, 0);
    for line in BufReader::new(pipe).lines() {
        let line = parsed(&line.unwrap());
        match line["lost"].as_u64() {
            Some(count) => lost += count,
            None => lines += 1,
        }
    }
    (lines, lost)
}

/// So many requests, each answered and each with a line.
fn serve(writer: &Writer, requests: u64) {
    let subscriber = tracing_subscriber::registry().with(JsonLayer::new(writer.clone()));
    let service = AccessLog::new().layer().layer(service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            for _ in 0..requests {
                let answer = service.clone().oneshot(Request::default()).await.unwrap();
                answer.into_body().collect().await.unwrap();
            }
        });
    });
}

/// More than a pipe of 64 KiB and a queue of as much hold together.
const REQUESTS: u64 = 5000;

fn frozen() -> (PipeReader, Writer, Guard) {
    let (reader, pipe) = io::pipe().unwrap();
    let (writer, guard) = Sink::to(pipe).capacity(64 * 1024).drain(WAIT).open().unwrap();
    let (served, is_served) = sync_channel(1);
    let requests = writer.clone();
    thread::spawn(move || {
        serve(&requests, REQUESTS);
        served.send(()).unwrap();
    });
    is_served.recv_timeout(WAIT).expect("a request waits for the reader of the log");
    assert!(writer.lost() > 0, "it takes more to fill the pipe");
    assert!(!guard.flush(Duration::ZERO));
    (reader, writer, guard)
}

#[test]
fn requests_are_served_while_nobody_reads_the_log_and_the_loss_is_told_when_somebody_does() {
    let (reader, writer, guard) = frozen();
    let lost = writer.lost();
    let reading = thread::spawn(|| read(reader));
    assert!(guard.flush(WAIT));
    assert!(guard.flush(WAIT), "the notice is out too");
    // It was told at once, and not only at the end.
    assert_eq!(writer.lost(), lost);
    serve(&writer, 1);
    drop((guard, writer));
    assert_eq!(reading.join().unwrap(), (REQUESTS + 1 - lost, lost));
}

#[test]
fn what_was_lost_is_told_at_the_end_too() {
    let (reader, writer, guard) = frozen();
    let lost = writer.lost();
    let ending = thread::spawn(move || drop(guard));
    assert_eq!(read(reader), (REQUESTS - lost, lost));
    ending.join().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_loses_what_is_written_to_it_and_nothing_else() {
    let (writer, guard) = Sink::file("/dev/full").open().unwrap();
    serve(&writer, 3);
    assert!(!guard.flush(WAIT));
    assert_eq!(writer.lost(), 3);
    serve(&writer, 2);
    assert!(!guard.flush(WAIT));
    assert_eq!(writer.lost(), 5);
}

/// What the child process of the tests below does.
#[test]
fn child() {
    let Some(lines) = std::env::var_os("BUTTRESS_LOG_CHILD") else { return };
    let lines: u64 = lines.to_str().unwrap().parse().unwrap();
    // Until it is told to begin.
    io::read_to_string(io::stdin()).unwrap();
    let (layer, guard) = Setup::new().sink(Sink::stdout()).layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for count in 0..lines {
            tracing::info!(count, "a line of some length, so that it takes fewer to fill a pipe");
        }
    });
    // The test of the socket waits for this.
    if std::env::var_os("BUTTRESS_LOG_TELLS").is_some() {
        eprintln!("logged");
    }
    drop(guard);
    // The harness writes to standard output, and panics where it cannot.
    std::process::exit(0);
}

fn command(lines: u64) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture", "--quiet"]).stdin(Stdio::null());
    child.env("BUTTRESS_LOG_CHILD", lines.to_string());
    child
}

fn ended(mut child: Child) -> ExitStatus {
    let (end, is_end) = sync_channel(1);
    thread::spawn(move || end.send(child.wait().unwrap()));
    is_end.recv_timeout(WAIT).expect("it waits for ever")
}

#[test]
fn a_process_ends_though_nobody_reads_its_output_nor_its_errors() {
    let (_reader, pipe) = io::pipe().unwrap();
    let errors = pipe.try_clone().unwrap();
    let child = command(5000).stdout(pipe).stderr(errors).spawn().unwrap();
    assert!(ended(child).success());
}

#[test]
fn a_process_whose_output_nobody_reads_any_more_goes_on_and_says_what_it_lost() {
    let (reader, pipe) = io::pipe().unwrap();
    let (mut errors, told) = io::pipe().unwrap();
    let (wait, begin) = io::pipe().unwrap();
    let child = command(3).stdin(wait).stdout(pipe).stderr(told).spawn().unwrap();
    // The harness panics where it cannot say what it does.
    let mut lines = BufReader::new(reader).lines();
    lines.find(|line| line.as_ref().unwrap() == "running 1 test").unwrap().unwrap();
    drop(lines);
    drop(begin);
    assert!(ended(child).success());
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(text, "buttress-log: log lines lost: 3\n");
}

#[test]
fn output_that_does_not_block_gets_all_lines_when_it_is_read() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let (errors, told) = io::pipe().unwrap();
    let mut child = command(10_000);
    child.env("BUTTRESS_LOG_TELLS", "1").stdout(OwnedFd::from(theirs)).stderr(told);
    let running = child.spawn().unwrap();
    // So that nobody but the child has them.
    drop(child);
    let mut errors = BufReader::new(errors).lines();
    assert_eq!(errors.next().unwrap().unwrap(), "logged");
    let lines = BufReader::new(ours).lines().map(Result::unwrap);
    // The harness begins with a word of its own.
    let text: Vec<String> = lines.skip_while(|line| !line.starts_with('{')).collect();
    for (count, line) in text.iter().enumerate() {
        assert_eq!(parsed(line)["count"], count);
    }
    assert_eq!(text.len(), 10_000);
    assert!(ended(running).success());
    assert!(errors.next().is_none(), "nothing is lost");
}
