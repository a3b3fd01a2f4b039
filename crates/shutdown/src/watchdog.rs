//! What has to work whatever the runtime does: a thread, and what the kernel calls.
//!
//! tokio delivers a signal, and a timer, on its worker threads. Where all of them are blocked it
//! delivers neither, so neither is left to it.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::sync_channel,
    },
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

use crate::{report::Cause, shutdown::Shared};

/// Each with its code where it is the second one: 128 and its number, as a shell has it.
const SIGNALS: [(i32, i32); 2] = [(SIGTERM, 143), (SIGINT, 130)];

/// A subscriber may wait for a lock that a blocked thread has.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The ends of what wakes the thread.
#[derive(Debug)]
pub(crate) struct Wires {
    pub(crate) wake: UnixStream,
    reader: UnixStream,
    signal: Arc<AtomicUsize>,
}

/// Takes the signals. From here on they neither end the process nor get lost.
pub(crate) fn install() -> io::Result<Wires> {
    let (wake, reader) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    let seen = Arc::new(AtomicBool::new(false));
    let signal = Arc::new(AtomicUsize::new(0));
    for (number, code) in SIGNALS {
        // The number comes first: from the first of these on the signal does not end the process
        // any more, and one between them must not get lost. The thread looks before it waits.
        let value = usize::try_from(number).unwrap_or_default();
        flag::register_usize(number, Arc::clone(&signal), value)?;
        low_level::pipe::register(number, wake.try_clone()?)?;
        // In this order: the first signal finds the flag down, and leaves it up. The second ends
        // the process there and then, in the handler.
        flag::register_conditional_shutdown(number, code, Arc::clone(&seen))?;
        flag::register(number, Arc::clone(&seen))?;
    }
    Ok(Wires { wake, reader, signal })
}

impl Wires {
    /// Starts the thread, and gives what wakes it.
    pub(crate) fn watch(self, shared: Arc<Shared>) -> io::Result<()> {
        let Self { reader, signal, .. } = self;
        thread::Builder::new()
            .name("shutdown".to_owned())
            .spawn(move || watch(reader, &signal, &shared))
            .map(drop)
    }
}

/// It runs nobody else's code, which might block: not who is woken, and no log.
fn watch(mut reader: UnixStream, signal: &AtomicUsize, shared: &Arc<Shared>) {
    loop {
        let number = signal.load(Ordering::SeqCst);
        if number != 0 {
            shared.trigger_aside(Cause::Signal(i32::try_from(number).unwrap_or_default()));
        }
        if let Some((_, began)) = shared.began.get() {
            park_until(*began + shared.plan.deadline());
            force(shared);
        }
        let _ = reader.read(&mut [0; 16]);
    }
}

/// Not a read with a timeout: for that Linux has its coarse timers only, which are late by up to
/// an eighth of the time, and at half a minute by more than the whole margin.
fn park_until(deadline: Instant) {
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

/// The deadline: the process ends here.
fn force(shared: &Arc<Shared>) -> ! {
    let (said, done) = sync_channel::<()>(1);
    let (cause, open) =
        (shared.began.get().map(|(cause, _)| cause.clone()), shared.connections.open());
    let _ = thread::Builder::new().spawn(move || {
        tracing::error!(?cause, open, code = 1, "the deadline of the shutdown has passed");
        let _ = said.send(());
    });
    let _ = done.recv_timeout(LAST_WORDS);
    low_level::exit(1)
}
