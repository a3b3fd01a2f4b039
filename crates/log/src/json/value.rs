//! Values, redacted, as JSON.

use std::{
    error::Error,
    fmt::{self, Write as _},
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use buttress_core::value::Value;
use buttress_redact::{Censor, Rules, Verdict};

use crate::line::{Bytes, Escaped, Line};

/// What stands for a value whose code panicked.
pub(crate) const PANIC: &str = "[PANIC]";

/// How many causes of an error are written: a chain may be a circle.
const MAX_CAUSES: usize = 32;

/// Lists and objects in each other, as deep as this: readers of JSON have their limits (128 in
/// `serde_json`, 20 objects in Elasticsearch).
const MAX_DEPTH: usize = 16;

/// No number below it is a card's: those have 13 digits and more.
pub(super) const CARD: u64 = 1_000_000_000_000;

/// Runs code of others. Answers false if it panicked.
pub(crate) fn guarded(f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => true,
        Err(payload) => {
            // To drop it is to run their code again.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            false
        }
    }
}

impl Line {
    pub(crate) fn unsigned(&mut self, number: u64, rules: &Rules) {
        if number >= CARD {
            return self.number(number.into(), rules, |line| line.bytes.unsigned(number));
        }
        self.bytes.unsigned(number);
    }

    pub(crate) fn signed(&mut self, number: i64, rules: &Rules) {
        if number.unsigned_abs() >= CARD {
            let magnitude = number.unsigned_abs().into();
            return self.number(magnitude, rules, |line| line.bytes.signed(number));
        }
        self.bytes.signed(number);
    }

    /// A number that is written by `write` unless it is a secret.
    pub(crate) fn number(&mut self, number: u128, rules: &Rules, write: impl FnOnce(&mut Self)) {
        match rules.number(number) {
            Verdict::Clear => write(self),
            Verdict::Censor(censor) => self.censored(censor, &number),
            Verdict::Remove => self.push(b"null"),
        }
    }

    /// An integer of 128 bits.
    pub(crate) fn big(&mut self, magnitude: u128, number: &dyn fmt::Display, rules: &Rules) {
        self.number(magnitude, rules, |line| {
            // Writing into a `Vec` cannot fail.
            let _ = write!(line.bytes, "{number}");
        });
    }

    pub(crate) fn float(&mut self, number: f64, rules: &Rules) {
        match rules.float(number.abs()) {
            Verdict::Clear => self.bytes.float(number),
            Verdict::Censor(censor) => self.censored(censor, &number),
            Verdict::Remove => self.push(b"null"),
        }
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.push(if value { b"true" } else { b"false" });
    }

    /// A text, with what is a secret by its look censored.
    pub(crate) fn redacted(&mut self, text: &str, rules: &Rules) {
        if rules.is_clear(text) {
            return self.text(text);
        }
        self.quoted(|line| rules.text(text, &mut Escaped(line)));
    }

    /// What formats itself.
    pub(crate) fn formatted(&mut self, value: &dyn fmt::Debug, rules: &Rules) {
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        // An error is where the text ends.
        if guarded(|| _ = write!(raw, "{value:?}")) {
            self.redacted(&raw, rules);
        } else {
            self.text(PANIC);
        }
        self.raw = raw;
    }

    /// An error and its causes in one text: `first: its cause: and that one's`.
    pub(crate) fn chain(&mut self, error: &(dyn Error + 'static), rules: &Rules) {
        self.quoted(|line| {
            let mut next = Some(error);
            for depth in 0..MAX_CAUSES {
                let Some(error) = next else { break };
                if depth > 0 {
                    line.push(b": ");
                }
                rules.format(format_args!("{error}"), &mut Escaped(line))?;
                next = error.source();
            }
            Ok(())
        });
    }

    /// What stands for a sensitive value.
    pub(crate) fn censored(&mut self, censor: &Censor, value: &dyn fmt::Display) {
        self.quoted(|line| censor.write(value, &mut Escaped(line)));
    }

    /// What is written before formatting fails stays.
    fn quoted(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) {
        self.bytes.push(b'"');
        let start = self.len();
        if !guarded(|| _ = write(&mut *self)) {
            self.bytes.truncate(start);
            self.escape(PANIC);
        }
        self.bytes.push(b'"');
    }

    /// A value with no callsite. `path` is where it is, in dots.
    pub(crate) fn value(&mut self, value: &Value, path: &str, rules: &Rules) {
        self.nested(value, path, rules, MAX_DEPTH);
    }

    fn nested(&mut self, value: &Value, path: &str, rules: &Rules, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            self.cut = true;
            return self.push(b"null");
        };
        match value {
            Value::Bool(value) => self.boolean(*value),
            Value::Integer(number) => self.signed(*number, rules),
            Value::Unsigned(number) => self.unsigned(*number, rules),
            Value::Float(number) => self.float(*number, rules),
            Value::Text(text) => self.redacted(text, rules),
            Value::List(values) => self.list(values, path, rules, depth),
            Value::Object(members) => self.object(members, path, rules, depth),
            // `Null`, and what there is not yet.
            _ => self.push(b"null"),
        }
    }

    fn list(&mut self, values: &[Value], path: &str, rules: &Rules, depth: usize) {
        self.bytes.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.bytes.push(b',');
            }
            self.nested(value, &format!("{path}.{index}"), rules, depth);
            if self.is_full() {
                break;
            }
        }
        self.bytes.push(b']');
    }

    fn object<K: AsRef<str>>(
        &mut self,
        members: &[(K, Value)],
        path: &str,
        rules: &Rules,
        depth: usize,
    ) {
        self.bytes.push(b'{');
        let start = self.len();
        for (index, (key, value)) in members.iter().enumerate() {
            let key = key.as_ref();
            // Of one key twice the last counts, as readers of JSON have it.
            if members.iter().skip(index + 1).any(|(later, _)| later.as_ref() == key) {
                continue;
            }
            let path = format!("{path}.{key}");
            let verdict = rules.key(&path);
            if let Verdict::Remove = verdict {
                continue;
            }
            let before = self.len();
            if before > start {
                self.bytes.push(b',');
            }
            self.text(key);
            // One that is cut may be another's.
            if self.is_full() {
                self.bytes.truncate(before);
                self.cut = true;
                break;
            }
            self.bytes.push(b':');
            match verdict {
                Verdict::Censor(censor) => self.censored(censor, &Json(value)),
                _ => self.nested(value, &path, rules, depth),
            }
            if self.is_full() {
                break;
            }
        }
        self.bytes.push(b'}');
    }
}

/// A value as the text that a censor gets to see.
pub(super) struct Json<'a>(pub(super) &'a Value);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) => f.write_str(text),
            value => f.write_str(&value.to_json()),
        }
    }
}
