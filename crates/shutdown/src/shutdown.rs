//! The handle that everybody has.

use std::{
    borrow::Cow,
    fmt,
    os::unix::net::UnixStream,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use buttress_core::lifecycle::{Lifecycle, State};
use tokio::{net::TcpListener, runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Connection,
    course,
    error::{ConfigError, ConfigErrorKind},
    gauge::Gauge,
    latch::Latch,
    listener::Listener,
    phase::{Phase, PhaseEnd, text},
    plan::{Plan, in_range},
    report::{Cause, Report},
    requests::DrainLayer,
    tasks::Tasks,
    watchdog::{self, Wires},
};

/// The shutdown of a process: begins it, runs it, tells of it. A clone is another handle to it.
///
/// ```no_run
/// use buttress_shutdown::{Plan, Report, Shutdown};
/// # async fn connect() -> Result<(), std::io::Error> { Ok(()) }
///
/// #[tokio::main]
/// async fn main() -> Result<Report, Box<dyn std::error::Error>> {
///     let shutdown = Shutdown::new(Plan::docker())?;
///     // From here on a SIGTERM is neither lost nor fatal: it ends the boot.
///     let Some(connected) = shutdown.boot(connect()).await else {
///         return Ok(shutdown.wait().await);
///     };
///     connected?;
///     // Serve.
///     Ok(shutdown.wait().await)
/// }
/// ```
#[derive(Clone)]
pub struct Shutdown(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) runtime: Handle,
    pub(crate) began: OnceLock<(Cause, Instant)>,
    pub(crate) notified: Latch,
    pub(crate) not_accepting: Latch,
    pub(crate) killed: Latch,
    pub(crate) stop_tasks: CancellationToken,
    pub(crate) connections: Arc<Gauge>,
    pub(crate) requests: Arc<Gauge>,
    pub(crate) tasks: Tasks,
    pub(crate) report: watch::Sender<Option<Report>>,
    wake: Option<UnixStream>,
    has_served: AtomicBool,
    phases: Mutex<Phases>,
}

struct Phases {
    left: Duration,
    // None once they run.
    list: Option<Vec<Phase>>,
}

impl Shutdown {
    /// The shutdown of this process. From here on SIGTERM and SIGINT begin it; the second one of
    /// them, of either kind, ends the process at once, with 143 or 130. Once it has begun, the
    /// process ends by the deadline, with 1, even where every thread of the runtime is blocked or
    /// `main` does not return.
    ///
    /// # Errors
    /// When the plan is refused; outside of a tokio runtime; when the process has one already.
    pub fn new(plan: Plan) -> Result<Self, ConfigError> {
        static TAKEN: AtomicBool = AtomicBool::new(false);

        let (left, runtime) = (plan.check()?, runtime()?);
        if TAKEN.swap(true, Ordering::SeqCst) {
            let message = "the process has a shutdown already: clone it";
            return Err(ConfigError::new(ConfigErrorKind::Signals, message));
        }
        let wires = watchdog::install().map_err(|error| no_signals(&error))?;
        let wake = wires.wake.try_clone().map_err(|error| no_signals(&error))?;
        let shutdown = Self::start(plan, left, runtime, Some(wake));
        Wires::watch(wires, Arc::clone(&shutdown.0)).map_err(|error| no_signals(&error))?;
        Ok(shutdown)
    }

    /// One that takes no signal and never ends the process: for tests, and for a service within
    /// another program. It runs on this runtime, and does not outlive it: who waits for its report
    /// from elsewhere then waits for ever. A process may have many.
    ///
    /// # Errors
    /// When the plan is refused; outside of a tokio runtime.
    pub fn embedded(plan: Plan) -> Result<Self, ConfigError> {
        let (left, runtime) = (plan.check()?, runtime()?);
        Ok(Self::start(plan, left, runtime, None))
    }

    fn start(plan: Plan, left: Duration, runtime: Handle, wake: Option<UnixStream>) -> Self {
        let shared = Arc::new(Shared {
            plan,
            began: OnceLock::new(),
            notified: Latch::default(),
            not_accepting: Latch::default(),
            killed: Latch::default(),
            stop_tasks: CancellationToken::new(),
            connections: Arc::default(),
            requests: Arc::default(),
            tasks: Tasks::default(),
            report: watch::Sender::new(None),
            wake,
            has_served: AtomicBool::new(false),
            phases: Mutex::new(Phases { left, list: Some(Vec::new()) }),
            runtime,
        });
        shared.runtime.spawn(course::run(Arc::clone(&shared)));
        Self(shared)
    }

    /// Adds what is to be let go of at the end: after connections and tasks, and after the phases
    /// that were added before. It gets at most `time`, which is more than zero, and less where less
    /// is left. One that fails, panics or hangs is reported, and the next one runs. It may answer nothing, or a
    /// `Result`.
    ///
    /// ```
    /// use buttress_shutdown::{ConfigErrorKind, Plan, Shutdown};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), buttress_shutdown::ConfigError> {
    /// # let secs = Duration::from_secs;
    /// # async fn close() -> Result<(), std::io::Error> { Ok(()) }
    /// let shutdown = Shutdown::embedded(Plan::docker())?;
    /// shutdown.phase("rabbitmq", secs(1), close())?;
    /// shutdown.phase("postgres", secs(2), async { /* pool.close() */ })?;
    /// let refused = shutdown.phase("one too many", secs(1), close());
    /// assert_eq!(refused.unwrap_err().kind(), ConfigErrorKind::Fit);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it has no time; when it does not fit into what the plan and the other phases leave of
    /// the grace; when the phases run already.
    pub fn phase<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        time: Duration,
        future: F,
    ) -> Result<(), ConfigError>
    where
        F: Future<Output: PhaseEnd> + Send + 'static,
    {
        let name = name.into();
        in_range(&format!("phase {name}: a time"), time, false)?;
        let mut phases = self.0.phases();
        let left = phases.left;
        let Some(list) = &mut phases.list else {
            let message = format!("phase {name}: the phases run already");
            return Err(ConfigError::new(ConfigErrorKind::Late, message));
        };
        let Some(rest) = left.checked_sub(time) else {
            let message = format!("phase {name}: {time:?} does not fit, {left:?} is left");
            return Err(ConfigError::new(ConfigErrorKind::Fit, message));
        };
        let future = Box::pin(async { future.await.error().as_ref().map(text) });
        list.push(Phase { name, time, future });
        phases.left = rest;
        Ok(())
    }

    /// Begins the shutdown. True where this has; false, and nothing else, where it had begun.
    pub fn trigger(&self) -> bool {
        self.0.trigger(Cause::Requested)
    }

    /// Runs `boot` until it is done, and then the service is running; or drops it when the
    /// shutdown begins first, and answers `None`. What it had added as phases is run.
    pub async fn boot<F: Future>(&self, boot: F) -> Option<F::Output> {
        // The phases close what it opens, so they wait for it as they do for tasks.
        let counted = self.0.tasks.gauge.enter();
        let booted = tokio::select! {
            biased;
            () = self.0.notified.wait() => None,
            booted = boot => Some(booted),
        };
        drop(counted);
        if booted.is_some() {
            tell(|| {
                self.0.plan.lifecycle.advance(State::Running);
            });
        }
        booted
    }

    /// A listener whose connections are waited for and closed.
    #[must_use]
    pub fn listener(&self, tcp: TcpListener) -> Listener {
        self.0.serves();
        let closing = self.0.not_accepting.wait();
        Listener::new(tcp, closing, self.clone())
    }

    /// The same for one stream, of whatever kind, from an accept loop of one's own. Wrap what was
    /// accepted, before TLS is put upon it.
    #[must_use]
    pub fn connection<T>(&self, io: T) -> Connection<T> {
        self.0.serves();
        Connection::new(io, Arc::clone(&self.0))
    }

    /// Counts requests until their bodies have ended, and says `Connection: close` on HTTP/1 from
    /// the first notice on.
    pub fn layer(&self) -> DrainLayer {
        DrainLayer::new(Arc::clone(&self.0))
    }

    /// Runs a server to its end; or to the end of the shutdown, and then drops it and answers
    /// `None`. So a server that waits for what nobody can end does not keep the report back.
    pub async fn serve<F: IntoFuture>(&self, server: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = server.into_future() => Some(output),
            _ = self.wait() => None,
        }
    }

    /// Runs `task` in the background, under supervision. Its token is cancelled once connections
    /// have drained; then it has [`Plan::tasks`] to end, and is aborted. A panic of it begins the
    /// shutdown, with exit code 101. Its end is none.
    pub fn spawn<F, T>(&self, name: impl Into<Cow<'static, str>>, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let (name, shared) = (name.into(), Arc::clone(&self.0));
        let counted = shared.tasks.gauge.enter();
        let task = shared.runtime.spawn(task(shared.stop_tasks.child_token()));
        let id = shared.tasks.started(name.clone(), task.abort_handle());
        self.0.runtime.spawn(async move {
            let ended = task.await;
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!(task = %name, "a supervised task panicked");
                shared.tasks.panicked(name.clone());
                shared.trigger(Cause::TaskPanicked(name));
            }
            shared.tasks.ended(id);
            drop(counted);
        });
    }

    /// From here on any panic of the process begins the shutdown, with exit code 101, be it caught
    /// afterwards or not; the panic hook that was set before runs first.
    ///
    /// Not the default, and not for a service whose handlers a stranger can make panic: he could
    /// switch it off, one crafted request an instance. Tasks that must not die go to
    /// [`spawn`](Self::spawn).
    ///
    /// ```no_run
    /// use buttress_shutdown::{Plan, Shutdown};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), buttress_shutdown::ConfigError> {
    /// let shutdown = Shutdown::new(Plan::kubernetes())?;
    /// shutdown.install_panic_hook();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// On a thread that is panicking already, as [`std::panic::set_hook`] does.
    pub fn install_panic_hook(&self) {
        let (shared, before) = (Arc::clone(&self.0), panic::take_hook());
        panic::set_hook(Box::new(move |panic| {
            before(panic);
            let at = panic.location().map_or_else(String::new, ToString::to_string);
            shared.trigger_aside(Cause::Panicked(at));
        }));
    }

    /// Resolves when the shutdown begins: still serving, no longer ready.
    pub fn notified(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        self.0.notified.wait()
    }

    /// Resolves when nothing more is accepted: for a server's `with_graceful_shutdown`, and for
    /// handlers of long streams, which end then, and of a WebSocket, which send Close 1001.
    pub fn not_accepting(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        self.0.serves();
        self.0.not_accepting.wait()
    }

    /// How many connections are open at this moment.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.0.connections.open()
    }

    /// How many requests of its [`layer`](Self::layer) are in flight at this moment.
    #[must_use]
    pub fn requests_in_flight(&self) -> usize {
        self.0.requests.open()
    }

    /// Where the service is, for a readiness probe. [`boot`](Self::boot) moves it to running; who
    /// boots without it does so himself.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        self.0.plan.lifecycle.clone()
    }

    /// Waits for the shutdown to begin and to end. It does not begin it. Any number may wait.
    pub async fn wait(&self) -> Report {
        let mut report = self.0.report.subscribe();
        loop {
            if let Some(report) = &*report.borrow_and_update() {
                return report.clone();
            }
            // The sender is in what `self` holds: it is not gone.
            let _ = report.changed().await;
        }
    }
}

fn runtime() -> Result<Handle, ConfigError> {
    Handle::try_current()
        .map_err(|error| ConfigError::new(ConfigErrorKind::Runtime, error.to_string()))
}

fn no_signals(error: &std::io::Error) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Signals, format!("the signals cannot be had: {error}"))
}

/// Wakes who waits. Wakers are someone else's code, and a panic of theirs, which the panic hook
/// has told of, stops nothing here.
pub(crate) fn tell(wake: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(wake));
}

impl Shared {
    fn phases(&self) -> MutexGuard<'_, Phases> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_phases(&self) -> Vec<Phase> {
        self.phases().list.take().unwrap_or_default()
    }

    pub(crate) fn trigger(&self, cause: Cause) -> bool {
        let begins = self.begin(cause);
        if begins {
            tell(|| self.notified.set());
        }
        begins
    }

    /// The same, but who waits is woken by a thread of its own: for a thread that must not be held
    /// up by them, and for one that has panicked and may hold any lock.
    pub(crate) fn trigger_aside(self: &Arc<Self>, cause: Cause) {
        if self.begin(cause) {
            let shared = Arc::clone(self);
            let aside = thread::Builder::new()
                .name("shutdown-notice".to_owned())
                .spawn(move || tell(|| shared.notified.set()));
            if aside.is_err() {
                tell(|| self.notified.set());
            }
        }
    }

    fn begin(&self, cause: Cause) -> bool {
        if self.began.set((cause, Instant::now())).is_err() {
            return false;
        }
        if let Some(mut wake) = self.wake.as_ref() {
            // Full, it wakes all the same.
            let _ = std::io::Write::write(&mut wake, &[0]);
        }
        true
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.began.get().is_some()
    }

    pub(crate) fn serves(&self) {
        self.has_served.store(true, Ordering::Release);
    }

    pub(crate) fn has_served(&self) -> bool {
        self.has_served.load(Ordering::Acquire)
    }

    /// No connection, and no request.
    pub(crate) async fn idle(&self) {
        while self.connections.open() + self.requests.open() > 0 {
            self.connections.empty().await;
            self.requests.empty().await;
        }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("plan", &self.0.plan)
            .field("cause", &self.0.began.get().map(|(cause, _)| cause))
            .field("connections", &self.0.connections.open())
            .field("requests", &self.0.requests.open())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("plan", &self.plan).finish_non_exhaustive()
    }
}
