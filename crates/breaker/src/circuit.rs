//! A circuit for any call: of a message broker, a mail server, a client with requests of its own.

use std::{borrow::Cow, error::Error, fmt, future::Future, sync::Arc, time::Instant};

use crate::{
    class::Class, core::Core, error::ConfigError, layer::Target, permit::Permit, policy::Policy,
    refusal::Refused, settings::Settings, snapshot::Snapshot, state::State, transition::Transition,
};

/// One circuit, without HTTP: it says whether a call may be made, and is told how it went. A clone
/// is the same circuit.
///
/// ```
/// use buttress_breaker::{Circuit, Policy, RunError};
/// # use std::io;
/// # async fn send() -> io::Result<u16> { Ok(250) }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let circuit = Circuit::new("smtp", Policy::new())?;
/// match circuit.run(|| async { send().await }).await {
///     Ok(code) => assert_eq!(code, 250),
///     Err(RunError::Refused(refused)) => eprintln!("come back in {:?}", refused.retry_after()),
///     Err(RunError::Failed(error)) => eprintln!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Circuit {
    core: Arc<Core>,
}

impl Circuit {
    /// A closed circuit of this name, which is a label of its metrics.
    ///
    /// # Errors
    /// When the policy cannot be right.
    pub fn new(name: impl Into<Cow<'static, str>>, policy: Policy) -> Result<Self, ConfigError> {
        Ok(Self::of(Settings::new(name.into(), policy)?))
    }

    fn of(settings: Settings) -> Self {
        Self::from_core(Arc::new(Core::new(Arc::new(settings), None)))
    }

    pub(crate) const fn from_core(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Tells `listener` of each change of its state; see [`Transition`]. For when it is made: what
    /// was cloned before does not take part.
    #[must_use]
    pub fn on_transition<F>(self, listener: F) -> Self
    where
        F: Fn(&Transition<'_>) + Send + Sync + 'static,
    {
        self.with(|settings| settings.listeners.push(Arc::new(listener)))
    }

    /// Reads the time there, for tests: `|| tokio::time::Instant::now().into_std()`. For when it is
    /// made, as [`on_transition`](Self::on_transition).
    #[must_use]
    pub fn clock(self, read: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.set_clock(Arc::new(read)))
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.core.settings);
        change(&mut settings);
        Self::of(settings)
    }

    /// Asks for a call to be let through.
    ///
    /// # Errors
    /// When the circuit does not.
    #[inline]
    pub fn acquire(&self) -> Result<Permit, Refused> {
        self.acquire_if(true)
    }

    /// As [`acquire`](Self::acquire), for a call that may not be a probe, such as a second try.
    ///
    /// # Errors
    /// When the circuit does not let it through.
    pub fn acquire_no_probe(&self) -> Result<Permit, Refused> {
        self.acquire_if(false)
    }

    #[inline]
    fn acquire_if(&self, may_probe: bool) -> Result<Permit, Refused> {
        let entry = self.core.admit(|| may_probe)?;
        Ok(Permit::new(&self.core, entry))
    }

    /// Makes a call, if it is let through; an `Err` is a failure. Dropped before its end, it is as
    /// a [`Permit`] that is dropped.
    ///
    /// # Errors
    /// When it was refused, or failed.
    pub async fn run<F, Fut, T, E>(&self, call: F) -> Result<T, RunError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let class = |result: &Result<T, E>| match result {
            Ok(_) => Class::Success,
            Err(_) => Class::Failure,
        };
        self.run_classified(class, call).await
    }

    /// As [`run`](Self::run), where not every `Err` is a failure, or not every `Ok` a success.
    ///
    /// # Errors
    /// When it was refused, or failed.
    pub async fn run_classified<F, Fut, T, E>(
        &self,
        class: impl FnOnce(&Result<T, E>) -> Class,
        call: F,
    ) -> Result<T, RunError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let permit = self.acquire().map_err(RunError::Refused)?;
        let result = call().await;
        permit.finish(class(&result));
        result.map_err(RunError::Failed)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.settings.name
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.word().state()
    }

    /// What can be seen of it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    /// Refuses every call, until it is [`reset`](Self::reset) or put into another state.
    pub fn force_open(&self) {
        self.core.force(State::ForcedOpen);
    }

    /// Lets every call through and never opens, until it is [`reset`](Self::reset).
    pub fn force_closed(&self) {
        self.core.force(State::ForcedClosed);
    }

    /// Lets every call through and counts how often it would have opened, until it is
    /// [`reset`](Self::reset): to try a policy before it bites.
    pub fn metrics_only(&self) {
        self.core.force(State::MetricsOnly);
    }

    /// Lets every call through and counts nothing, until it is [`reset`](Self::reset).
    pub fn disable(&self) {
        self.core.force(State::Disabled);
    }

    /// As new: closed, with nothing held against it. The [totals](Snapshot::totals) stay.
    pub fn reset(&self) {
        self.core.force(State::Closed);
    }

    pub(crate) fn target(&self) -> Target {
        Target::One(Arc::clone(&self.core))
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit")
            .field("name", &self.name())
            .field("key", &self.core.key)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Why [`Circuit::run`] has no result.
///
/// ```
/// use buttress_breaker::{Circuit, Policy, RunError};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let circuit = Circuit::new("smtp", Policy::new())?;
/// circuit.force_open();
/// let error = circuit.run(|| async { Ok::<_, std::io::Error>(250) }).await.unwrap_err();
/// assert!(matches!(error, RunError::Refused(refused) if refused.reason() == "forced_open"));
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunError<E> {
    /// The circuit did not let it through.
    Refused(Refused),
    /// The call failed.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for RunError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Failed(error) => error.source(),
        }
    }
}
