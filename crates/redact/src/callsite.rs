//! What the rules say of the fields of each callsite, found out once.

use std::{fmt, sync::OnceLock};

use tracing_core::{Field, Metadata};

use crate::{Rules, Verdict};

/// Slots of the first table; each further one has twice as many.
const SLOTS: usize = 256;

/// So many slots are tried before the next table is.
const TRIES: usize = 4;

/// What the rules say of the fields of one callsite.
///
/// ```
/// use buttress_redact::{Rules, Verdict};
/// use tracing_core::{Event, field::Visit};
///
/// struct Line<'a>(&'a Rules, String);
///
/// impl Line<'_> {
///     fn event(&mut self, event: &Event<'_>) {
///         // One look-up for all of its fields.
///         let rules = self.0.clone();
///         let fields = rules.fields(event.metadata());
///         for field in event.metadata().fields() {
///             match fields.verdict(&field) {
///                 Verdict::Clear => {} // the value, through `rules.text`
///                 Verdict::Censor(censor) => {} // the value, through `censor.write`
///                 Verdict::Remove => {}
///             }
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    rules: &'a Rules,
    // A censor's number for each field; empty where no field has one.
    censors: &'a [Option<u16>],
}

/// A set that only grows and is read without a lock: as many entries as the program has callsites.
#[derive(Default)]
pub(crate) struct Callsites {
    first: OnceLock<Box<Table>>,
}

struct Table {
    slots: Box<[OnceLock<Callsite>]>,
    next: OnceLock<Box<Table>>,
}

struct Callsite {
    // The address of what describes it, which is static.
    address: usize,
    censors: Box<[Option<u16>]>,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(crate) const fn new(rules: &'a Rules, censors: &'a [Option<u16>]) -> Self {
        Self { rules, censors }
    }

    /// Whether no field is censored for its name.
    #[must_use]
    pub const fn are_clear(&self) -> bool {
        self.censors.is_empty()
    }

    /// What to do with this field, which must be of the same callsite.
    #[inline]
    pub fn verdict(&self, field: &Field) -> Verdict<'a> {
        match self.censors.get(field.index()) {
            Some(Some(number)) => self.rules.verdict(Some(*number)),
            _ => Verdict::Clear,
        }
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("censors", &self.censors).finish_non_exhaustive()
    }
}

// === impl Callsites ===

impl Callsites {
    pub(crate) fn get_or_judge(
        &self,
        metadata: &'static Metadata<'static>,
        judge: impl Fn(&str) -> Option<u16>,
    ) -> &[Option<u16>] {
        let address = std::ptr::from_ref(metadata).addr();
        let mut size = SLOTS;
        let mut next = &self.first;
        loop {
            let table = next.get_or_init(|| Box::new(Table::new(size)));
            for slot in table.tries(address) {
                let callsite = slot.get_or_init(|| Callsite::new(address, metadata, &judge));
                if callsite.address == address {
                    return &callsite.censors;
                }
            }
            next = &table.next;
            size = size.saturating_mul(2);
        }
    }
}

impl Table {
    fn new(size: usize) -> Self {
        let slots = (0..size).map(|_| OnceLock::new()).collect();
        Self { slots, next: OnceLock::new() }
    }

    fn tries(&self, address: usize) -> impl Iterator<Item = &OnceLock<Callsite>> {
        // Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, §6.4): statics lie
        // some dozens of bytes apart.
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let mask = self.slots.len().saturating_sub(1);
        let first = usize::try_from(hash).unwrap_or(address);
        (0..TRIES).filter_map(move |step| self.slots.get(first.wrapping_add(step) & mask))
    }
}

impl Callsite {
    fn new(address: usize, metadata: &Metadata<'_>, judge: impl Fn(&str) -> Option<u16>) -> Self {
        let censors = metadata.fields().iter().map(|field| judge(field.name()));
        let mut censors: Box<[Option<u16>]> = censors.collect();
        if censors.iter().all(Option::is_none) {
            censors = Box::default();
        }
        Self { address, censors }
    }
}

impl fmt::Debug for Callsites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callsites")
    }
}
