//! What a capability tells others about itself: whether it works, and its numbers.
//!
//! A rate limiter, a circuit breaker or a connection pool implements these; a health registry or
//! a metrics exporter reads them. Neither side knows the other.

use std::{borrow::Cow, error::Error, fmt, future::Future, pin::Pin};

use crate::value::{Members, Value};

/// The future of a [`Check`].
pub type CheckFuture<'a> =
    Pin<Box<dyn Future<Output = Result<CheckReport, CheckError>> + Send + 'a>>;

/// Something whose health can be asked.
///
/// It is called from a background task, never from a request, and is dropped when it takes too
/// long; so it needs no timeout of its own, but must be safe to drop at any await.
///
/// ```
/// use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
///
/// struct Queue { depth: usize }
///
/// impl Check for Queue {
///     fn name(&self) -> &str {
///         "queue"
///     }
///     fn check(&self) -> CheckFuture<'_> {
///         Box::pin(async move {
///             match self.depth {
///                 0..1000 => Ok(CheckReport::ok().with("depth", self.depth)),
///                 depth => Err(CheckError::degraded("backlog").with("depth", depth)),
///             }
///         })
///     }
/// }
/// ```
pub trait Check: Send + Sync {
    /// A short, fixed name: `postgres`, `redis`.
    fn name(&self) -> &str;

    /// Looks once.
    fn check(&self) -> CheckFuture<'_>;
}

/// That a [`Check`] passed, and what it saw.
///
/// ```
/// use buttress_core::{source::CheckReport, value::Value};
///
/// let report = CheckReport::ok().with("connections", 7_u64).with("role", "primary");
/// let data: Vec<_> = report.data().collect();
/// assert_eq!(data, [("connections", &Value::from(7_u64)), ("role", &Value::from("primary"))]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckReport {
    data: Members,
}

impl CheckReport {
    /// It works, and there is no more to say.
    #[must_use]
    pub const fn ok() -> Self {
        Self { data: Members::new() }
    }

    /// Adds something that was seen, for those who may see details; the same name again replaces
    /// the value.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.data.set(name.into(), value.into());
        self
    }

    /// What was seen, in the order in which it was added.
    pub fn data(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.data.iter()
    }
}

/// Why a [`Check`] did not pass.
///
/// What may be shown and what may only be logged are kept apart: [`public`](Self::public) is a
/// constant of the program, and the [`data`](Self::data) is chosen by it, while the source may
/// name hosts and users.
///
/// ```
/// use buttress_core::{source::CheckError, value::Value};
/// use std::error::Error;
///
/// let error = CheckError::failed("no connection")
///     .because("db-7.internal refused the password of user app")
///     .with("attempts", 3_u64);
/// assert_eq!(error.to_string(), "no connection");
/// assert!(!error.is_degraded());
/// assert_eq!(error.data().next(), Some(("attempts", &Value::from(3_u64))));
/// assert!(error.source().unwrap().to_string().contains("db-7"));
/// ```
#[derive(Debug)]
pub struct CheckError {
    public: &'static str,
    degraded: bool,
    data: Members,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CheckError {
    /// It does not work.
    #[must_use]
    pub const fn failed(public: &'static str) -> Self {
        Self { public, degraded: false, data: Members::new(), source: None }
    }

    /// It works, but not as it should.
    #[must_use]
    pub const fn degraded(public: &'static str) -> Self {
        Self { public, degraded: true, data: Members::new(), source: None }
    }

    /// Adds the cause, for the log alone.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds something that was seen, for those who may see details; the same name again replaces
    /// the value. What may only be logged belongs into the cause.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.data.set(name.into(), value.into());
        self
    }

    /// What was seen, in the order in which it was added.
    pub fn data(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.data.iter()
    }

    /// What may be shown to those who may see details.
    #[must_use]
    pub const fn public(&self) -> &'static str {
        self.public
    }

    /// Whether it still works.
    #[must_use]
    pub const fn is_degraded(&self) -> bool {
        self.degraded
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.public)
    }
}

impl Error for CheckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Something that has numbers to show.
///
/// ```
/// use buttress_core::source::{Metrics, Sample};
///
/// struct Queue { depth: u32 }
///
/// impl Metrics for Queue {
///     fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
///         each(
///             Sample::gauge("queue_depth", "Jobs that wait.", self.depth.into())
///                 .labels(&[("queue", "mail")]),
///         );
///     }
/// }
/// ```
pub trait Metrics: Send + Sync {
    /// Hands each present value to `each`. Called on a scrape; it must not block.
    ///
    /// Samples of one name come one after the other, with nothing between them: the text formats
    /// of Prometheus and `OpenMetrics` want a metric's lines together, and a reader does not sort.
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>));
}

/// One number of a [`Metrics`] source.
///
/// ```
/// use buttress_core::source::{Kind, Sample};
///
/// let sample = Sample::counter("mails_sent_total", "Mails that were sent.", 12.0)
///     .labels(&[("queue", "welcome")]);
/// assert_eq!((sample.kind, sample.value), (Kind::Counter, 12.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// The metric's name, with its unit, in Prometheus form: `pool_wait_seconds`, and `_total` at
    /// the end of a counter's.
    pub name: &'a str,
    /// One sentence on what is counted.
    pub help: &'a str,
    /// How it moves.
    pub kind: Kind,
    /// Names and values; few different values each.
    pub labels: &'a [(&'a str, &'a str)],
    /// The present value.
    pub value: f64,
}

impl<'a> Sample<'a> {
    /// A value that only grows, from 0 at the start of the process.
    #[must_use]
    pub const fn counter(name: &'a str, help: &'a str, value: f64) -> Self {
        Self { name, help, kind: Kind::Counter, labels: &[], value }
    }

    /// A value that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'a str, help: &'a str, value: f64) -> Self {
        Self { name, help, kind: Kind::Gauge, labels: &[], value }
    }

    /// Tells this sample apart from others of the same name.
    #[must_use]
    pub const fn labels(mut self, labels: &'a [(&'a str, &'a str)]) -> Self {
        self.labels = labels;
        self
    }
}

/// How a [`Sample`]'s value moves.
///
/// ```
/// use buttress_core::source::{Kind, Sample};
///
/// /// A metric's head in the text format of Prometheus.
/// fn head(sample: &Sample<'_>) -> String {
///     let kind = match sample.kind {
///         Kind::Counter => "counter",
///         Kind::Gauge => "gauge",
///         _ => "untyped",
///     };
///     format!("# TYPE {} {kind}\n", sample.name)
/// }
/// # assert_eq!(head(&Sample::gauge("queue_depth", "Jobs.", 1.0)), "# TYPE queue_depth gauge\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}
