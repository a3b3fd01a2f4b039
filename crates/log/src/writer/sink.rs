//! What can be written to.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use super::{Guard, Writer, file::File, queue::Queue, stdout::Stdout, thread::Thread};

/// Where lines go, and how many may wait.
///
/// ```
/// use buttress_log::Sink;
/// use std::time::Duration;
///
/// let (writer, guard) =
///     Sink::stderr().capacity(1024 * 1024).drain(Duration::from_secs(5)).open()?;
/// # let _ = (writer, guard);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Sink {
    target: Target,
    capacity: usize,
    drain: Duration,
}

enum Target {
    Stdout,
    Stderr,
    File(PathBuf),
    Other(Box<dyn Write + Send>),
}

/// The memory of a writer: at 500 bytes a line, 8,000 lines wait while as many are written.
const CAPACITY: usize = 8 * 1024 * 1024;

/// Less is not worth a thread.
const MIN_CAPACITY: usize = 4 * 1024;

/// How long the end of the process waits for a slow sink.
const DRAIN: Duration = Duration::from_secs(1);

impl Sink {
    const fn new(target: Target) -> Self {
        Self { target, capacity: CAPACITY, drain: DRAIN }
    }

    /// Standard output, where the twelve-factor app has its log.
    #[must_use]
    pub const fn stdout() -> Self {
        Self::new(Target::Stdout)
    }

    /// Standard error.
    #[must_use]
    pub const fn stderr() -> Self {
        Self::new(Target::Stderr)
    }

    /// A file, to the end of which lines are added. It and its folder are made where they are not.
    ///
    /// Rotation is left to others, such as logrotate. Once a second it is looked whether the file
    /// was renamed or removed; then a new one is opened under its name. `copytruncate` works too.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Target::File(path.into()))
    }

    /// Anything else. It may block, and it may fail or panic: lines are lost then, and the next
    /// that comes through says how many. What it logs itself, on the thread that writes, is not
    /// queued but counted as lost: each write would ask for another. It is flushed after each
    /// batch, and dropped before the [`Guard`]'s drop returns.
    #[must_use]
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        Self::new(Target::Other(Box::new(sink)))
    }

    /// How many bytes of memory the queue may take: half of it for lines that wait, half for those
    /// that are written out. 8 MiB unless said, and 4 KiB at least. The system gives the memory as
    /// it is used.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = if bytes < MIN_CAPACITY { MIN_CAPACITY } else { bytes };
        self
    }

    /// How long the [`Guard`] waits for the last lines when it is dropped. 1 second unless said.
    #[must_use]
    pub const fn drain(mut self, at_most: Duration) -> Self {
        self.drain = at_most;
        self
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// Those of opening the file or standard output, and of starting a thread.
    pub fn open(self) -> io::Result<(Writer, Guard)> {
        let is_stderr = matches!(self.target, Target::Stderr);
        let sink: Box<dyn Write + Send> = match self.target {
            Target::Stdout => Box::new(Stdout::open()?),
            Target::Stderr => Box::new(io::stderr()),
            Target::File(path) => Box::new(File::open(path)?),
            Target::Other(sink) => sink,
        };
        let queue = Arc::new(Queue::new(self.capacity));
        let thread = Thread::new(Arc::clone(&queue), sink);
        thread::Builder::new().name("buttress-log".into()).spawn(move || thread.run())?;
        let guard = Guard { queue: Arc::clone(&queue), drain: self.drain, is_stderr };
        Ok((Writer(queue), guard))
    }

    /// Whether it is a terminal, which somebody looks at.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match &self.target {
            Target::Stdout => io::stdout().is_terminal(),
            Target::Stderr => io::stderr().is_terminal(),
            Target::File(_) | Target::Other(_) => false,
        }
    }
}

/// What it is: `stdout`, the file's path.
impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Stdout => f.write_str("stdout"),
            Target::Stderr => f.write_str("stderr"),
            Target::File(path) => path.display().fmt(f),
            Target::Other(_) => f.write_str("<write>"),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("target", &format_args!("{self}"))
            .field("capacity", &self.capacity)
            .field("drain", &self.drain)
            .finish()
    }
}
