//! The layer and its verbs.

use std::{borrow::Cow, fmt, sync::Arc, time::Instant};

use buttress_core::reject::Reject;
use http::{HeaderMap, StatusCode};
use tower_layer::Layer;

use crate::{
    class::{Class, OutcomeAt},
    core::Core,
    error::ConfigError,
    handle::BreakerHandle,
    head::RequestHead,
    policy::Policy,
    registry::{Circuits, Registry},
    service::Breaker,
    settings::Settings,
    transition::Transition,
};

/// Stops calling what fails.
///
/// A clone, and every service that it makes, shares the circuit, or the circuits by key; what
/// cannot be right is refused when it is configured. See the [crate](crate) for where it goes in a
/// stack.
///
/// ```
/// use buttress_breaker::{BreakerLayer, OpenFor, Policy, Window};
/// use std::time::Duration;
///
/// let secs = Duration::from_secs;
/// let policy = Policy::new()
///     .window(Window::time(secs(30)))
///     .slow_calls(secs(2), 0.5)
///     .open(OpenFor::exponential(secs(5), secs(120)).jitter(0.1));
/// let layer = BreakerLayer::new("upstream", policy)?.per_host();
/// let handle = layer.handle();
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct BreakerLayer {
    target: Target,
    registry: Registry,
}

type KeyOf = Arc<dyn Fn(&RequestHead<'_>, &mut dyn FnMut(&str)) + Send + Sync>;

/// Which circuit a request goes through.
#[derive(Clone)]
pub(crate) enum Target {
    One(Arc<Core>),
    Keyed { circuits: Arc<Circuits>, key: KeyOf },
}

impl BreakerLayer {
    /// One circuit, for all requests. The name is a label of its metrics and the name of its
    /// health check.
    ///
    /// # Errors
    /// When the policy cannot be right.
    pub fn new(name: impl Into<Cow<'static, str>>, policy: Policy) -> Result<Self, ConfigError> {
        let settings = Settings::new(name.into(), policy)?;
        let target = Target::One(Arc::new(Core::new(Arc::new(settings), None)));
        Ok(Self { target, registry: Registry::new() })
    }

    /// A circuit for each key. Requests of none pass, and no circuit sees them. The clock is read
    /// for each call, to know which circuits are idle.
    pub fn key<F>(self, key: F) -> Self
    where
        F: for<'a> Fn(&RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.keyed(Arc::new(move |head, found| {
            if let Some(key) = key(head) {
                found(&key);
            }
        }))
    }

    /// A circuit for each host and port, as in the request's target, or else in its `Host`.
    pub fn per_host(self) -> Self {
        self.keyed(Arc::new(|head, found| {
            if let Some(authority) = head.authority() {
                found(authority);
            }
        }))
    }

    fn keyed(self, key: KeyOf) -> Self {
        let circuits = Arc::new(Circuits::new(Arc::clone(self.target.settings()), self.registry));
        Self { target: Target::Keyed { circuits, key }, ..self }
    }

    /// How many circuits are kept, where there is one for each key.
    ///
    /// # Errors
    /// When it is one for none, or for too many.
    pub fn registry(self, registry: Registry) -> Result<Self, ConfigError> {
        let registry = registry.check()?;
        Ok(Self { registry, ..self }.with(|_| ()))
    }

    /// What an answer says about the other side, by its status and headers; by its status and
    /// trailers, too, where the [outcome](Self::outcome_at) is that of the body's end. An inner
    /// error is always a failure, and a refusal by a bulkhead or limit further in never is one.
    ///
    /// The default takes a 5xx for a failure, but for 501 and 505, and in gRPC UNKNOWN,
    /// `DEADLINE_EXCEEDED`, INTERNAL, UNAVAILABLE and `DATA_LOSS`.
    ///
    /// ```
    /// use buttress_breaker::{BreakerLayer, Class, Policy};
    ///
    /// let layer = BreakerLayer::new("upstream", Policy::new())?.classify(|status, _| {
    ///     match status.as_u16() {
    ///         429 => Class::Failure,
    ///         404 => Class::Ignore,
    ///         status if status >= 500 => Class::Failure,
    ///         _ => Class::Success,
    ///     }
    /// });
    /// # Ok::<(), buttress_breaker::ConfigError>(())
    /// ```
    pub fn classify<F>(self, class: F) -> Self
    where
        F: Fn(StatusCode, &HeaderMap) -> Class + Send + Sync + 'static,
    {
        self.with(|settings| settings.classify = Some(Arc::new(class)))
    }

    /// When the outcome of a call is known; the default is with the head of the answer.
    pub fn outcome_at(self, outcome_at: OutcomeAt) -> Self {
        self.with(|settings| settings.outcome_at = outcome_at)
    }

    /// Which requests may be probes, of those that are a first
    /// [`Attempt`](buttress_core::outbound::Attempt). It is asked only where it matters. A circuit
    /// whose requests may none of them be probes does not close again.
    ///
    /// ```
    /// use buttress_breaker::{BreakerLayer, Policy};
    ///
    /// // What does no harm, if it comes to the worst.
    /// let layer = BreakerLayer::new("upstream", Policy::new())?
    ///     .probe_if(|head| head.method.is_safe());
    /// # Ok::<(), buttress_breaker::ConfigError>(())
    /// ```
    pub fn probe_if<F>(self, may_probe: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static,
    {
        self.with(|settings| settings.may_probe = Some(Arc::new(may_probe)))
    }

    /// Puts refusals into words of one's own; see [`Reject`].
    pub fn responder(self, responder: impl Reject + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.responder = Some(Arc::new(responder)))
    }

    /// Tells `listener` of each change of a circuit's state; see [`Transition`].
    pub fn on_transition<F>(self, listener: F) -> Self
    where
        F: Fn(&Transition<'_>) + Send + Sync + 'static,
    {
        self.with(|settings| settings.listeners.push(Arc::new(listener)))
    }

    /// Reads the time there, for tests: `|| tokio::time::Instant::now().into_std()`.
    pub fn clock(self, read: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.set_clock(Arc::new(read)))
    }

    /// Reads and steers the layer when it has gone into a service. Take it last: it does not see
    /// what a later verb changes.
    #[must_use]
    pub fn handle(&self) -> BreakerHandle {
        BreakerHandle::new(self.target.clone())
    }

    /// Begins with new circuits: none has seen a call before the layer is made.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(self.target.settings());
        change(&mut settings);
        let settings = Arc::new(settings);
        let target = match self.target {
            Target::One(_) => Target::One(Arc::new(Core::new(settings, None))),
            Target::Keyed { key, .. } => {
                Target::Keyed { circuits: Arc::new(Circuits::new(settings, self.registry)), key }
            }
        };
        Self { target, ..self }
    }
}

impl Target {
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        match self {
            Self::One(core) => &core.settings,
            Self::Keyed { circuits, .. } => &circuits.settings,
        }
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Breaker<S>;

    fn layer(&self, inner: S) -> Breaker<S> {
        Breaker::new(inner, self.target.clone())
    }
}

impl fmt::Debug for BreakerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer").field("target", &self.target).finish()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, keyed) = (&self.settings().name, matches!(self, Self::Keyed { .. }));
        f.debug_struct("Target").field("name", name).field("keyed", &keyed).finish_non_exhaustive()
    }
}
