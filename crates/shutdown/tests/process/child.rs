//! The service's process, as its test sees it.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    time::{Duration, Instant},
};

/// Longer than anything here takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
}

impl Child {
    /// With these times in milliseconds, and other numbers.
    pub(crate) fn start(kind: &str, numbers: &[(&str, u32)]) -> Self {
        Self::start_by("exec \"$@\"", kind, numbers)
    }

    /// The same by a line of shell that runs `"$@"`.
    pub(crate) fn start_by(line: &str, kind: &str, numbers: &[(&str, u32)]) -> Self {
        let mut process = Command::new("sh")
            .args(["-c", line, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["service", "--exact", "--nocapture", "--test-threads=1"])
            .env("SHUTDOWN_TEST_SERVICE", kind)
            .envs(numbers.iter().map(|(name, number)| (*name, number.to_string())))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // libtest writes its own beginning on the same line.
                if let Some((_, line)) = line.split_once('@') {
                    let _ = sender.send(format!("@{line}"));
                }
            }
        });
        Self { process, lines }
    }

    /// Waits for a line that starts so.
    pub(crate) fn line(&self, start: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no {start}: {error}; there was {seen:#?}"),
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.line("@port ").trim_start_matches("@port ").parse().unwrap()
    }

    /// Waits until so many connections have been accepted.
    pub(crate) fn accepted(&self, number: usize) {
        self.line(&format!("@accepted {number}"));
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn lives_for(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// Waits for its end.
    pub(crate) fn status(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits for its end by itself.
    pub(crate) fn code(&mut self) -> i32 {
        let status = self.status();
        status.code().unwrap_or_else(|| panic!("{status}"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
