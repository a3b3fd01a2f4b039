//! The events of one target, as a subscriber gets them.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

/// A line's fields, by name.
pub(crate) type Line = BTreeMap<&'static str, String>;

#[derive(Clone)]
pub(crate) struct Lines {
    target: &'static str,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Lines {
    /// Those of this target that are written on this thread from now on.
    pub(crate) fn of(target: &'static str) -> (Self, DefaultGuard) {
        let lines = Self { target, lines: Arc::default() };
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// Those that came since the last call.
    pub(crate) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == self.target {
            let mut fields = Fields(Line::new());
            event.record(&mut fields);
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(fields.0);
        }
    }
}

struct Fields(Line);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
