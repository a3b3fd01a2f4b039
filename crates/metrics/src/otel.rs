//! The same numbers through the `opentelemetry` API.
//!
//! Its histograms cannot be read from a table, so each exchange is recorded once more, with a
//! series' attributes made once. The gauge is read when the reader asks.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    metrics::{Histogram, Meter, MeterProvider},
};

use crate::{
    attributes::{Attributes, Word},
    conventions::{Metric, Metrics},
    exposition::{float, seconds},
    http_metrics::HttpMetrics,
    recorder::Recorder,
    series::{DURATION_BOUNDS, Measured, SIZE_BOUNDS},
    settings::Kind,
};

impl HttpMetrics {
    /// Records through this provider's instruments too, with the names, units, attributes and
    /// buckets that this crate's own page has. It is not done of itself, and costs two or three
    /// calls of the SDK an exchange. Set it last: like the other settings, the next one starts
    /// anew.
    ///
    /// ```
    /// use buttress_metrics::HttpMetrics;
    /// use opentelemetry_sdk::metrics::SdkMeterProvider;
    ///
    /// let provider = SdkMeterProvider::builder().build();
    /// let metrics = HttpMetrics::server().otel(&provider);
    /// # let _ = metrics;
    /// ```
    #[must_use]
    pub fn otel(self, provider: &dyn MeterProvider) -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let export = Export(Some(provider.meter_with_scope(scope)));
        self.with(|settings| settings.export = export)
    }
}

/// Where to record, if anywhere.
#[derive(Clone, Default)]
pub(crate) struct Export(Option<Meter>);

impl Export {
    pub(crate) fn instruments(&self, kind: Kind) -> Instruments {
        Instruments(self.0.as_ref().map(|meter| Histograms::new(meter, Metrics::of(kind))))
    }

    /// Shows the gauge for as long as there is a handle to what it counts.
    pub(crate) fn observe(&self, recorder: &Arc<Recorder>) {
        let Some(meter) = &self.0 else { return };
        let Metric { name, unit, help } = Metrics::of(recorder.settings.kind).active;
        let recorder = Arc::downgrade(recorder);
        // The provider keeps the callback; the instrument itself is only a name for it.
        let _ = meter
            .i64_observable_up_down_counter(name)
            .with_unit(unit)
            .with_description(help)
            .with_callback(move |observer| {
                let Some(recorder) = recorder.upgrade() else { return };
                for (index, value) in recorder.gauges.iter() {
                    let attributes = key_values(recorder.gauge_attributes(index));
                    observer.observe(i64::try_from(value).unwrap_or(i64::MAX), &attributes);
                }
            })
            .build();
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Export").field(&self.0.is_some()).finish()
    }
}

/// The histograms, if there are any.
pub(crate) struct Instruments(Option<Histograms>);

struct Histograms {
    duration: Histogram<f64>,
    request_size: Histogram<u64>,
    response_size: Histogram<u64>,
}

impl Instruments {
    #[inline]
    pub(crate) fn record(
        &self,
        exported: &Exported,
        measured: Measured,
        attributes: impl FnOnce() -> Attributes,
    ) {
        if let Some(histograms) = &self.0 {
            let Exported(made) = exported;
            histograms.record(made.get_or_init(|| key_values(attributes()).into()), measured);
        }
    }
}

impl Histograms {
    fn new(meter: &Meter, metrics: &Metrics) -> Self {
        let size = |Metric { name, unit, help }: &Metric| {
            meter
                .u64_histogram(*name)
                .with_unit(*unit)
                .with_description(*help)
                .with_boundaries(SIZE_BOUNDS.map(float).into())
                .build()
        };
        let Metric { name, unit, help } = metrics.duration;
        Self {
            duration: meter
                .f64_histogram(name)
                .with_unit(unit)
                .with_description(help)
                .with_boundaries(DURATION_BOUNDS.map(seconds).into())
                .build(),
            request_size: size(&metrics.request_size),
            response_size: size(&metrics.response_size),
        }
    }

    fn record(&self, attributes: &[KeyValue], measured: Measured) {
        self.duration.record(seconds(measured.nanos), attributes);
        if let Some(bytes) = measured.request_bytes {
            self.request_size.record(bytes, attributes);
        }
        self.response_size.record(measured.response_bytes, attributes);
    }
}

/// A series' attributes, made when it is first recorded.
#[derive(Default)]
pub(crate) struct Exported(OnceLock<Box<[KeyValue]>>);

fn key_values(attributes: Attributes) -> Vec<KeyValue> {
    let value = |word| match word {
        Word::Text(text) => Value::from(text),
        Word::Number(number) => Value::I64(number.into()),
        Word::True => Value::Bool(true),
    };
    attributes.into_iter().map(|(name, word)| KeyValue::new(name, value(word))).collect()
}
