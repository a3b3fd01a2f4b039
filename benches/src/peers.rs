//! The peers, where more than one case needs them: those whose layers do together what
//! [`Stack::production`](buttress::Stack::production) does, first of all.

use std::{sync::OnceLock, time::Duration};

use axum_prometheus::PrometheusMetricLayer;
use buttress::headers::SecurityHeadersLayer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::InvalidHeaderValue};
use opentelemetry::propagation::{Extractor, Injector};
use tokio::runtime::{Builder, Handle, Runtime};
use tower_helmet::{HelmetLayer, IntoHeader};
use tower_http::{
    catch_panic::{CatchPanicLayer, DefaultResponseForPanic},
    classify::{ServerErrorsAsFailures, SharedClassifier},
    csrf::CsrfLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer},
};
use tracing::Level;

use crate::Failure;

/// Id, a span with its JSON line, metrics, headers, panics, and the guards, with these limits among
/// them.
pub(crate) type Layers<L> = (
    (SetRequestIdLayer<MakeRequestUuid>, PropagateRequestIdLayer),
    TraceLayer<SharedClassifier<ServerErrorsAsFailures>>,
    PrometheusMetricLayer<'static>,
    HelmetLayer,
    CatchPanicLayer<DefaultResponseForPanic>,
    (RequestBodyLimitLayer, CsrfLayer, L, TimeoutLayer),
);

/// All of them, with the headers of a preset of ours; limits of `()` are none.
pub(crate) fn stack<L>(preset: &SecurityHeadersLayer, limits: L) -> Result<Layers<L>, Failure> {
    Ok((id(), trace(), prometheus()?, helmet(preset), CatchPanicLayer::new(), guards(limits)))
}

/// Sets an id on the request and echoes it.
pub(crate) fn id() -> (SetRequestIdLayer<MakeRequestUuid>, PropagateRequestIdLayer) {
    (SetRequestIdLayer::x_request_id(MakeRequestUuid), PropagateRequestIdLayer::x_request_id())
}

/// CSRF, body limit, rate limits and timeout. The timeout is innermost, since it asks for a body
/// with a `Default`, which the body limit's has not, and `tower_governor` asks for axum's.
pub(crate) fn guards<L>(limits: L) -> (RequestBodyLimitLayer, CsrfLayer, L, TimeoutLayer) {
    (
        RequestBodyLimitLayer::new(1 << 20),
        CsrfLayer::new(),
        limits,
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(30)),
    )
}

/// The headers of a preset of ours, by tower-helmet.
pub(crate) fn helmet(preset: &SecurityHeadersLayer) -> HelmetLayer {
    struct Given(HeaderName, HeaderValue);

    impl IntoHeader for Given {
        fn header_name(&self) -> HeaderName {
            self.0.clone()
        }

        fn header_value(&self) -> Result<HeaderValue, InvalidHeaderValue> {
            Ok(self.1.clone())
        }
    }

    let mut layer = HelmetLayer::blank();
    for (name, value) in preset.headers() {
        layer.enable(Given(name.clone(), value.clone()));
    }
    layer
}

/// A span and a line for each exchange, at INFO.
pub(crate) fn trace() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>> {
    TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
        .on_response(DefaultOnResponse::new().level(Level::INFO))
}

/// axum-prometheus, and with it the recorder that the macros of the crate metrics write to: a
/// process has one.
///
/// It starts a task that drains its histograms every 5 seconds. Outside of a runtime that task is
/// never run, and its cost is not seen.
pub(crate) fn prometheus() -> Result<PrometheusMetricLayer<'static>, Failure> {
    static LAYER: OnceLock<PrometheusMetricLayer<'static>> = OnceLock::new();
    let idle = match Handle::try_current() {
        Ok(_) => None,
        Err(_) => Some(Builder::new_current_thread().enable_time().build()?),
    };
    let _entered = idle.as_ref().map(Runtime::enter);
    Ok(LAYER.get_or_init(|| PrometheusMetricLayer::pair().0).clone())
}

/// A method as a label that has not to be copied.
pub(crate) fn method(method: &Method) -> &'static str {
    if *method == Method::GET { "GET" } else { "_OTHER" }
}

/// Headers as OpenTelemetry's propagators read and write them.
pub(crate) struct Carrier<H>(pub(crate) H);

impl Extractor for Carrier<&HeaderMap> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl Injector for Carrier<&mut HeaderMap> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
