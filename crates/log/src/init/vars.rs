//! The variables that say how a process logs.

use tracing_subscriber::filter::Targets;

use super::{Format, LogLevel, Setup};
use crate::{InitError, Sink};

/// Their names.
pub(super) const ALL: [&str; 5] =
    ["LOG_FORMAT", "LOG_LEVEL", "RUST_LOG", "LOG_FILE", "ALLOW_DEBUG"];

impl Setup {
    /// What these variables say, in place of the process's environment.
    ///
    /// # Errors
    /// When one says what is not known.
    pub fn vars(mut self, var: impl Fn(&str) -> Option<String>) -> Result<Self, InitError> {
        let var = |name| var(name).filter(|value| !value.is_empty()).map(|value| (name, value));
        if let Some((name, value)) = var("LOG_FORMAT") {
            self.format = Format::named(&value.to_ascii_lowercase()).ok_or_else(|| {
                let allowed =
                    "one of auto, pretty, json, ecs, datadog, gcp, otel, pino, cloudwatch";
                InitError::variable(name, &value, allowed)
            })?;
        }
        if let Some((name, value)) = var("LOG_LEVEL") {
            let level = LogLevel::named(&value).ok_or_else(|| {
                let allowed = "one of trace, debug, info, warn, error, fatal, off";
                InitError::variable(name, &value, allowed)
            })?;
            self = self.level(level);
        }
        if let Some((name, value)) = var("RUST_LOG") {
            let targets: Targets = value.parse().map_err(|error| {
                InitError::variable(name, &value, format_args!("{error}; as in info,hyper=warn"))
            })?;
            self.targets = Some(targets);
        }
        if let Some((_, path)) = var("LOG_FILE") {
            self.sink = Sink::file(path);
        }
        if let Some((name, value)) = var("ALLOW_DEBUG") {
            self.allow_debug =
                value.parse().map_err(|_| InitError::variable(name, &value, "true or false"))?;
        }
        Ok(self)
    }
}
