//! What must be known of an event before its fields are written.

use std::fmt;

use tracing_core::{
    Event,
    field::{Field, Visit},
};

use crate::line::{Bytes, Line};

/// Whether an event says that it is fatal.
pub(crate) fn is_fatal(event: &Event<'_>) -> bool {
    struct Fatal(bool);
    impl Visit for Fatal {
        fn record_bool(&mut self, field: &Field, value: bool) {
            self.0 |= value && field.name() == "fatal";
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut fatal = Fatal(false);
    event.record(&mut fatal);
    fatal.0
}

/// The target of an event of the `log` crate, which it has in a field.
pub(crate) fn log_target(event: &Event<'_>, with: &mut dyn FnMut(&str)) {
    struct Target<'a>(&'a mut dyn FnMut(&str), bool);
    impl Visit for Target<'_> {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "log.target" && !std::mem::replace(&mut self.1, true) {
                (self.0)(value);
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut target = Target(with, false);
    event.record(&mut target);
    if !target.1 {
        with(event.metadata().target());
    }
}

/// The place in the code of an event of the `log` crate, in the pieces of a shape.
pub(super) fn log_location(event: &Event<'_>, line: &mut Line, around: [&str; 3]) {
    struct Location<'a> {
        line: &'a mut Line,
        around: [&'a str; 3],
        // Where it began, until it is whole.
        start: Option<usize>,
    }
    impl Visit for Location<'_> {
        fn record_str(&mut self, field: &Field, value: &str) {
            let [before, ..] = self.around;
            let start = self.line.len();
            if field.name() == "log.file" && self.line.open_raw(before.as_bytes()) {
                self.line.text(value);
                self.start = Some(start);
            }
        }
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "log.line" && self.start.take().is_some() {
                let [_, between, after] = self.around;
                self.line.push(between.as_bytes());
                self.line.bytes.unsigned(value);
                self.line.push(after.as_bytes());
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut location = Location { line, around, start: None };
    event.record(&mut location);
    if let Some(start) = location.start {
        line.bytes.truncate(start);
    }
}
