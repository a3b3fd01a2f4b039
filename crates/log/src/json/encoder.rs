//! The settings of a layer, and what is made of them once.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use buttress_core::value::Value;
use buttress_redact::{Rules, Verdict};

use super::{names::Names, sites::Sites, value::Json};
use crate::{
    Schema,
    line::{Bytes, Key, Line, Now},
    schema::Shape,
    writer::Notice,
};

pub(crate) struct Encoder {
    pub(super) schema: Schema,
    pub(super) rules: Rules,
    pub(super) spans: bool,
    pub(super) location: bool,
    constants: Vec<(String, Value)>,
    /// Tells the layer's spans from those of another one.
    pub(super) id: u64,
    pub(super) sites: Sites,
    prepared: OnceLock<Prepared>,
}

/// What is the same in all lines.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// The constant fields, from a comma on.
    pub(super) constants: Vec<u8>,
    pub(super) request_id: Key,
    /// `,"name":{` of each object.
    pub(super) groups: Box<[Box<[u8]>]>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            schema: Schema::default(),
            rules: Rules::new(),
            spans: true,
            location: false,
            constants: Vec::new(),
            id: next_layer(),
            sites: Sites::default(),
            prepared: OnceLock::new(),
        }
    }

    pub(super) fn constant(&mut self, name: &str, value: Value) {
        match self.constants.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = value,
            None => self.constants.push((name.to_owned(), value)),
        }
    }

    pub(super) fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| Prepared {
            constants: self.constants(),
            request_id: Key::new(self.schema.shape.request_id),
            groups: self.schema.shape.groups.iter().map(|group| object(group.name)).collect(),
        })
    }

    fn constants(&self) -> Vec<u8> {
        let mut line = Line::default();
        let [before, after] = self.schema.shape.constants;
        line.push(before.as_bytes());
        for ((name, value), own) in self.constants.iter().zip(self.constant_names()) {
            let verdict = self.rules.key(name);
            if let Verdict::Remove = verdict {
                continue;
            }
            line.open(&Key::new(&own));
            match verdict {
                Verdict::Censor(censor) => line.censored(censor, &Json(value)),
                _ => line.value(value, name, &self.rules),
            }
        }
        line.push(after.as_bytes());
        if line.len() == before.len() + after.len() { Vec::new() } else { line.bytes }
    }

    /// What the constant fields are called, each in its own way.
    fn constant_names(&self) -> Vec<Box<str>> {
        let shape = self.schema.shape;
        let mut names = Names::default();
        if self.are_flat() {
            // What the shape calls one of them is not taken from it.
            let own = |name: &&str| shape.constant_names.iter().any(|(_, to)| to == name);
            names = Names::of(shape.reserved.iter().copied().filter(|name| !own(name)));
        }
        let take = |name: &str| {
            let own = shape.constant_names.iter().find(|(from, _)| *from == name);
            names.take(own.map_or(name, |(_, to)| to))
        };
        self.constants.iter().map(|(name, _)| name.as_str()).map(take).collect()
    }

    /// Whether the constant fields are beside the others.
    fn are_flat(&self) -> bool {
        let [before, _] = self.schema.shape.constants;
        before.is_empty()
    }

    /// The names in this object that are not for fields of the application's.
    pub(super) fn reserved(&self, group: usize) -> Names {
        let shape = self.schema.shape;
        match group {
            0 => {
                let mut names = Names::of(shape.reserved.iter().copied());
                if self.are_flat() {
                    for name in self.constant_names() {
                        names.insert(&name);
                    }
                }
                names
            }
            group if group == shape.fields => Names::of(shape.reserved_fields.iter().copied()),
            _ => Names::default(),
        }
    }

    /// How the writer says in these lines that some were lost.
    pub(super) fn notice(&self) -> Notice {
        let shape: &'static Shape = self.schema.shape;
        let constants = self.prepared().constants.clone();
        let count = Key::new(&self.reserved(shape.fields).take("lost"));
        Arc::new(move |lost, out| {
            let mut line = Line::default();
            line.push(shape.open.as_bytes());
            shape.clock.write(Now::read(), &mut line.bytes);
            let [_, _, _, warn, ..] = shape.levels;
            let [before, after] = shape.target;
            for piece in [shape.level, warn, before, r#""buttress_log""#, after] {
                line.push(piece.as_bytes());
            }
            line.open(&Key::new(shape.message));
            line.text("log lines lost");
            line.push(&constants);
            if let Some(group) = shape.groups.get(shape.fields).filter(|_| shape.fields > 0) {
                line.push(&object(group.name));
            }
            line.open(&count);
            line.bytes.unsigned(lost);
            line.push(if shape.fields > 0 { b"}}\n" } else { b"}\n" });
            out.extend_from_slice(&line.bytes);
        })
    }
}

/// A number for each layer.
pub(crate) fn next_layer() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

/// `,"name":{`
fn object(name: &str) -> Box<[u8]> {
    let mut line = Line::default();
    line.open(&Key::new(name));
    line.push(b"{");
    line.bytes.into()
}
