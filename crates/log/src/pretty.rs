//! Lines for a developer's eyes.

use std::fmt;

use buttress_core::context::{self, RequestContext};
use buttress_redact::Rules;
use tracing_core::{
    Event, Level, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

use self::{style::Style, visit::Visit};
use crate::{
    Writer,
    json::{Spans, is_fatal, log_target, next_layer},
    line::{Line, Now},
    logger,
};

mod style;
mod visit;

/// Targets are filled up to this, so that messages begin in one column.
const TARGET: usize = 16;

/// Writes each event for a terminal: time, level, target, message and fields on one line; below it,
/// indented, the fields of child loggers, the spans it is in and the causes of an error.
///
/// ```text
/// 12:00:00.123 INFO  access           GET /users/{id} 200 path=/users/42 duration_ms=12.004 request_id=0189…
/// 12:00:00.124 ERROR shop::orders     not paid error="no connection"
///     order=17
///     caused by: refused
/// ```
///
/// Whatever is in the fields, a control character is printed as an escape: a terminal obeys none
/// of them. An event is cut after 256 KB, and what is below it too; [`JsonLayer`](crate::JsonLayer)
/// says where it does so. It redacts as that does.
///
/// ```
/// use buttress_log::{PrettyLayer, Sink};
/// use tracing_subscriber::prelude::*;
///
/// let sink = Sink::stderr();
/// let colours = PrettyLayer::wants_colours(&sink);
/// let (writer, guard) = sink.open()?;
/// let layer = PrettyLayer::new(writer).colours(colours);
/// let subscriber = tracing_subscriber::registry().with(layer);
/// # let _ = (subscriber, guard);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PrettyLayer {
    writer: Writer,
    rules: Rules,
    style: Style,
    fatal_only: bool,
    id: u64,
}

impl PrettyLayer {
    /// Without colours.
    #[must_use]
    pub fn new(writer: Writer) -> Self {
        Self {
            writer,
            rules: Rules::new(),
            style: Style { colours: false },
            fatal_only: false,
            id: next_layer(),
        }
    }

    /// What is redacted. The standard rules unless said.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Whether to colour. Not unless said.
    #[must_use]
    pub fn colours(mut self, on: bool) -> Self {
        self.style = Style { colours: on };
        self
    }

    /// Whether colours are welcome: the sink is a terminal, which is not a dumb one, and `NO_COLOR`
    /// is not set (no-color.org).
    #[must_use]
    pub fn wants_colours(sink: &crate::Sink) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        sink.is_terminal() && !set("NO_COLOR") && !dumb
    }

    /// Only events that say they are fatal.
    pub(crate) fn fatal_only(mut self, on: bool) -> Self {
        self.fatal_only = on;
        self
    }

    fn event<S>(&self, line: &mut Line, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let style = self.style;
        style.dim(line, |line| Now::read().clock(&mut line.bytes));
        line.push(b" ");
        let level = *event.metadata().level();
        style.level(line, level, level == Level::ERROR && is_fatal(event));
        line.push(b" ");
        let start = line.len();
        log_target(event, &mut |target| style.dim(line, |line| line.plain(target)));
        let width = line.len() - start - if style.colours { Style::DIM_LEN } else { 0 };
        for _ in width..TARGET {
            line.push(b" ");
        }
        let mut below = Line::take();
        Visit::new(self, event, line, &mut below).all();
        if let Some(request) = context::current() {
            self.ids(line, &request);
        }
        line.push(b"\n");
        self.children(line);
        self.scope(line, ctx.event_scope(event));
        line.push(&below.bytes);
        below.give();
    }

    fn ids(&self, line: &mut Line, request: &RequestContext) {
        if let Some(id) = request.request_id_str() {
            self.style.dim(line, |line| {
                line.push(b" request_id=");
                line.plain(id);
            });
        }
    }

    /// The fields of the loggers in scope, on a line of their own.
    fn children(&self, line: &mut Line) {
        const INDENT: &[u8] = b"   ";
        let start = line.len();
        line.push(INDENT);
        let empty = line.len();
        logger::each_field(|name, value| visit::loose(self.style, &self.rules, line, name, value));
        if line.len() > empty {
            line.push(b"\n");
        } else {
            line.bytes.truncate(start);
        }
    }

    /// The spans, the innermost first.
    fn scope<R>(&self, line: &mut Line, scope: Option<Scope<'_, R>>)
    where
        R: for<'a> LookupSpan<'a>,
    {
        for span in scope.into_iter().flatten() {
            let extensions = span.extensions();
            let Some(json) = extensions.get::<Spans>().and_then(|spans| spans.json(self.id)) else {
                continue;
            };
            if line.is_full() {
                return;
            }
            self.style.dim(line, |line| {
                line.push(b"    in ");
                line.push(json.strip_prefix(br#"{"name":"#).unwrap_or(json));
            });
            line.push(b"\n");
        }
    }
}

impl<S> Layer<S> for PrettyLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        let style = self.style;
        self.writer.report_by(std::sync::Arc::new(move |lost, out| {
            let mut line = Line::default();
            style.dim(&mut line, |line| Now::read().clock(&mut line.bytes));
            line.push(b" ");
            style.level(&mut line, Level::WARN, false);
            line.plain(&format!(" {:TARGET$} log lines lost lost={lost}", "buttress_log"));
            line.push(b"\n");
            out.extend_from_slice(&line.bytes);
        }));
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            Spans::begin(self.id, &self.rules, attributes, &mut span.extensions_mut());
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            Spans::record(self.id, &self.rules, record, &span);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if self.fatal_only && !is_fatal(event) {
            return;
        }
        let mut line = Line::take();
        self.event(&mut line, event, &ctx);
        self.writer.push(&line.bytes);
        line.give();
    }
}

impl fmt::Debug for PrettyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrettyLayer")
            .field("rules", &self.rules)
            .field("colours", &self.style.colours)
            .finish_non_exhaustive()
    }
}
