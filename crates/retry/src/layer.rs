//! The layer and its verbs.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use tower_layer::Layer;

use crate::{
    backoff::Backoff,
    budget::{Budget, Budgets},
    deadline::{DeadlineHeader, layer::some_time},
    error::{ConfigError, ConfigErrorKind as Kind},
    exchange::{Cloned, Custom, Http},
    handle::RetryHandle,
    hedge::{Hedge, Hedging},
    idempotency::{Idempotency, Methods},
    retry_after::RetryAfter,
    service::Retry,
    shared::Shared,
    verdict::Verdict,
};

/// Sends requests again that failed in a way that another attempt may mend.
///
/// A clone, and every service that it makes, shares the budget and the counts; what cannot be
/// right is refused when it is configured. See the [crate](crate) for where it goes in a stack.
///
/// ```
/// use buttress_retry::{Backoff, Budget, RetryLayer};
/// use std::time::Duration;
///
/// let ms = Duration::from_millis;
/// let layer = RetryLayer::http()
///     .max_attempts(4)?
///     .backoff(Backoff::exponential(ms(50)).max(ms(2_000)))?
///     .attempt_timeout(ms(500))?
///     .total_timeout(ms(5_000))?
///     .budget(Budget::ratio(0.2).reserve(10))?;
/// # Ok::<(), buttress_retry::ConfigError>(())
/// ```
#[must_use]
pub struct RetryLayer<X = Http> {
    shared: Arc<Shared<X>>,
}

impl RetryLayer {
    /// For HTTP: three attempts; 408, 425, 429, 502, 503, 504 and errors of the client are
    /// failures; only what may be repeated is.
    pub fn http() -> Self {
        Self::of(Http::new(false))
    }

    /// For gRPC: repeats no call that was sent, until it is [told](Self::idempotent_methods) which
    /// methods may be; a call is a POST. Of those, what fails with `UNAVAILABLE`, or with
    /// `RESOURCE_EXHAUSTED` where the server says when to come back.
    ///
    /// ```
    /// use buttress_retry::RetryLayer;
    ///
    /// let layer = RetryLayer::grpc().idempotent_methods(["helloworld.Greeter/SayHello"]);
    /// ```
    pub fn grpc() -> Self {
        Self::of(Http::new(true))
    }

    /// Which requests may be repeated; the default is by RFC 9110.
    pub fn idempotency(self, idempotency: Idempotency) -> Self {
        self.with_http(|http| http.idempotency = idempotency)
    }

    /// These may be repeated, too: gRPC methods by `package.Service/Method`, all of a service by
    /// `package.Service`; of HTTP, requests to exactly this path, whatever their method. A `/`
    /// before it makes no difference. For other rules, see [`idempotency`](Self::idempotency).
    pub fn idempotent_methods<I>(self, methods: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let methods = Methods::new(methods);
        self.with_http(|http| {
            let rules = std::mem::take(&mut http.idempotency);
            http.idempotency = rules.or(move |head| methods.has(head.uri.path()));
        })
    }

    /// Takes this status for a failure that a retry may mend, too: 500, say.
    ///
    /// # Errors
    /// When it is no failure, or one that says itself that it stays: 501 and 505.
    pub fn retry_status(mut self, status: StatusCode) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.shared).exchange.retry_status(status)?;
        Ok(self)
    }

    /// Takes this status for no failure that a retry may mend.
    pub fn keep_status(self, status: StatusCode) -> Self {
        self.with_http(|http| http.statuses.remove(status))
    }

    /// Judges answers by their head before the layer does; `None` leaves it to the layer.
    ///
    /// ```
    /// use buttress_retry::{RetryLayer, Verdict};
    ///
    /// let layer = RetryLayer::http().classify(|_, headers| {
    ///     headers.contains_key("x-overloaded").then_some(Verdict::Retry)
    /// });
    /// ```
    pub fn classify<F>(self, classify: F) -> Self
    where
        F: Fn(StatusCode, &HeaderMap) -> Option<Verdict> + Send + Sync + 'static,
    {
        self.with_http(|http| http.classify = Some(Arc::new(classify)))
    }

    /// What is made of `Retry-After` and of gRPC's pushback; the default is to wait for up to 60 s.
    pub fn retry_after(self, retry_after: RetryAfter) -> Self {
        self.with_http(|http| http.retry_after = retry_after)
    }

    /// How many bytes of a body are kept at most; the default is 64 KiB. A request with a larger
    /// one is sent once, and so is one that comes in very many frames: after the first 16 they have
    /// 64 bytes each at least, on the average. 0 keeps no body at all.
    pub fn replay_body(self, bytes: usize) -> Self {
        self.with_http(|http| http.replay = bytes)
    }

    /// Looks at errors of this type, and at their causes, for a proof that nothing was sent. What
    /// is known without: `std::io::Error` and `Box<dyn Error + Send + Sync>`.
    pub fn errors<E: Error + 'static>(self) -> Self {
        self.with_http(|http| http.unsent.know::<E>())
    }

    /// Takes an error, or a cause of one, of which this is true for a proof that nothing was sent;
    /// see [`unsent`](crate::unsent).
    pub fn unsent<F>(self, proves: F) -> Self
    where
        F: Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    {
        self.with_http(|http| http.unsent.prove(proves))
    }

    /// Knows the errors of hyper-util's client, by themselves and among the causes of those of a
    /// client that is built on it: what was [never sent](crate::unsent) is sent again, whatever it
    /// is. The same as [`errors`](Self::errors) of its type, with
    /// [`unsent::h2`](crate::unsent::h2) and [`unsent::hyper_util`](crate::unsent::hyper_util).
    ///
    /// ```
    /// use buttress_retry::RetryLayer;
    ///
    /// let layer = RetryLayer::http().hyper_util();
    /// let layer = RetryLayer::http().hyper_util().errors::<reqwest::Error>();
    /// ```
    #[cfg(feature = "hyper-util")]
    pub fn hyper_util(self) -> Self {
        self.errors::<hyper_util::client::legacy::Error>()
            .unsent(crate::unsent::h2)
            .unsent(crate::unsent::hyper_util)
    }

    /// How long one attempt may take to its answer's head. The outcome is 504, or
    /// `DEADLINE_EXCEEDED` in gRPC, which is retried as any other failure.
    ///
    /// # Errors
    /// When it is no time at all.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.shared).attempt_timeout = Some(some_time(timeout)?);
        Ok(self)
    }

    /// How long all attempts, and the waits between them, may take together. No attempt begins
    /// that could not, and none goes on, after it.
    ///
    /// # Errors
    /// When it is no time at all.
    pub fn total_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.shared).total_timeout = Some(some_time(timeout)?);
        Ok(self)
    }

    /// Tells the server, at each attempt anew, how much time is left, and takes what the request
    /// says there for its deadline. In gRPC this is `grpc-timeout` from the start.
    pub fn deadline_header(self, header: DeadlineHeader) -> Self {
        self.with_http(|http| http.deadline_header = Some(header))
    }

    fn with_http(mut self, change: impl FnOnce(&mut Http)) -> Self {
        change(&mut Arc::make_mut(&mut self.shared).exchange);
        self
    }
}

impl<C> RetryLayer<Custom<C>> {
    /// For requests of any type that is `Clone`; `classify` judges the outcomes.
    ///
    /// There are no timeouts: what an answer that says so would be, only the service knows.
    pub fn new(classify: C) -> Self {
        Self::of(Custom { classify, copy: Cloned })
    }

    /// Copies requests in this way; `None` for those that may not be sent again.
    ///
    /// ```
    /// use buttress_retry::{RetryLayer, Verdict};
    ///
    /// let classify = |outcome: Result<&reqwest::Response, &reqwest::Error>| match outcome {
    ///     Ok(response) if response.status() == 503 => Verdict::Retry,
    ///     Ok(_) => Verdict::Done,
    ///     Err(_) => Verdict::Retry,
    /// };
    /// let layer = RetryLayer::new(classify).copy_by(|request: &reqwest::Request| {
    ///     request.method().is_idempotent().then(|| request.try_clone())?
    /// });
    /// ```
    pub fn copy_by<K, Req>(self, copy: K) -> RetryLayer<Custom<C, K>>
    where
        K: Fn(&Req) -> Option<Req> + Send + Sync + 'static,
        Custom<C>: Clone,
    {
        let shared = Arc::unwrap_or_clone(self.shared);
        RetryLayer {
            shared: Arc::new(Shared {
                name: shared.name,
                exchange: Custom { classify: shared.exchange.classify, copy },
                max_attempts: shared.max_attempts,
                backoff: shared.backoff,
                attempt_timeout: shared.attempt_timeout,
                total_timeout: shared.total_timeout,
                hedging: shared.hedging,
                budgets: shared.budgets,
                counts: shared.counts,
            }),
        }
    }
}

impl<X> RetryLayer<X> {
    fn of(exchange: X) -> Self {
        Self { shared: Arc::new(Shared::new(exchange)) }
    }

    /// Reads the counts of a layer that has gone into a service. Take it last: it does not see
    /// what a later verb changes.
    #[must_use]
    pub fn handle(&self) -> RetryHandle {
        RetryHandle::new(&self.shared)
    }
}

impl<X: Clone> RetryLayer<X> {
    /// What its metrics call it, in the label `retry`; the default is `default`. Layers on one page
    /// of metrics have different names, or the page shows the first one's numbers only.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.shared).name = name.into();
        self
    }

    /// How many attempts a request has, the first one counted; the default is 3.
    ///
    /// # Errors
    /// When there is none.
    pub fn max_attempts(mut self, attempts: u32) -> Result<Self, ConfigError> {
        if attempts == 0 {
            let message = "the first attempt counts: there must be at least 1";
            return Err(ConfigError::new(Kind::Attempts, message));
        }
        Arc::make_mut(&mut self.shared).max_attempts = attempts;
        Ok(self)
    }

    /// How long to wait between attempts; the default begins at 50 ms, doubles up to 20 s, and has
    /// full jitter.
    ///
    /// # Errors
    /// When the factor is less than 1, or the longest delay shorter than the first.
    pub fn backoff(mut self, backoff: Backoff) -> Result<Self, ConfigError> {
        backoff.check()?;
        Arc::make_mut(&mut self.shared).backoff = backoff;
        Ok(self)
    }

    /// How many retries there may be over all requests; the default is a ratio of 0.2 with a
    /// reserve of 10.
    ///
    /// # Errors
    /// When it is one that could never pay, or is no number.
    pub fn budget(mut self, budget: Budget) -> Result<Self, ConfigError> {
        budget.check()?;
        Arc::make_mut(&mut self.shared).budgets = Arc::new(Budgets::new(&budget));
        Ok(self)
    }

    /// Sends a second try beside one that takes long.
    ///
    /// # Errors
    /// When it is at once, or at a quantile that is none.
    pub fn hedge(mut self, hedge: Hedge) -> Result<Self, ConfigError> {
        hedge.check()?;
        Arc::make_mut(&mut self.shared).hedging = Some(Arc::new(Hedging::new(hedge)));
        Ok(self)
    }
}

impl<S, X> Layer<S> for RetryLayer<X> {
    type Service = Retry<S, X>;

    fn layer(&self, inner: S) -> Retry<S, X> {
        Retry::new(inner, Arc::clone(&self.shared))
    }
}

impl<X> Clone for RetryLayer<X> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<X: fmt::Debug> fmt::Debug for RetryLayer<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryLayer").field("policy", &self.shared).finish()
    }
}
