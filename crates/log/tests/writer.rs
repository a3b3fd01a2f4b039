//! The writer: what it does when its sink is slow, full, broken or gone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod output;

use std::{
    fs,
    io::{self, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use buttress_core::source::Metrics;
use buttress_log::{Guard, JsonLayer, Schema, Sink, Writer};
use output::{Output, WAIT, parsed};
use tracing_subscriber::prelude::*;

/// A sink that takes nothing until it is told to, and tells when it is asked.
struct Gate {
    output: Output,
    asked: SyncSender<()>,
    open: Receiver<()>,
    is_open: bool,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_open {
            let _ = self.asked.try_send(());
            // Open when there is nobody left to open it.
            let _ = self.open.recv();
            self.is_open = true;
        }
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gate() -> (Gate, Output, Receiver<()>, SyncSender<()>) {
    let (asked, is_asked) = sync_channel(1);
    let (opened, open) = sync_channel(1);
    let output = Output::default();
    let gate = Gate { output: output.clone(), asked, open, is_open: false };
    (gate, output, is_asked, opened)
}

const LINE: &[u8] =
    b"{\"a line\":\"of some bytes, so that it takes some to fill a queue with them\"}\n";

/// Fills the queue of a sink that is shut. Answers how many lines there are in all.
fn fill(writer: &Writer, is_asked: &Receiver<()>) -> u64 {
    writer.push(LINE);
    is_asked.recv_timeout(WAIT).unwrap();
    let mut pushed = 1;
    while writer.lost() < 7 {
        writer.push(LINE);
        pushed += 1;
    }
    pushed
}

#[test]
fn a_sink_that_blocks_stalls_nobody_and_the_loss_is_told_in_its_place() {
    let (gate, output, is_asked, open) = gate();
    let (writer, guard) = Sink::to(gate).capacity(8192).open().unwrap();
    let subscriber = tracing_subscriber::registry()
        .with(JsonLayer::new(writer.clone()).schema(Schema::ecs()).service("api"));
    let started = Instant::now();
    let pushed = tracing::subscriber::with_default(subscriber, || fill(&writer, &is_asked));
    assert!(started.elapsed() < WAIT, "it waited for the sink");
    assert!(!guard.flush(Duration::from_millis(20)), "nothing is out yet");
    open.send(()).unwrap();
    assert!(guard.flush(WAIT));
    writer.push(LINE);
    assert!(guard.flush(WAIT));
    let text = output.text();
    let notice = text.lines().position(|line| line.contains("log lines lost")).unwrap();
    let line = parsed(text.lines().nth(notice).unwrap());
    assert_eq!((&line["lost"], &line["log.level"]), (&7.into(), &"warn".into()));
    assert_eq!(
        (&line["service.name"], &line["log.logger"]),
        (&"api".into(), &"buttress_log".into())
    );
    // After those that came before the loss, before the one that came after it.
    assert_eq!(notice as u64, pushed - 7);
    assert_eq!(text.lines().count() as u64, pushed - 7 + 2);
    assert_eq!(writer.lost(), 7);
}

#[test]
fn dropping_the_guard_writes_what_is_left() {
    let (gate, output, is_asked, open) = gate();
    let (writer, guard) = Sink::to(gate).drain(WAIT).open().unwrap();
    writer.push(LINE);
    is_asked.recv_timeout(WAIT).unwrap();
    for _ in 0..1000 {
        writer.push(LINE);
    }
    open.send(()).unwrap();
    drop(guard);
    assert_eq!(output.text().lines().count(), 1001);
    writer.push(LINE);
    assert_eq!(writer.lost(), 1, "it comes too late");
}

#[test]
fn dropping_the_guard_does_not_wait_for_a_sink_for_ever() {
    let (gate, _output, is_asked, open) = gate();
    let (writer, guard) = Sink::to(gate).drain(Duration::from_millis(50)).open().unwrap();
    writer.push(LINE);
    is_asked.recv_timeout(WAIT).unwrap();
    let started = Instant::now();
    drop(guard);
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert!(started.elapsed() < WAIT);
    drop(open);
}

/// Fails while it is told to, after it has taken so many bytes.
struct Broken {
    output: Output,
    broken: Arc<AtomicBool>,
    takes: Arc<AtomicUsize>,
    error: io::ErrorKind,
}

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.broken.load(SeqCst) {
            return self.output.write(bytes);
        }
        match self.takes.swap(0, SeqCst).min(bytes.len()) {
            0 => Err(self.error.into()),
            some => self.output.write(&bytes[..some]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_loses_lines_and_not_the_thread() {
    for (error, takes, whole) in [
        (io::ErrorKind::BrokenPipe, 0, 0),
        (io::ErrorKind::StorageFull, LINE.len(), 1),
        (io::ErrorKind::StorageFull, LINE.len() + 10, 1),
    ] {
        let output = Output::default();
        let broken = Arc::new(AtomicBool::new(true));
        let sink = Broken {
            output: output.clone(),
            broken: Arc::clone(&broken),
            takes: Arc::new(takes.into()),
            error,
        };
        let (writer, guard) = Sink::to(sink).open().unwrap();
        writer.push(&LINE.repeat(3));
        assert!(!guard.flush(WAIT), "{error}: they are lost");
        assert_eq!(writer.lost(), 3 - whole);
        broken.store(false, SeqCst);
        writer.push(LINE);
        assert!(guard.flush(WAIT));
        let text = output.text();
        // A torn line is ended, so that it takes no whole one with it.
        let torn = u64::from(takes % LINE.len() > 0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len() as u64, whole + torn + 2, "{text}");
        let [.., line, notice] = lines[..] else { panic!("{text}") };
        assert_eq!(format!("{line}\n").as_bytes(), LINE);
        assert_eq!(parsed(notice)["lost"], 3 - whole);
    }
}

/// Would block, now and then, and is interrupted by a signal.
struct Nonblocking(Output, u8);

impl Write for Nonblocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 = (self.1 + 1) % 3;
        match self.1 {
            1 => Err(io::ErrorKind::WouldBlock.into()),
            2 => Err(io::ErrorKind::Interrupted.into()),
            _ => self.0.write(&bytes[..bytes.len().min(50)]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_takes_little_at_a_time_gets_all_of_it() {
    let output = Output::default();
    let (writer, guard) = Sink::to(Nonblocking(output.clone(), 0)).open().unwrap();
    writer.push(&LINE.repeat(5));
    assert!(guard.flush(WAIT));
    assert_eq!(output.text().as_bytes(), LINE.repeat(5));
}

/// Panics where it is told to, once.
struct Panics {
    output: Output,
    in_flush: bool,
    panicked: bool,
}

impl Panics {
    fn now(&mut self, in_flush: bool) {
        assert!(
            self.panicked || self.in_flush != in_flush || {
                self.panicked = true;
                false
            }
        );
    }
}

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.now(false);
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.now(true);
        Ok(())
    }
}

#[test]
fn a_sink_that_panics_is_one_that_fails() {
    for (in_flush, lost) in [(false, 3), (true, 0)] {
        let output = Output::default();
        let sink = Panics { output: output.clone(), in_flush, panicked: false };
        let (writer, guard) = Sink::to(sink).open().unwrap();
        writer.push(&LINE.repeat(3));
        assert!(!guard.flush(WAIT));
        assert_eq!(writer.lost(), lost);
        assert!(guard.flush(WAIT), "it is tried again");
        writer.push(LINE);
        assert!(guard.flush(WAIT));
        assert_eq!(output.text().lines().count() as u64, if in_flush { 4 } else { 2 });
    }
}

/// Keeps what it is given until it is flushed, which may fail, or dropped.
struct Keeps {
    output: Output,
    kept: Vec<u8>,
    fails: Arc<AtomicBool>,
}

impl Write for Keeps {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.fails.load(SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.output.write_all(&std::mem::take(&mut self.kept))
    }
}

impl Drop for Keeps {
    fn drop(&mut self) {
        // A guard that did not wait would be gone by then.
        let (_never, slow) = sync_channel::<()>(1);
        let _ = slow.recv_timeout(Duration::from_millis(20));
        self.output.write_all(&self.kept).unwrap();
    }
}

#[test]
fn lines_that_a_sink_keeps_to_itself_are_not_flushed() {
    let (output, fails) = (Output::default(), Arc::new(AtomicBool::new(true)));
    let sink = Keeps { output: output.clone(), kept: Vec::new(), fails: Arc::clone(&fails) };
    let (writer, guard) = Sink::to(sink).drain(WAIT).open().unwrap();
    writer.push(LINE);
    assert!(!guard.flush(WAIT));
    assert_eq!((output.text().as_str(), writer.lost()), ("", 0));
    fails.store(false, SeqCst);
    assert!(guard.flush(WAIT));
    assert_eq!(output.text().as_bytes(), LINE);
    // The sink may write when it is dropped: the guard waits for that.
    fails.store(true, SeqCst);
    writer.push(LINE);
    drop(guard);
    assert_eq!(output.text().as_bytes(), LINE.repeat(2));
}

/// Logs for each write what it has done, to itself.
struct Talks(Output, Arc<OnceLock<Writer>>);

impl Write for Talks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.get().unwrap().push(b"written\n");
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_logs_does_not_keep_itself_busy() {
    let (output, itself) = (Output::default(), Arc::new(OnceLock::new()));
    let sink = Talks(output.clone(), Arc::clone(&itself));
    let (writer, guard) = Sink::to(sink).open().unwrap();
    itself.set(writer.clone()).unwrap();
    for count in 1..4 {
        writer.push(LINE);
        assert!(guard.flush(WAIT));
        assert_eq!(writer.lost(), count);
    }
    assert_eq!(output.text().as_bytes(), LINE.repeat(3));
}

/// Says when it is written to.
struct Says(Output, SyncSender<()>);

impl Write for Says {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes);
        self.1.send(()).unwrap();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_is_lost_while_nothing_else_is_logged_is_told() {
    let (said, is_said) = sync_channel(8);
    let output = Output::default();
    let (writer, _guard) = Sink::to(Says(output.clone(), said)).capacity(8192).open().unwrap();
    for _ in 0..2 {
        writer.push(&[b"x".repeat(5000), b"\n".to_vec()].concat());
        is_said.recv_timeout(WAIT).unwrap();
    }
    let text = output.text();
    let lost: Vec<_> = text.lines().map(|line| parsed(line)["lost"].as_u64().unwrap()).collect();
    assert_eq!(lost, [1, 1]);
}

#[test]
fn who_does_not_stop_logging_does_not_keep_the_guard() {
    let output = Output::default();
    let (writer, guard) = Sink::to(output.clone()).drain(WAIT).open().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let logging = scope.spawn(|| {
            let mut pushed = 0;
            while !stop.load(SeqCst) {
                writer.push(LINE);
                pushed += 1;
            }
            pushed
        });
        while output.text().is_empty() {
            std::thread::yield_now();
        }
        let started = Instant::now();
        drop(guard);
        assert!(started.elapsed() < WAIT);
        stop.store(true, SeqCst);
        let pushed: u64 = logging.join().unwrap();
        let text = output.text();
        let lines = text.lines().filter(|line| !line.contains("log lines lost")).count();
        assert_eq!(pushed, lines as u64 + writer.lost(), "each is written or counted");
    });
}

#[test]
fn a_flush_fails_for_the_lines_before_it_alone() {
    let (gate, _output, is_asked, open) = gate();
    let (writer, guard) = Sink::to(gate).capacity(8192).open().unwrap();
    writer.push(LINE);
    is_asked.recv_timeout(WAIT).unwrap();
    std::thread::scope(|scope| {
        let flushing = scope.spawn(|| guard.flush(WAIT));
        while writer.lost() < 7 {
            writer.push(LINE);
        }
        open.send(()).unwrap();
        assert!(flushing.join().unwrap());
    });
}

/// Counts how often it is written to.
struct Counted(Arc<AtomicUsize>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(1, SeqCst);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn many_lines_are_few_writes() {
    let writes = Arc::new(AtomicUsize::new(0));
    let (writer, guard) = Sink::to(Counted(Arc::clone(&writes))).open().unwrap();
    let started = Instant::now();
    for _ in 0..10_000 {
        writer.push(LINE);
    }
    assert!(guard.flush(WAIT));
    // One each 5 ms, however long it took, and those of the flush.
    let most = started.elapsed().as_millis() / 5 + 3;
    assert!((writes.load(SeqCst) as u128) <= most, "{writes:?} writes");
}

#[test]
fn lines_of_many_threads_stay_whole_and_in_each_threads_order() {
    let output = Output::default();
    let (writer, guard) = Sink::to(output.clone()).open().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let writer = writer.clone();
            scope.spawn(move || {
                for count in 0..1000 {
                    writer
                        .push(format!("{thread} {count} {}\n", "x".repeat(count % 90)).as_bytes());
                }
            });
        }
    });
    assert!(guard.flush(WAIT));
    let mut next = [0; 8];
    for line in output.text().lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (thread, count) = (number(), number());
        assert_eq!(count, next[thread]);
        next[thread] += 1;
        assert_eq!(words.next().unwrap().len(), count % 90);
    }
    assert_eq!(next, [1000; 8]);
    assert_eq!(writer.lost(), 0);
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("buttress-log-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn a_file_is_made_with_its_folder_and_added_to() {
    let folder = folder("made");
    let path = folder.join("logs/app.log");
    for _ in 0..2 {
        let (writer, _guard): (Writer, Guard) = Sink::file(&path).drain(WAIT).open().unwrap();
        writer.push(LINE);
    }
    assert_eq!(fs::read(&path).unwrap(), LINE.repeat(2));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_was_truncated_begins_anew() {
    let folder = folder("truncated");
    let path = folder.join("app.log");
    let (writer, guard) = Sink::file(&path).open().unwrap();
    writer.push(&LINE.repeat(10));
    assert!(guard.flush(WAIT));
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    writer.push(LINE);
    assert!(guard.flush(WAIT));
    assert_eq!(fs::read(&path).unwrap(), LINE, "no hole before it");
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_was_renamed_gets_a_successor() {
    let folder = folder("renamed");
    let (path, old) = (folder.join("app.log"), folder.join("app.log.1"));
    let (writer, guard) = Sink::file(&path).open().unwrap();
    writer.push(LINE);
    assert!(guard.flush(WAIT));
    fs::rename(&path, &old).unwrap();
    // It looks once a second; lines go to the old file until then.
    let started = Instant::now();
    let mut pushed = 1;
    while !path.exists() {
        assert!(started.elapsed() < WAIT, "no successor");
        writer.push(LINE);
        pushed += 1;
        assert!(guard.flush(WAIT));
    }
    assert_eq!(fs::read(&path).unwrap(), LINE);
    assert_eq!(fs::read(&old).unwrap(), LINE.repeat(pushed - 1));
    assert_eq!(writer.lost(), 0);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let error = Sink::file("/dev/null/app.log").open().unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists));
}

#[test]
fn a_line_that_no_queue_could_hold_is_lost_alone() {
    let output = Output::default();
    let (writer, guard) = Sink::to(output.clone()).capacity(8192).open().unwrap();
    writer.push(&[b"x".repeat(5000), b"\n".to_vec()].concat());
    writer.push(LINE);
    assert!(guard.flush(WAIT));
    assert_eq!(writer.lost(), 1);
    assert_eq!(output.text().lines().next().unwrap().len() + 1, LINE.len());
}

#[test]
fn its_numbers_can_be_scraped() {
    let (writer, guard) = Sink::to(io::sink()).capacity(8192).open().unwrap();
    writer.push(&LINE.repeat(3));
    writer.push(&[b"x".repeat(5000), b"\n".to_vec()].concat());
    let _ = guard.flush(WAIT);
    let mut samples = Vec::new();
    writer.collect(&mut |sample| samples.push((sample.name.to_owned(), sample.value)));
    let [(lines, 3.0), (lost, 1.0), (bytes, written)] = &samples[..] else { panic!("{samples:?}") };
    assert_eq!(lines, "log_lines_total");
    assert_eq!(lost, "log_lines_lost_total");
    assert_eq!(bytes, "log_bytes_total");
    assert!(*written >= (3 * LINE.len()) as f64);
}

#[test]
fn layers_of_others_may_write_to_it() {
    let output = Output::default();
    let (writer, guard) = Sink::to(output.clone()).open().unwrap();
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(fmt);
    tracing::subscriber::with_default(subscriber, || tracing::info!("hello"));
    assert!(guard.flush(WAIT));
    assert!(output.text().ends_with("INFO writer: hello\n"), "{}", output.text());
}
