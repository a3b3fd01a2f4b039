//! What the service counts, and who may read it.

use axum::Router;
use buttress::{
    Secret,
    health::Health,
    log::Writer,
    metrics::{
        ConfigError, Denied, Exposition, HttpMetrics, MetricsService, ProcessMetrics,
        RuntimeMetrics,
    },
};
use tokio::runtime::Handle;

use crate::{books::Books, guards::Guards, limits::Limits, upstream::Upstream};

#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    /// Of what this service is asked.
    pub(crate) served: HttpMetrics,
    /// Of what it asks others.
    pub(crate) called: HttpMetrics,
    /// What is let in, and how often it was not.
    pub(crate) guards: Guards,
    page: Exposition,
    token: Option<Secret<String>>,
}

impl Numbers {
    /// For those alone who send this token. Without one, for everyone who can reach them: by
    /// itself, the service listens on the loopback address.
    pub(crate) fn new(token: Option<Secret<String>>) -> Self {
        let (served, called) = (HttpMetrics::server(), HttpMetrics::client());
        let guards = Guards::new();
        let page = Exposition::new()
            .http(&served)
            .http(&called)
            .source(ProcessMetrics::new())
            .source(RuntimeMetrics::of(&Handle::current()));
        let page = guards.sources().fold(page, Exposition::source);
        Self { served, called, guards, page, token }
    }

    /// And of the log itself: how many lines were written, and how many lost.
    pub(crate) fn of_the_log(self, writer: Writer) -> Self {
        Self { page: self.page.source(writer), ..self }
    }

    /// And of the limits: who was admitted and refused, and who of them decides.
    pub(crate) fn of_the_limits(self, limits: &Limits) -> Self {
        Self { page: limits.sources().fold(self.page, Exposition::source), ..self }
    }

    /// And of the calls to upstream: retries, the breaker's state, the bulkhead.
    pub(crate) fn of_upstream(self, upstream: &Upstream) -> Self {
        let Upstream { retry, breaker, bulkhead, .. } = upstream.clone();
        Self { page: self.page.source(retry).source(breaker).source(bulkhead), ..self }
    }

    /// And of the books' pool, where there is one.
    pub(crate) fn of_the_books(self, books: &Books) -> Self {
        match books.pool() {
            Some(pool) => Self { page: self.page.source(pool.clone()), ..self },
            None => self,
        }
    }

    /// And of the checks: how they are, and how often they were not.
    pub(crate) fn of_the_health(self, health: &Health) -> Self {
        Self { page: self.page.source(health.clone()), ..self }
    }

    /// `/metrics` for Prometheus, `/report` for a person.
    pub(crate) fn router(&self) -> Result<Router, ConfigError> {
        let page = MetricsService::new(self.page.clone());
        let report = MetricsService::report(&self.served);
        Ok(Router::new()
            .route_service("/metrics", self.guarded(page)?)
            .route_service("/report", self.guarded(report)?))
    }

    fn guarded(&self, service: MetricsService) -> Result<MetricsService, ConfigError> {
        match &self.token {
            Some(token) => Ok(service.bearer(token.clone())?.denied(Denied::Unauthorized)),
            None => Ok(service),
        }
    }
}
