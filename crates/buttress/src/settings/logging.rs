//! `LOG_FORMAT`, `LOG_LEVEL`, `RUST_LOG`, `LOG_FILE` and `ALLOW_DEBUG`.

use crate::{
    config::config,
    log::{InitError, Setup},
};

config! {
    /// How a service logs: what [`Setup::env`] reads, reported together with all else.
    #[derive(Clone, Debug)]
    pub struct Logging {
        /// How a line looks.
        format: Option<String> = var("LOG_FORMAT")
            .expects("auto, pretty, json, ecs, datadog, gcp, otel, pino or cloudwatch")
            .unset(None, "auto: pretty on a terminal, else json")
            .empty_is_unset()
            .taken_by(|text| known("LOG_FORMAT", text)),
        /// The least severity that is logged.
        level: Option<String> = var("LOG_LEVEL")
            .expects("trace, debug, info, warn, error, fatal or off")
            .unset(None, "info")
            .empty_is_unset()
            .taken_by(|text| known("LOG_LEVEL", text)),
        /// The same, target by target; it wins.
        targets: Option<String> = var("RUST_LOG")
            .expects("levels, such as info,buttress_request_id=debug")
            .unset(None, "by LOG_LEVEL")
            .empty_is_unset()
            .taken_by(|text| known("RUST_LOG", text)),
        /// Whether levels below info are logged where lines are not pretty.
        allow_debug: bool = var("ALLOW_DEBUG").default(false).empty_is_unset(),
        /// A file to log into.
        file: Option<String> = var("LOG_FILE")
            .expects("a path")
            .unset(None, "as the service says: stdout, or stderr")
            .empty_is_unset(),
    }
}

/// Whether the log takes this.
fn known(name: &'static str, text: &str) -> Result<Setup, &'static str> {
    let setup = Setup::new().vars(|asked| (asked == name).then(|| text.to_owned()));
    setup.map_err(|_| "the log knows no such thing")
}

impl Logging {
    /// A setup with what the variables say.
    ///
    /// # Errors
    /// None of what was read: each variable was asked for alone already.
    pub fn setup(&self, setup: Setup) -> Result<Setup, InitError> {
        setup.vars(|name| match name {
            "LOG_FORMAT" => self.format.clone(),
            "LOG_LEVEL" => self.level.clone(),
            "RUST_LOG" => self.targets.clone(),
            "LOG_FILE" => self.file.clone(),
            "ALLOW_DEBUG" => Some(self.allow_debug.to_string()),
            _ => None,
        })
    }
}
