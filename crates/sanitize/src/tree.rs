//! The rules about keys, depth and counts, for whoever walks a document.

use crate::{
    keys::{Keys, Level},
    pointer,
    policy::Policy,
    reports::{Reports, Verdict},
    rule::{Action, Rule},
    violation::{Place, Violation},
};

/// Few documents are deeper.
const FIRST_FRAMES: usize = 8;

/// An array or object that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_object: bool,
    // The value of a key `constructor`.
    is_constructor: bool,
    // Whether a member has passed: what follows keeps its comma.
    has_passed: bool,
    // Keys or items so far.
    count: u32,
    // What is wrong is wrong with the whole of it.
    is_ended: bool,
    // The key whose value is read, or that is collected.
    key: Option<(usize, usize)>,
    level: Level,
}

/// Where in a document we are, what has been counted, and what was reported.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) policy: Policy,
    frames: Vec<Frame>,
    keys: Keys,
    total_keys: u32,
    reports: Reports,
    // Whether what is to be stripped can be.
    pub(crate) strips: bool,
    looks_for_prototypes: bool,
    looks_for_operators: bool,
    looks_for_duplicates: bool,
}

impl Tree {
    pub(crate) fn new(policy: &Policy) -> Self {
        let looks_for = |rule| policy.action(rule) != Action::Off;
        Self {
            frames: Vec::new(),
            keys: Keys::default(),
            total_keys: 0,
            reports: Reports::default(),
            strips: false,
            looks_for_prototypes: looks_for(Rule::PrototypeKey),
            looks_for_operators: looks_for(Rule::OperatorKey),
            looks_for_duplicates: looks_for(Rule::DuplicateKey),
            policy: policy.clone(),
        }
    }

    #[inline]
    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }

    #[inline]
    pub(crate) fn in_object(&self) -> Option<bool> {
        self.frames.last().map(|frame| frame.is_object)
    }

    #[inline]
    pub(crate) fn open(&mut self, is_object: bool) -> Result<(), Rule> {
        if self.frames.len() >= usize::from(self.policy.limits.depth) {
            return Err(Rule::Depth);
        }
        let is_constructor = is_object
            && self.looks_for_prototypes
            && self.frames.last().and_then(|frame| frame.key).is_some_and(|(start, len)| {
                len == CONSTRUCTOR.len() && self.keys.get(start, len) == CONSTRUCTOR
            });
        if self.frames.capacity() == 0 {
            self.frames.reserve(FIRST_FRAMES);
        }
        if is_object {
            self.keys.make_room();
        }
        self.frames.push(Frame {
            is_object,
            is_constructor,
            has_passed: false,
            is_ended: false,
            count: 0,
            key: None,
            level: self.keys.open(),
        });
        Ok(())
    }

    #[inline]
    pub(crate) fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.keys.close(frame.level);
        }
    }

    /// A value is about to come: if in an array, it is the next item.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<(), Rule> {
        let Some(frame) = self.frames.last_mut().filter(|frame| !frame.is_object) else {
            return Ok(());
        };
        frame.count = frame.count.saturating_add(1);
        if frame.count > self.policy.limits.array_items { Err(Rule::ArrayItems) } else { Ok(()) }
    }

    /// A key is about to come.
    #[inline]
    pub(crate) fn begin_key(&mut self) {
        let start = self.keys.begin();
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some((start, usize::MAX));
        }
    }

    /// A part of the key, decoded.
    #[inline]
    pub(crate) fn extend_key(&mut self, bytes: &[u8]) {
        self.keys.extend(bytes);
    }

    /// The key is whole.
    #[inline]
    pub(crate) fn end_key(&mut self, at: Option<u64>) -> Result<Verdict, Rule> {
        let Some(frame) = self.frames.last_mut() else { return Ok(Verdict::Pass) };
        let Some((start, _)) = frame.key else { return Ok(Verdict::Pass) };
        let key = self.keys.from(start);
        frame.key = Some((start, key.len()));
        frame.count = frame.count.saturating_add(1);
        self.total_keys = self.total_keys.saturating_add(1);
        if frame.count > self.policy.limits.object_keys {
            return Err(Rule::ObjectKeys);
        }
        if self.total_keys > self.policy.limits.keys {
            return Err(Rule::Keys);
        }
        let (level, is_constructor) = (frame.level, frame.is_constructor);
        // Both names have nine bytes: most keys are let through by their length.
        let is_prototype = self.looks_for_prototypes
            && key.len() == PROTO.len()
            && (key == PROTO || (is_constructor && key == PROTOTYPE));
        let is_operator = self.looks_for_operators && is_operator(key);
        let mut verdict = Verdict::Pass;
        if is_prototype && self.found(Rule::PrototypeKey, at)? == Verdict::Strip {
            verdict = Verdict::Strip;
        }
        if is_operator && self.found(Rule::OperatorKey, at)? == Verdict::Strip {
            verdict = Verdict::Strip;
        }
        // A key that is stripped is not there: the next of its kind is stripped for what it is.
        if verdict == Verdict::Pass
            && self.looks_for_duplicates
            && !self.keys.insert(level, start)
            && self.found(Rule::DuplicateKey, at)? == Verdict::Strip
        {
            verdict = Verdict::Strip;
        }
        Ok(verdict)
    }

    /// Whether what is wrong from now on is wrong with the whole of the last array or object, as
    /// when it has no more members.
    #[cfg(feature = "serde")]
    pub(crate) fn set_ended(&mut self, is_ended: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.is_ended = is_ended;
        }
    }

    /// Notes that a member passes. Whether one has passed before it.
    #[inline]
    pub(crate) fn pass_member(&mut self) -> bool {
        self.frames.last_mut().is_some_and(|frame| std::mem::replace(&mut frame.has_passed, true))
    }

    /// An adjustable rule is broken here.
    #[cold]
    pub(crate) fn found(&mut self, rule: Rule, at: Option<u64>) -> Result<Verdict, Rule> {
        let violation = || Violation::new(rule, Place::Body, pointer(&self.frames, &self.keys), at);
        self.reports.found(&self.policy, self.strips, rule, violation)
    }

    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    pub(crate) fn into_reports(self) -> Reports {
        self.reports
    }

    #[cold]
    pub(crate) fn violation(&self, rule: Rule, at: Option<u64>) -> Violation {
        let pointer = match rule {
            // It is about the whole.
            Rule::BodySize => String::new(),
            _ => self.pointer(),
        };
        Violation::new(rule, Place::Body, pointer, at)
    }

    /// The value that is read, or the key that is collected.
    #[cold]
    pub(crate) fn pointer(&self) -> String {
        pointer(&self.frames, &self.keys)
    }

    #[cfg(test)]
    pub(crate) fn cost(&self) -> u64 {
        self.keys.cost
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.keys.begin()
    }
}

fn pointer(frames: &[Frame], keys: &Keys) -> String {
    let mut pointer = String::new();
    for frame in frames.iter().filter(|frame| !frame.is_ended) {
        match frame.key {
            Some((start, usize::MAX)) => pointer::push_key(&mut pointer, keys.from(start)),
            Some((start, len)) => pointer::push_key(&mut pointer, keys.get(start, len)),
            None if !frame.is_object && frame.count > 0 => {
                pointer::push_index(&mut pointer, frame.count - 1);
            }
            None => {}
        }
    }
    pointer
}

const PROTO: &[u8] = b"__proto__";
const CONSTRUCTOR: &[u8] = b"constructor";
const PROTOTYPE: &[u8] = b"prototype";

/// `{"constructor": {"prototype": …}}` reaches the same object as `__proto__`, by another way.
pub(crate) fn is_prototype(key: &[u8], parent: Option<&[u8]>) -> bool {
    key == PROTO || (key == PROTOTYPE && parent == Some(CONSTRUCTOR))
}

/// `$where`, `$ne`, `a.b`: what a document database does not take as a plain name.
#[inline]
pub(crate) fn is_operator(key: &[u8]) -> bool {
    key.first() == Some(&b'$') || key.contains(&b'.')
}
