//! The usual case, in one call.

use std::env;

use buttress_core::value::Value;
use buttress_redact::Rules;
use tracing_core::Subscriber;
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::SubscriberExt,
    registry::{LookupSpan, Registry},
};

use self::level::Threshold;
pub use self::{format::Format, level::LogLevel};
use crate::{Guard, InitError, JsonLayer, PrettyLayer, Sink};

mod format;
mod level;
mod vars;

/// Sets up logging for the process, by its environment: [`Setup`] says how. Keep the guard to the
/// end of `main`.
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let _guard = buttress_log::init()?;
///     tracing::info!("started");
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When a variable says what is not known, when `LOG_FILE` cannot be opened, when no thread can be
/// started, or when the process has a subscriber already.
pub fn init() -> Result<Guard, InitError> {
    Setup::new().env()?.init()
}

/// A layer, what it is to be given, and the end of its writer.
type Opened<S> = (Box<dyn Layer<S> + Send + Sync>, Threshold, Guard);

/// How a process logs. Each verb has the last word over those before it.
///
/// ```no_run
/// use buttress_log::{Setup, Sink};
///
/// # fn main() -> Result<(), buttress_log::InitError> {
/// let _guard = Setup::new().service("api").sink(Sink::stderr()).env()?.init()?;
/// # Ok(())
/// # }
/// ```
///
/// [`env`](Self::env) reads these variables; one that is empty is as one that is not set.
///
/// | variable | values | default |
/// |---|---|---|
/// | `LOG_FORMAT` | `auto`, `pretty`, `json`, `ecs`, `datadog`, `gcp`, `otel`, `pino`, `cloudwatch`, in any case | `auto`: pretty on a terminal, else JSON |
/// | `LOG_LEVEL` | `trace`, `debug`, `info`, `warn`, `error`, `fatal`, `off`, in any case | `info` |
/// | `RUST_LOG` | as in `info,hyper=warn,my_crate::module=debug` ([`Targets`]); wins over `LOG_LEVEL` | |
/// | `LOG_FILE` | a path | standard output |
/// | `ALLOW_DEBUG` | `true`, `false` | `false` |
///
/// In production, which is any format but pretty, levels below info are for those who ask twice:
/// without `ALLOW_DEBUG=true` they are raised to info, and the first line says so. Debug lines of
/// libraries are many, and print what they carry.
#[derive(Debug)]
#[must_use = "it does nothing until `init` or `layer`"]
pub struct Setup {
    format: Format,
    level: LogLevel,
    targets: Option<Targets>,
    allow_debug: bool,
    sink: Sink,
    rules: Rules,
    constants: Vec<(String, Value)>,
    colours: Option<bool>,
}

impl Setup {
    /// By the defaults of the table above, whatever the environment says.
    pub fn new() -> Self {
        Self {
            format: Format::Auto,
            level: LogLevel::Info,
            targets: None,
            allow_debug: false,
            sink: Sink::stdout(),
            rules: Rules::new(),
            constants: Vec::new(),
            colours: None,
        }
    }

    /// What the process's environment says.
    ///
    /// # Errors
    /// When a variable says what is not known.
    pub fn env(self) -> Result<Self, InitError> {
        for name in vars::ALL {
            if let Err(env::VarError::NotUnicode(value)) = env::var(name) {
                return Err(InitError::variable(name, &value.to_string_lossy(), "not UTF-8"));
            }
        }
        self.vars(|name| env::var(name).ok())
    }

    /// The service's name, in each line of JSON.
    pub fn service(self, name: &str) -> Self {
        self.field("service", name.to_owned())
    }

    /// A field that is in each line of JSON, such as `version`, `environment` and `host`.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.constants.push((name.to_owned(), value.into()));
        self
    }

    /// How lines look.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The least severity that is logged, for all targets.
    pub fn level(mut self, level: LogLevel) -> Self {
        self.level = level;
        self.targets = None;
        self
    }

    /// The least severity that is logged, target by target.
    pub fn targets(mut self, targets: Targets) -> Self {
        self.targets = Some(targets);
        self
    }

    /// Whether debug and trace lines are allowed in production.
    pub const fn allow_debug(mut self, allow: bool) -> Self {
        self.allow_debug = allow;
        self
    }

    /// Where lines go.
    pub fn sink(mut self, sink: Sink) -> Self {
        self.sink = sink;
        self
    }

    /// What is redacted.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Whether pretty lines are coloured; else where the sink wants it
    /// ([`PrettyLayer::wants_colours`]).
    pub const fn colours(mut self, on: bool) -> Self {
        self.colours = Some(on);
        self
    }

    /// Makes this the process's logging.
    ///
    /// # Errors
    /// When the sink cannot be opened, no thread can be started, or the process has a subscriber;
    /// with the feature `log`, also where it has a logger of the `log` crate.
    pub fn init(self) -> Result<Guard, InitError> {
        let (layer, threshold, guard) = self.open::<Registry>()?;
        let subscriber = tracing_subscriber::registry().with(layer);
        // Around all of it: a filter for one layer costs more.
        let subscriber = subscriber.with(threshold.targets.clone());
        set(subscriber).map_err(|()| InitError::already_set())?;
        threshold.warn();
        Ok(guard)
    }

    /// The layer alone, with its filter, for a subscriber of one's own. Nothing says there that
    /// debug lines were raised to info.
    ///
    /// ```
    /// use buttress_log::Setup;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let (layer, guard) = Setup::new().layer()?;
    /// let subscriber = tracing_subscriber::registry().with(layer);
    /// # let _ = (subscriber, guard);
    /// # Ok::<(), buttress_log::InitError>(())
    /// ```
    ///
    /// # Errors
    /// When the sink cannot be opened, or no thread can be started.
    pub fn layer<S>(self) -> Result<(impl Layer<S> + Send + Sync, Guard), InitError>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (layer, threshold, guard) = self.open::<S>()?;
        Ok((layer.with_filter(threshold.targets), guard))
    }

    fn open<S>(self) -> Result<Opened<S>, InitError>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let schema = self.format.schema(&self.sink);
        let colours = self.colours.unwrap_or_else(|| PrettyLayer::wants_colours(&self.sink));
        let threshold = Threshold::of(self.level, self.targets);
        let threshold = match schema {
            Some(_) if !self.allow_debug => threshold.without_debug(),
            _ => threshold,
        };
        let name = self.sink.to_string();
        let (writer, guard) = self.sink.open().map_err(|error| InitError::sink(&name, error))?;
        let Some(schema) = schema else {
            let pretty = PrettyLayer::new(writer).rules(self.rules).colours(colours);
            return Ok((Box::new(pretty.fatal_only(threshold.fatal_only)), threshold, guard));
        };
        let json = JsonLayer::new(writer).schema(schema).rules(self.rules);
        let fields = self.constants.into_iter();
        let json = fields.fold(json, |json, (name, value)| json.field(&name, value));
        Ok((Box::new(json.fatal_only(threshold.fatal_only)), threshold, guard))
    }
}

/// With the feature alone: another crate's choice of tracing-subscriber's features must not decide
/// who listens to the `log` crate.
#[cfg(not(feature = "log"))]
fn set(subscriber: impl Subscriber + Send + Sync) -> Result<(), ()> {
    tracing::subscriber::set_global_default(subscriber).map_err(drop)
}

#[cfg(feature = "log")]
fn set(subscriber: impl Subscriber + Send + Sync) -> Result<(), ()> {
    tracing_subscriber::util::SubscriberInitExt::try_init(subscriber).map_err(drop)
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}
