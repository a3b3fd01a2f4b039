//! A tracing layer that shows another one only what it may see.

use tracing_core::{
    Dispatch, Event, Interest, LevelFilter, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::{Rules, copy::Copy};

/// Wraps any tracing-subscriber layer (fmt, OTLP, Sentry, your own) and censors what it sees of
/// events, of spans' fields and of what is recorded on a span later.
///
/// ```
/// use buttress_redact::RedactLayer;
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry()
///     .with(RedactLayer::new(tracing_subscriber::fmt::layer()));
/// # let (_, _): (_, tracing::Level) = (subscriber, tracing::Level::INFO);
/// ```
///
/// The inner layer gets the event itself where there is nothing to hide. Otherwise it gets one of
/// the same callsite, with the same parent and the values of clear fields; then a value that came
/// as `Debug` comes as the text it prints, and an error as its texts, that of each source
/// included, without the types behind them.
///
/// # What it costs
/// Where a callsite has no sensitive field, one look-up without a lock; and while value rules are
/// on, a scan of each text in it, for which `Debug` values (the message is one) are formatted once
/// more, into a buffer of the thread's. Nothing is allocated. An event with something to hide is
/// copied: that costs a dozen allocations.
///
/// # What it cannot do
/// - Filters go outside: `RedactLayer::new(layer).with_filter(filter)`. The registry does not find
///   a filter inside of it and may then switch callsites off for other layers too.
/// - What is looked up by downcasting is not found inside of it: the span extensions of
///   `tracing-opentelemetry` need that. Redact in its exporter, by [`Rules`], instead.
/// - Two fmt layers with the same field format share the spans' fields that the first one has
///   formatted: wrap both, or neither.
/// - `?user` of a struct is one text: its fields have no keys there. See
///   `Redacted` (feature `serde`) for that.
#[derive(Clone, Debug)]
pub struct RedactLayer<L> {
    inner: L,
    rules: Rules,
}

impl<L> RedactLayer<L> {
    /// By the default rules.
    #[must_use]
    pub fn new(inner: L) -> Self {
        Self { inner, rules: Rules::new() }
    }

    /// By these rules.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The layer inside.
    #[must_use]
    pub const fn inner(&self) -> &L {
        &self.inner
    }
}

impl<S, L> Layer<S> for RedactLayer<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.inner.on_register_dispatch(subscriber);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, ctx)
    }

    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let metadata = attrs.metadata();
        let Some(copy) = Copy::of(&self.rules, metadata, |visitor| attrs.record(visitor)) else {
            return self.inner.on_new_span(attrs, id, ctx);
        };
        let values = copy.values();
        let values = metadata.fields().value_set_all(&values);
        let censored = match attrs.parent() {
            Some(parent) => Attributes::child_of(parent.clone(), metadata, &values),
            None if attrs.is_root() => Attributes::new_root(metadata, &values),
            None => Attributes::new(metadata, &values),
        };
        self.inner.on_new_span(&censored, id, ctx);
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.inner.max_level_hint()
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        // Of a span that is not there nobody can tell what its fields are called.
        let Some(metadata) = ctx.metadata(id) else { return };
        let Some(copy) = Copy::of(&self.rules, metadata, |visitor| record.record(visitor)) else {
            return self.inner.on_record(id, record, ctx);
        };
        let values = copy.values();
        let values = metadata.fields().value_set_all(&values);
        self.inner.on_record(id, &Record::new(&values), ctx);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        self.inner.on_follows_from(id, follows, ctx);
    }

    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.event_enabled(event, ctx)
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let metadata = event.metadata();
        let Some(copy) = Copy::of(&self.rules, metadata, |visitor| event.record(visitor)) else {
            return self.inner.on_event(event, ctx);
        };
        let values = copy.values();
        // `value_set_all` is not in tracing-core's documentation, but its users' macros expand to
        // it: it stays as long as 0.1 does.
        let values = metadata.fields().value_set_all(&values);
        let censored = if event.is_contextual() {
            Event::new(metadata, &values)
        } else {
            Event::new_child_of(event.parent().cloned(), metadata, &values)
        };
        self.inner.on_event(&censored, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_exit(id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.inner.on_close(id, ctx);
    }

    fn on_id_change(&self, old: &Id, new: &Id, ctx: Context<'_, S>) {
        self.inner.on_id_change(old, new, ctx);
    }
}
