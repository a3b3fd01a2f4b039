//! A series' labels in words.

use std::fmt;

use crate::{
    labels::{Labels, Place, Scheme},
    recorder::Recorder,
    series::Series,
    settings::Kind,
};

/// Names by the semantic conventions, and values.
pub(crate) type Attributes = Vec<(&'static str, Word)>;

/// What a label says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Text(String),
    Number(u16),
    True,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::True => f.write_str("true"),
        }
    }
}

impl Recorder {
    /// Of a series.
    pub(crate) fn attributes_of(&self, series: &Series) -> Attributes {
        let Some(Labels { method, wire, status, place, error }) = series.labels else {
            return overflow();
        };
        let mut attributes = vec![
            ("http.request.method", text(self.settings.methods.name(method))),
            ("url.scheme", text(wire.scheme().as_str())),
            ("network.protocol.version", text(wire.version())),
        ];
        attributes.extend(self.place_attributes(place));
        let status = status.map(|status| Word::Number(status.as_u16()));
        attributes.extend(status.map(|status| ("http.response.status_code", status)));
        attributes.extend(self.error_name(error).map(|error| ("error.type", Word::Text(error))));
        attributes
    }

    /// Of a gauge, by its index.
    pub(crate) fn gauge_attributes(&self, index: usize) -> Attributes {
        match self.settings.kind {
            Kind::Server => {
                let method = u8::try_from(index / Scheme::ALL.len()).unwrap_or(u8::MAX);
                let scheme =
                    Scheme::ALL.get(index % Scheme::ALL.len()).copied().unwrap_or_default();
                vec![
                    ("http.request.method", text(self.settings.methods.name(method))),
                    ("url.scheme", text(scheme.as_str())),
                ]
            }
            Kind::Client => match Place::of_index(index) {
                Place::OVERFLOW => overflow(),
                place => self.place_attributes(place),
            },
        }
    }

    fn place_attributes(&self, place: Place) -> Attributes {
        let name = self.names.at(place);
        match self.settings.kind {
            _ if place.as_named().is_none() => Vec::new(),
            Kind::Server => vec![("http.route", text(&name.text))],
            Kind::Client => {
                vec![("server.address", text(&name.text)), ("server.port", Word::Number(name.port))]
            }
        }
    }
}

fn text(text: &str) -> Word {
    Word::Text(text.to_owned())
}

fn overflow() -> Attributes {
    vec![("otel.metric.overflow", Word::True)]
}
