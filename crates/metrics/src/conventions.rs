//! What OpenTelemetry's semantic conventions call each metric, and Prometheus after them.

use crate::settings::Kind;

/// A metric's name, its unit in UCUM, and what it counts in one sentence.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
}

/// The metrics of one side.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) active: Metric,
    pub(crate) duration: Metric,
    pub(crate) request_size: Metric,
    pub(crate) response_size: Metric,
}

impl Metrics {
    pub(crate) const fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Server => &SERVER,
            Kind::Client => &CLIENT,
        }
    }
}

impl Metric {
    /// The unit as a word, which Prometheus puts at the end of the name; a count has none.
    pub(crate) fn prometheus_unit(&self) -> Option<&'static str> {
        match self.unit {
            "s" => Some("seconds"),
            "By" => Some("bytes"),
            _ => None,
        }
    }

    pub(crate) fn prometheus_name(&self) -> String {
        let name = self.name.replace('.', "_");
        self.prometheus_unit().map_or_else(|| name.clone(), |unit| format!("{name}_{unit}"))
    }
}

const SERVER: Metrics = Metrics {
    active: Metric {
        name: "http.server.active_requests",
        unit: "{request}",
        help: "Number of active HTTP server requests.",
    },
    duration: Metric {
        name: "http.server.request.duration",
        unit: "s",
        help: "Duration of HTTP server requests.",
    },
    request_size: Metric {
        name: "http.server.request.body.size",
        unit: "By",
        help: "Size of HTTP server request bodies.",
    },
    response_size: Metric {
        name: "http.server.response.body.size",
        unit: "By",
        help: "Size of HTTP server response bodies.",
    },
};

const CLIENT: Metrics = Metrics {
    active: Metric {
        name: "http.client.active_requests",
        unit: "{request}",
        help: "Number of active HTTP client requests.",
    },
    duration: Metric {
        name: "http.client.request.duration",
        unit: "s",
        help: "Duration of HTTP client requests.",
    },
    request_size: Metric {
        name: "http.client.request.body.size",
        unit: "By",
        help: "Size of HTTP client request bodies.",
    },
    response_size: Metric {
        name: "http.client.response.body.size",
        unit: "By",
        help: "Size of HTTP client response bodies.",
    },
};
