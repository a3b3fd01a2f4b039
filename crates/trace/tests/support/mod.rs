//! A subscriber that keeps what it is told of spans.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Id, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// All spans of one test's thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Arc<Mutex<Vec<Seen>>>);

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    id: Id,
    pub(crate) name: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) events: usize,
    pub(crate) closed: bool,
}

impl Spans {
    /// Keeps the spans of this thread for as long as the guard lives.
    ///
    /// Each test that makes spans calls it: a callsite that is first met on a thread without a
    /// subscriber, while only one other thread has one, may be switched off for that one too
    /// (tracing-core 0.1.36 then asks the current thread's alone).
    pub(crate) fn keep() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        (spans, tracing::subscriber::set_default(subscriber))
    }

    /// Those with this name.
    pub(crate) fn named(&self, name: &str) -> Vec<Seen> {
        let spans = self.0.lock().unwrap();
        spans.iter().filter(|seen| seen.name == name).cloned().collect()
    }

    /// The only one with this name.
    pub(crate) fn only(&self, name: &str) -> Seen {
        let spans = self.named(name);
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.into_iter().next().unwrap()
    }

    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.0.lock().unwrap().iter_mut().find(|seen| seen.id == *id) {
            change(seen);
        }
    }
}

impl Seen {
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let name = attributes.metadata().name();
        let mut seen =
            Seen { id: id.clone(), name, fields: BTreeMap::new(), events: 0, closed: false };
        attributes.record(&mut seen);
        self.0.lock().unwrap().push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |seen| values.record(seen));
    }

    fn on_event(&self, _: &Event<'_>, context: Context<'_, S>) {
        if let Some(span) = context.lookup_current() {
            self.change(&span.id(), |seen| seen.events += 1);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        // An id may be used again for a later span.
        self.change(&id, |seen| {
            seen.closed = true;
            seen.id = Id::from_u64(u64::MAX);
        });
    }
}
