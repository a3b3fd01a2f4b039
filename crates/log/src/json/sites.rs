//! Where what is known of each callsite is kept.

use std::sync::OnceLock;

use tracing_core::Metadata;

use super::{encoder::Encoder, site::Site};

/// Slots of the first table; each further one has twice as many.
const SLOTS: usize = 256;

/// So many slots are tried before the next table is.
const TRIES: usize = 4;

/// A set that only grows and is read without a lock: as many entries as the program has callsites.
#[derive(Debug, Default)]
pub(super) struct Sites(OnceLock<Box<Table>>);

#[derive(Debug)]
struct Table {
    slots: Box<[OnceLock<Site>]>,
    next: OnceLock<Box<Table>>,
}

impl Sites {
    pub(super) fn get(&self, metadata: &'static Metadata<'static>, encoder: &Encoder) -> &Site {
        let address = std::ptr::from_ref(metadata).addr();
        let mut size = SLOTS;
        let mut next = &self.0;
        loop {
            let table = next.get_or_init(|| Box::new(Table::new(size)));
            for slot in table.tries(address) {
                let site = slot.get_or_init(|| Site::new(metadata, encoder));
                if site.address == address {
                    return site;
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

    fn tries(&self, address: usize) -> impl Iterator<Item = &OnceLock<Site>> {
        // Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, §6.4): statics lie
        // some dozens of bytes apart.
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let mask = self.slots.len().saturating_sub(1);
        let first = usize::try_from(hash).unwrap_or(address);
        (0..TRIES).filter_map(move |step| self.slots.get(first.wrapping_add(step) & mask))
    }
}
