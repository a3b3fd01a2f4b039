//! Fields for all lines that follow.

use std::{borrow::Cow, fmt, sync::Arc};

use buttress_core::value::Value;

pub use self::scope::Following;
pub(crate) use self::scope::each_field;

use crate::access::cut;

mod scope;

/// A logger has no more fields.
const MAX_FIELDS: usize = 32;
/// A field is no larger, in bytes: its text, or all that is in a list or an object.
const MAX_SIZE: usize = 4096;

type Fields = Vec<(Cow<'static, str>, Value)>;

/// Fields that are on every line that is written in its scope.
///
/// [`logger`] is the one in whose scope the code runs; [`with`](Self::with) makes a child, which
/// has the fields of its parent and one more. A child has its own scope: [`enter`](Self::enter)
/// runs a function in it and [`follow`](Self::follow) a future, wherever that is polled. A clone
/// is another handle to the same fields.
///
/// The lines are those of this crate's layers, on events of any crate and at any level: no span is
/// made, so no filter can take the fields away. Where an event has a field of the same name, the
/// event's counts.
///
/// ```
/// use buttress_log::logger;
///
/// async fn pay(order: u64) {
///     logger().with("order", order).follow(async {
///         tracing::info!("charged"); // {…,"message":"charged","order":17}
///
///         // A task is polled elsewhere. It takes the fields along, and by `context::spawn`
///         // the request's id.
///         let task = tokio::spawn(logger().with("step", "mail").follow(async {
///             tracing::info!("sent"); // {…,"message":"sent","order":17,"step":"mail"}
///         }));
///         let _ = task.await;
///     })
///     .await;
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(pay(17));
/// ```
///
/// A field is at most 4 KiB large: a longer text is cut, a larger list or object is not kept. Of
/// more than 32 fields the later ones are not kept. How many are missing is in the lines, as
/// `fields_dropped`.
#[derive(Clone, Default)]
pub struct Logger {
    // None while there are no fields: most code runs in no scope.
    fields: Option<Arc<Inner>>,
}

#[derive(Clone, Default)]
struct Inner {
    kept: Fields,
    dropped: u64,
}

/// The logger in whose scope this code runs; one without fields outside of any.
#[must_use]
pub fn logger() -> Logger {
    scope::current()
}

impl Logger {
    /// A logger with these fields and one more. The same name again takes the place of the value.
    #[must_use]
    pub fn with(self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let mut fields = self.fields.unwrap_or_default();
        Arc::make_mut(&mut fields).add(name.into(), value.into());
        Self { fields: Some(fields) }
    }
}

impl Inner {
    fn add(&mut self, name: Cow<'static, str>, value: Value) {
        let Some(value) = bounded(value).filter(|_| name.len() <= MAX_SIZE) else {
            self.dropped += 1;
            return;
        };
        if let Some((_, old)) = self.kept.iter_mut().find(|(other, _)| *other == name) {
            *old = value;
        } else if self.kept.len() < MAX_FIELDS {
            self.kept.push((name, value));
        } else {
            self.dropped += 1;
        }
    }
}

fn bounded(value: Value) -> Option<Value> {
    match value {
        Value::Text(text) if text.len() > MAX_SIZE => {
            Some(Value::Text(cut(&text, MAX_SIZE).to_owned().into()))
        }
        value => (size(&value) <= MAX_SIZE).then_some(value),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(values) => values.iter().map(|value| 1 + size(value)).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| 1 + name.len() + size(value)).sum()
        }
        _ => 8,
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By name alone: a value may be nobody's to read.
        let fields = self.fields.iter().flat_map(|fields| &fields.kept);
        f.debug_list().entries(fields.map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests;
