//! What a line says beside the fields of its callsite, whose names no callsite knows.

use std::{borrow::Cow, cell::Cell, fmt};

use buttress_core::value::{Value, write_json_str};

/// Each name once, in the order in which they are written.
pub(super) type Fields = Vec<(Cow<'static, str>, Value)>;

thread_local! {
    static EXTRA: Cell<Fields> = const { Cell::new(Vec::new()) };
}

/// What the access line that is being written on this thread says beside the event's own fields:
/// the application's fields and the headers that are shown.
pub(crate) fn each_extra(mut visit: impl FnMut(&str, &Value)) {
    // A thread that is being torn down writes no access line.
    let _ = EXTRA.try_with(|extra| {
        let fields = extra.take();
        for (name, value) in &fields {
            visit(name, value);
        }
        extra.set(fields);
    });
}

/// While it lives, its fields are those of the line that is being written on this thread.
pub(super) struct Published(Fields);

impl Published {
    pub(super) fn new(fields: Fields) -> Self {
        Self(swapped(fields))
    }
}

/// A subscriber's panic must not leave one request's fields to the next.
impl Drop for Published {
    fn drop(&mut self) {
        swapped(std::mem::take(&mut self.0));
    }
}

fn swapped(fields: Fields) -> Fields {
    EXTRA.try_with(|extra| extra.replace(fields)).unwrap_or_default()
}

/// The published fields as one JSON object, for subscribers that know of none.
pub(super) struct AsObject;

impl fmt::Display for AsObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = vec![b'{'];
        each_extra(|name, value| {
            if json.len() > 1 {
                json.push(b',');
            }
            write_json_str(&mut json, name);
            json.push(b':');
            value.write_json(&mut json);
        });
        json.push(b'}');
        f.write_str(&String::from_utf8_lossy(&json))
    }
}
