//! The shapes of a line: which name and form each thing has.

use std::{borrow::Cow, fmt};

use crate::line::{Clock, Line};

mod cloudwatch;
mod datadog;
mod ecs;
mod gcp;
mod otel;
mod pino;
mod plain;

/// The shape of a line: what its members are called, and how levels, times and ids are written.
///
/// ```
/// use buttress_log::{JsonLayer, Schema, Sink};
///
/// let (writer, _guard) = Sink::to(std::io::sink()).open()?;
/// let layer = JsonLayer::new(writer).schema(Schema::gcp().project("my-project"));
/// # let _ = layer;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Schema {
    pub(crate) shape: &'static Shape,
    /// All before a trace's id, escaped for JSON.
    pub(crate) project: Cow<'static, str>,
}

/// A shape, as data.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// All up to the time.
    pub(crate) open: &'static str,
    pub(crate) clock: Clock,
    pub(crate) level: &'static str,
    /// From trace to fatal, as JSON.
    pub(crate) levels: [&'static str; 6],
    /// Before and after the target, a JSON string.
    pub(crate) target: [&'static str; 2],
    /// Members that are the same in all lines.
    pub(crate) fixed: &'static str,
    pub(crate) message: &'static str,
    /// What the message of an access line is, where its readers look for a fixed one.
    pub(crate) access_message: Option<&'static str>,
    pub(crate) request_id: &'static str,
    pub(crate) trace: &'static [Piece],
    /// Before the file's name, between it and the line's number, and after that.
    pub(crate) location: [&'static str; 3],
    /// Around the constant fields.
    pub(crate) constants: [&'static str; 2],
    pub(crate) constant_names: &'static [(&'static str, &'static str)],
    /// The names at the top that are taken.
    pub(crate) reserved: &'static [&'static str],
    /// Those among the fields, where these are not at the top.
    pub(crate) reserved_fields: &'static [&'static str],
    /// The objects in a line; the first is the line itself.
    pub(crate) groups: &'static [Group],
    /// The object of all fields that have no place of their own.
    pub(crate) fields: usize,
    /// Where fields of any line go, by their name.
    pub(crate) places: &'static [Place],
    /// Where fields of an access line go.
    pub(crate) access: &'static [Place],
}

/// An object in a line.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// The object that it is in.
    pub(crate) parent: usize,
}

/// Where a field goes.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) field: &'static str,
    pub(crate) group: usize,
    pub(crate) name: &'static str,
    pub(crate) form: Form,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    Plain,
    /// A text that is not looked at: it cannot be a secret.
    Known,
    /// Milliseconds, with three decimals.
    Millis,
    /// Milliseconds as whole nanoseconds.
    Nanos,
    /// Milliseconds as `"1.240513s"`.
    Seconds,
    /// A number as a text.
    Digits,
    /// `HTTP/` before it.
    Http,
}

/// A piece of how the trace is written.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(&'static str),
    Project,
    TraceId,
    /// The last 64 bits of the trace's id.
    TraceIdNumber,
    SpanId,
    SpanIdNumber,
    Flags,
    FlagsNumber,
    Sampled,
}

impl Schema {
    const fn of(shape: &'static Shape) -> Self {
        Self { shape, project: Cow::Borrowed("") }
    }

    /// Elastic Common Schema, with dotted names.
    #[must_use]
    pub const fn ecs() -> Self {
        Self::of(&ecs::SHAPE)
    }

    /// Datadog's standard attributes.
    #[must_use]
    pub const fn datadog() -> Self {
        Self::of(&datadog::SHAPE)
    }

    /// The special fields of Google Cloud Logging. Its traces are named by
    /// [`project`](Self::project).
    #[must_use]
    pub const fn gcp() -> Self {
        Self::of(&gcp::SHAPE)
    }

    /// The log data model of OpenTelemetry, with its semantic conventions.
    #[must_use]
    pub const fn otel() -> Self {
        Self::of(&otel::SHAPE)
    }

    /// pino's lines, for `pino-pretty` and its kin.
    #[must_use]
    pub const fn pino() -> Self {
        Self::of(&pino::SHAPE)
    }

    /// Names that queries of AWS's Logs Insights often use: `msg`, `duration`, `req.path`,
    /// `res.statusCode`. The default shape works there as well.
    #[must_use]
    pub const fn cloudwatch() -> Self {
        Self::of(&cloudwatch::SHAPE)
    }

    /// The project in which [`gcp`](Self::gcp) finds a trace; the other shapes have none. Without
    /// it a trace is named by its id alone, which Google Cloud takes for one of the project that
    /// the line is sent to.
    #[must_use]
    pub fn project(mut self, id: &str) -> Self {
        if !id.is_empty() {
            let mut line = Line::default();
            line.escape(&format!("projects/{id}/traces/"));
            self.project = String::from_utf8(line.bytes).unwrap_or_default().into();
        }
        self
    }

    /// What it is called in `LOG_FORMAT`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.shape.name
    }

    /// The shape of this name: `json` for the default one, else the name of its function.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|shape| shape.name == name).map(|shape| Self::of(shape))
    }

    pub(crate) const ALL: [&'static Shape; 7] = [
        &plain::SHAPE,
        &ecs::SHAPE,
        &datadog::SHAPE,
        &gcp::SHAPE,
        &otel::SHAPE,
        &pino::SHAPE,
        &cloudwatch::SHAPE,
    ];
}

/// Flat, in snake case.
impl Default for Schema {
    fn default() -> Self {
        Self::of(&plain::SHAPE)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.shape.name).finish()
    }
}

/// The line itself.
const TOP: Group = Group { name: "", parent: usize::MAX };

const fn place(field: &'static str, group: usize, name: &'static str) -> Place {
    Place { field, group, name, form: Form::Plain }
}

impl Place {
    const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }
}

impl Shape {
    /// Where the field of this name goes.
    pub(crate) fn place<'a>(
        &self,
        field: &'a str,
        access: bool,
        timed: bool,
    ) -> (usize, &'a str, Form) {
        let special = if access { self.access } else { &[] };
        let form = form(field, access, timed);
        match special.iter().chain(self.places).find(|place| place.field == field) {
            Some(place) if place.form == Form::Plain => (place.group, place.name, form),
            Some(place) => (place.group, place.name, place.form),
            None => (self.fields, field, form),
        }
    }
}

/// The form of a field that a shape says nothing of.
pub(crate) fn form(field: &str, access: bool, timed: bool) -> Form {
    match field {
        "duration_ms" | "ttfb_ms" | "db_ms" | "ai_ms" | "http_ms" | "service_ms"
            if access || timed =>
        {
            Form::Millis
        }
        // Words of ours, templates of the router's, an address; and the query, which the access
        // log has redacted.
        "route" | "query" | "reason" | "protocol" | "outcome" | "client_ip" | "error_type"
        | "rejected_by"
            if access =>
        {
            Form::Known
        }
        _ => Form::Plain,
    }
}
