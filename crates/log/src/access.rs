//! One line for each exchange.

use std::{fmt, time::Duration};

use buttress_core::{
    context::RequestContext,
    observe::{ObserveLayer, Observer, Totals},
};
use buttress_redact::Rules;
use http::{HeaderMap, HeaderName, Request, Response};
use tracing::Level;

pub use self::{
    error::{ConfigError, ConfigErrorKind},
    exchange::Exchange,
};
pub(crate) use self::{
    event::EVENT,
    extra::each_extra,
    line::{Line, micros, millis},
    message::Message,
    published::{Published, published},
    text::{HeaderText, cut},
};
use self::{
    exchange::Captured,
    level::{Levels, is_routine},
    shown::ShownHeaders,
    skip::Skipped,
};
use crate::sample::Sampling;

mod error;
mod event;
mod exchange;
mod extra;
mod grpc;
mod level;
mod line;
mod message;
mod published;
mod shown;
mod skip;
mod text;

/// Writes one event, with the target `access`, at the end of each exchange.
///
/// An [`Observer`], and by [`layer`](Self::layer) a layer of its own. The line is written when the
/// last byte of the answer was handed over, or when it is clear that it never will be: for a
/// client that left, an error and a panic too, once for each request.
///
/// | how it went | level |
/// |---|---|
/// | a status of 500 or more, a panic, an error of the service or of the body; a gRPC status that is the server's fault | `ERROR` |
/// | a status of 400 to 499, any other gRPC status but 0 | `WARN`, or [`client_errors`](Self::client_errors) |
/// | the client left before the end | `WARN`, or [`client_gone`](Self::client_gone) |
/// | slower than [`slow`](Self::slow) | `WARN` |
/// | anything else | `INFO` |
///
/// Where several hold, the most severe counts. The server's faults in gRPC are UNKNOWN,
/// `DEADLINE_EXCEEDED`, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS`, as OpenTelemetry's
/// conventions for RPC have it.
///
/// Where no subscriber listens to the target `access`, nothing is kept of a request.
///
/// ```
/// use axum::{Router, routing::get};
/// use buttress_log::AccessLog;
/// use http::header::REFERER;
/// use std::time::Duration;
///
/// let log = AccessLog::new()
///     .slow(Duration::from_millis(500))
///     .skip(["/health/*", "/metrics"])?
///     .headers([REFERER]);
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(log.layer());
/// # let _ = app;
/// # Ok::<(), buttress_log::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AccessLog {
    slow: Duration,
    levels: Levels,
    sampling: Sampling,
    skipped: Skipped,
    shown: ShownHeaders,
    rules: Rules,
    parts: Parts,
}

/// What of a request the line tells.
#[derive(Clone, Copy, Debug)]
struct Parts {
    path: bool,
    query: bool,
    user_agent: bool,
    client_ip: bool,
}

impl AccessLog {
    /// Every exchange, slow from 1 second on, with all fields and no headers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slow: Duration::from_secs(1),
            levels: Levels::default(),
            sampling: Sampling::ALL,
            skipped: Skipped::default(),
            shown: ShownHeaders::default(),
            rules: Rules::new(),
            parts: Parts { path: true, query: true, user_agent: true, client_ip: true },
        }
    }

    /// From which duration on an exchange is slow: 1 second by default. It counts from the request
    /// to the last byte of the answer, so a long download is slow too. [`Duration::MAX`] is never.
    #[must_use]
    pub const fn slow(mut self, from: Duration) -> Self {
        self.slow = from;
        self
    }

    /// Keeps this share of the routine lines: those whose level is less severe than `WARN`.
    /// Errors, warnings and slow exchanges are always written.
    ///
    /// Lines that were kept by chance say so: their `sample_rate` is the rate, and one of them
    /// stands for `1 / sample_rate` exchanges. A line without stands for itself.
    ///
    /// The verdict is that of [`Sampling`]: all services that a trace passes, and all lines of a
    /// request where the same rate filters the subscriber, come to the same.
    ///
    /// ```
    /// use buttress_log::{AccessLog, ConfigErrorKind};
    ///
    /// let log = AccessLog::new().sample(0.1)?;
    /// let error = AccessLog::new().sample(10.0).unwrap_err();
    /// assert_eq!(error.kind(), ConfigErrorKind::InvalidRate);
    /// # let _ = log;
    /// # Ok::<(), buttress_log::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Where the rate is not more than 0 and at most 1.
    pub fn sample(mut self, rate: f64) -> Result<Self, ConfigError> {
        self.sampling = Sampling::new(rate)?;
        Ok(self)
    }

    /// Writes no routine lines (less severe than `WARN`) of requests to these paths: what a probe
    /// or a scraper asks for every few seconds. Where one of them fails or is slow, it is written.
    ///
    /// `/health` is that path alone, `/health/*` each path below it. Paths are compared as they
    /// were sent. Another call adds to the list.
    ///
    /// # Errors
    /// Where a path does not begin with `/`, or has a `*` anywhere but as its last segment.
    pub fn skip<P>(mut self, paths: impl IntoIterator<Item = P>) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
    {
        for path in paths {
            self.skipped.add(path.as_ref())?;
        }
        Ok(self)
    }

    /// Shows these headers of the request, as the fields `header_<name>` with `_` for `-`. Several
    /// lines of a header are one field. One whose name or value is sensitive by the
    /// [`rules`](Self::rules) is left out or censored, listed or not; a value is cut after
    /// 1,024 bytes. Each header that a request has costs a few allocations.
    #[must_use]
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.shown = ShownHeaders::new(names, &self.rules);
        self
    }

    /// What is sensitive in queries and headers: [`Rules::new`] by default.
    ///
    /// The other fields are the subscriber's to look at; this crate's own layers do.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.shown = self.shown.judged_by(&rules);
        self.rules = rules;
        self
    }

    /// The level of a client's errors: a status of 400 to 499, or its like in gRPC. `WARN` by
    /// default. Below that they are routine: sampled and skipped.
    #[must_use]
    pub const fn client_errors(mut self, level: Level) -> Self {
        self.levels.client_errors = level;
        self
    }

    /// The level where the client left before the end of the answer. `WARN` by default. Below that
    /// it is routine: sampled and skipped.
    #[must_use]
    pub const fn client_gone(mut self, level: Level) -> Self {
        self.levels.client_gone = level;
        self
    }

    /// Whether to tell the path. Where it names people, the route says enough.
    #[must_use]
    pub const fn path(mut self, tell: bool) -> Self {
        self.parts.path = tell;
        self
    }

    /// Whether to tell the query, redacted.
    #[must_use]
    pub const fn query(mut self, tell: bool) -> Self {
        self.parts.query = tell;
        self
    }

    /// Whether to tell the user agent.
    #[must_use]
    pub const fn user_agent(mut self, tell: bool) -> Self {
        self.parts.user_agent = tell;
        self
    }

    /// Whether to tell the client's address.
    #[must_use]
    pub const fn client_ip(mut self, tell: bool) -> Self {
        self.parts.client_ip = tell;
        self
    }

    /// A layer that writes the line and does nothing else. Where others observe too, hand a clone
    /// to their [`ObserveLayer`] instead: `ObserveLayer::new((trace, metrics, log))`.
    #[must_use]
    pub fn layer(&self) -> ObserveLayer<Self> {
        ObserveLayer::new(self.clone())
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self::new()
    }
}

/// What is in force, in one line.
///
/// ```
/// use buttress_log::AccessLog;
/// use http::header::REFERER;
///
/// assert_eq!(AccessLog::new().to_string(), "slow from 1s");
/// let log = AccessLog::new().sample(0.1)?.skip(["/metrics"])?.headers([REFERER]).query(false);
/// assert_eq!(
///     log.to_string(),
///     "slow from 1s, sampled 0.1, skips /metrics, shows referer, without query",
/// );
/// # Ok::<(), buttress_log::ConfigError>(())
/// ```
impl fmt::Display for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.slow == Duration::MAX {
            f.write_str("none is slow")?;
        } else {
            write!(f, "slow from {:?}", self.slow)?;
        }
        if let Some(rate) = self.sampling.stamp() {
            write!(f, ", sampled {rate}")?;
        }
        write!(f, "{}", self.skipped)?;
        for (at, name) in self.shown.names().enumerate() {
            write!(f, "{}{name}", if at == 0 { ", shows " } else { ", " })?;
        }
        let Levels { client_errors, client_gone } = self.levels;
        for (what, level) in [("client errors", client_errors), ("client gone", client_gone)] {
            if level != Level::WARN {
                write!(f, ", {what} {level}")?;
            }
        }
        let Parts { path, query, user_agent, client_ip } = self.parts;
        let parts = [
            ("path", path),
            ("query", query),
            ("user agent", user_agent),
            ("client ip", client_ip),
        ];
        let hidden = parts.into_iter().filter(|(_, told)| !told);
        for (at, (part, _)) in hidden.enumerate() {
            write!(f, "{}{part}", if at == 0 { ", without " } else { ", " })?;
        }
        Ok(())
    }
}

impl Observer for AccessLog {
    type Exchange = Exchange;

    fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> Exchange {
        if !event::is_wanted() {
            return Exchange::NONE;
        }
        Exchange::new(Captured::of(request, self))
    }

    fn on_response<B>(&self, exchange: &mut Exchange, response: &Response<B>, _: &RequestContext) {
        if let Some(captured) = exchange.get_mut() {
            captured.head(response);
        }
    }

    fn on_trailers(&self, exchange: &mut Exchange, trailers: &HeaderMap, _: &RequestContext) {
        if let Some(captured) = exchange.get_mut() {
            captured.trailers(trailers);
        }
    }

    fn on_end(&self, exchange: Exchange, end: &Totals, context: &RequestContext) {
        let Some(captured) = exchange.get() else { return };
        let slow = end.duration >= self.slow;
        let level = self.levels.of(end, captured.grpc_status, slow);
        if !event::is_wanted_at(level) {
            return;
        }
        let mut sample_rate = None;
        if is_routine(level) {
            if self.skipped.has(captured.path()) || !self.sampling.keeps(context) {
                return;
            }
            sample_rate = self.sampling.stamp();
        }
        Line::send(level, || Line::new(exchange, (end, slow), context, self, sample_rate));
    }
}
