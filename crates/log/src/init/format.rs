//! How lines look.

use crate::{Schema, Sink};

/// How lines look.
///
/// ```
/// use buttress_log::{Format, Schema, Setup};
///
/// let setup = Setup::new().format(Format::Json(Schema::gcp().project("my-project")));
/// # let _ = setup;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Format {
    /// Pretty on a terminal, else JSON of the default shape.
    Auto,
    /// For a developer's eyes: [`PrettyLayer`](crate::PrettyLayer).
    Pretty,
    /// For machines: [`JsonLayer`](crate::JsonLayer).
    Json(Schema),
}

impl Format {
    /// The format of this name, as `LOG_FORMAT` has it.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "pretty" => Some(Self::Pretty),
            name => Schema::named(name).map(Self::Json),
        }
    }

    /// The shape, unless lines are pretty.
    pub(super) fn schema(&self, sink: &Sink) -> Option<Schema> {
        match self {
            Self::Json(schema) => Some(schema.clone()),
            Self::Auto if !sink.is_terminal() => Some(Schema::default()),
            Self::Auto | Self::Pretty => None,
        }
    }
}
