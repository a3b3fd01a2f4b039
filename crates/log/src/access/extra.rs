//! What a line says beside the fields of its callsite, whose names no callsite knows.

use std::{borrow::Cow, fmt};

use buttress_core::value::{Value, write_json_str};

use super::published::{Published, published};

/// Each name once, in the order in which they are written.
pub(super) type Fields = Vec<(Cow<'static, str>, Value)>;

/// What the access line that is being written on this thread says beside the event's own fields:
/// the application's fields and the headers that are shown.
pub(crate) fn each_extra(mut visit: impl FnMut(&str, &Value)) {
    let published = published();
    let Some(line) = published.as_ref().and_then(Published::line) else { return };
    for (name, value) in line.extra() {
        visit(name, value);
    }
}

/// The published fields as one JSON object, for subscribers that know of none.
#[derive(Clone, Copy)]
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
