//! What is known of each callsite, found out once.

use buttress_redact::{Fields, Verdict};
use tracing_core::{Level, Metadata, field::Field};

use super::{encoder::Encoder, names::Names};
use crate::{
    access,
    line::{Key, Line},
    schema::Form,
};

/// A callsite, as its lines need it.
#[derive(Debug)]
pub(super) struct Site {
    // The address of what describes it, which is static.
    pub(super) address: usize,
    /// All between the time and the message: the level and the target.
    pub(super) head: Box<[u8]>,
    /// The head of a line whose severity is fatal, where the event may say so.
    pub(super) fatal: Option<Box<[u8]>>,
    /// Its events are those of the `log` crate, which say their target in a field.
    pub(super) is_log: bool,
    pub(super) is_access: bool,
    /// The message is the first field, as in all events of tracing's macros.
    pub(super) message_first: bool,
    pub(super) plans: Box<[Plan]>,
    /// The objects that its fields are in, as bits.
    pub(super) groups: u32,
    /// The key of an id that is not the line's own.
    pub(super) other_id: Key,
    /// The place in the code.
    pub(super) location: Box<[u8]>,
    /// What is taken among the fields that have no place of their own.
    pub(super) names: Names,
}

/// What becomes of one field.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) key: Key,
    pub(super) group: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Clear(Form),
    Censored,
    Message,
    /// The request's id, which the line says itself.
    RequestId,
    /// Whether it is fatal.
    Fatal,
    Skipped,
}

impl Site {
    pub(super) fn new(metadata: &'static Metadata<'static>, encoder: &Encoder) -> Self {
        let shape = encoder.schema.shape;
        let is_access = metadata.name() == access::EVENT;
        let is_log = metadata.fields().field("log.target").is_some();
        let fatal = *metadata.level() == Level::ERROR && metadata.fields().field("fatal").is_some();

        let verdicts = encoder.rules.fields(metadata);
        let mut names: Vec<Names> =
            (0..shape.groups.len()).map(|group| encoder.reserved(group)).collect();
        let mut groups = 1 | 1 << shape.fields;
        let planner = Planner { encoder, is_access, is_log, fatal, metadata };
        let mut plans = Vec::new();
        for field in metadata.fields() {
            let plan = planner.plan(&field, &verdicts, &mut names);
            let mut group = plan.group;
            while let Some(inner) = shape.groups.get(group) {
                groups |= 1 << group;
                group = inner.parent;
            }
            plans.push(plan);
        }
        let has_id = plans.iter().any(|plan| plan.kind == Kind::RequestId);
        let other_id = names.get_mut(shape.fields).filter(|_| has_id);
        let other_id = other_id.map(|names| Key::new(&names.take(shape.request_id)));
        let names = names.into_iter().nth(shape.fields).unwrap_or_default();
        Self {
            address: std::ptr::from_ref(metadata).addr(),
            head: head(metadata, encoder, is_log, level(metadata)),
            fatal: fatal.then(|| head(metadata, encoder, is_log, 5)),
            is_log,
            is_access,
            message_first: plans.first().is_some_and(|plan| plan.kind == Kind::Message),
            plans: plans.into(),
            groups,
            other_id: other_id.unwrap_or_else(|| Key::new(shape.request_id)),
            location: location(metadata, encoder, is_log),
            names,
        }
    }
}

struct Planner<'a> {
    encoder: &'a Encoder,
    metadata: &'static Metadata<'static>,
    is_access: bool,
    is_log: bool,
    fatal: bool,
}

impl Planner<'_> {
    fn plan(&self, field: &Field, verdicts: &Fields<'_>, names: &mut [Names]) -> Plan {
        let shape = self.encoder.schema.shape;
        let raw = field.name();
        let raw = raw.strip_prefix("r#").unwrap_or(raw);
        let skipped = Plan { key: Key::new(""), group: 0, kind: Kind::Skipped };
        // An event may say a thing twice. The first is what the line has a place for.
        let first = self.metadata.fields().iter().find(|other| other.name() == field.name());
        let is_first = first.is_none_or(|first| first.index() == field.index());
        if raw == "message" && is_first {
            let kind = match shape.access_message {
                Some(_) if self.is_access => Kind::Skipped,
                _ => Kind::Message,
            };
            return Plan { key: Key::new(shape.message), group: 0, kind };
        }
        if (self.is_access && raw == "fields") || (self.is_log && raw.starts_with("log.")) {
            return skipped;
        }
        let timed = self.metadata.target() == "operation";
        let (group, name, form) = shape.place(raw, self.is_access, timed);
        let kind = match verdicts.verdict(field) {
            Verdict::Remove => return skipped,
            Verdict::Censor(_) => Kind::Censored,
            Verdict::Clear if raw == "request_id" && is_first => {
                let key = Key::new(shape.request_id);
                return Plan { key, group: shape.fields, kind: Kind::RequestId };
            }
            Verdict::Clear if raw == "fatal" && self.fatal => Kind::Fatal,
            Verdict::Clear => Kind::Clear(form),
        };
        let name = match names.get_mut(group) {
            Some(names) => names.take(name),
            None => name.into(),
        };
        Plan { key: Key::new(&name), group, kind }
    }
}

/// From 0 for trace.
fn level(metadata: &Metadata<'_>) -> usize {
    match *metadata.level() {
        Level::TRACE => 0,
        Level::DEBUG => 1,
        Level::INFO => 2,
        Level::WARN => 3,
        Level::ERROR => 4,
    }
}

fn head(metadata: &Metadata<'_>, encoder: &Encoder, is_log: bool, level: usize) -> Box<[u8]> {
    let shape = encoder.schema.shape;
    let mut line = Line::default();
    line.push(shape.level.as_bytes());
    line.push(shape.levels.get(level).unwrap_or(&"null").as_bytes());
    line.push(shape.fixed.as_bytes());
    let [before, after] = shape.target;
    line.push(before.as_bytes());
    if !is_log {
        line.text(metadata.target());
        line.push(after.as_bytes());
        if let (access::EVENT, Some(message)) = (metadata.name(), shape.access_message) {
            line.open(&Key::new(shape.message));
            line.text(message);
        }
    }
    line.bytes.into()
}

fn location(metadata: &Metadata<'_>, encoder: &Encoder, is_log: bool) -> Box<[u8]> {
    let [before, between, after] = encoder.schema.shape.location;
    let (true, false, Some(file), Some(number)) =
        (encoder.location, is_log, metadata.file(), metadata.line())
    else {
        return Box::default();
    };
    let mut line = Line::default();
    line.push(before.as_bytes());
    line.text(file);
    line.push(between.as_bytes());
    line.push(number.to_string().as_bytes());
    line.push(after.as_bytes());
    line.bytes.into()
}
