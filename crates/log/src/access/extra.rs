//! What a line says beside the fields of its callsite, whose names no callsite knows.

use std::{borrow::Cow, cell::Cell, fmt, mem::ManuallyDrop};

use buttress_core::value::{Value, write_json_str};

/// Each name once, in the order in which they are written.
pub(super) type Fields = Vec<(Cow<'static, str>, Value)>;

thread_local! {
    // Empty whenever no line is written, so there is nothing to drop with the thread; and without
    // a destructor it is read without a check, even while others are dropped.
    static EXTRA: Cell<ManuallyDrop<Fields>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
}

/// What the access line that is being written on this thread says beside the event's own fields:
/// the application's fields and the headers that are shown.
pub(crate) fn each_extra(mut visit: impl FnMut(&str, &Value)) {
    // For that long no line is written; should one be, it has none of these.
    let fields = Published(swapped(Vec::new()));
    for (name, value) in &fields.0 {
        visit(name, value);
    }
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
        drop(swapped(std::mem::take(&mut self.0)));
    }
}

fn swapped(fields: Fields) -> Fields {
    EXTRA.with(|extra| ManuallyDrop::into_inner(extra.replace(ManuallyDrop::new(fields))))
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
