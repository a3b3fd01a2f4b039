//! What the service counts, and who may read it.

use axum::Router;
use buttress::{
    Secret,
    metrics::{
        ConfigError, Denied, Exposition, HttpMetrics, MetricsService, ProcessMetrics,
        RuntimeMetrics,
    },
};
use tokio::runtime::Handle;

#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    /// Of what this service is asked.
    pub(crate) served: HttpMetrics,
    /// Of what it asks others.
    pub(crate) called: HttpMetrics,
    page: MetricsService,
    report: MetricsService,
}

impl Numbers {
    /// For everyone who can reach them: by itself, the service listens on the loopback address.
    pub(crate) fn new() -> Self {
        let (served, called) = (HttpMetrics::server(), HttpMetrics::client());
        let page = Exposition::new()
            .http(&served)
            .http(&called)
            .source(ProcessMetrics::new())
            .source(RuntimeMetrics::of(&Handle::current()));
        let page = MetricsService::new(page);
        let report = MetricsService::report(&served);
        Self { served, called, page, report }
    }

    /// For those alone who send this token.
    pub(crate) fn behind(self, token: impl Into<Secret<String>>) -> Result<Self, ConfigError> {
        let token = token.into();
        Ok(Self {
            page: self.page.bearer(token.clone())?.denied(Denied::Unauthorized),
            report: self.report.bearer(token)?.denied(Denied::Unauthorized),
            ..self
        })
    }

    /// `/metrics` for Prometheus, `/report` for a person.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route_service("/metrics", self.page.clone())
            .route_service("/report", self.report.clone())
    }
}
