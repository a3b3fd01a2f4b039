//! Tells quickly that nothing sensitive is in a name, as in most.

use super::{
    Class, SYMBOLS, class,
    trie::{ROOT, Trie},
};

/// A column for each symbol, and one each for what is skipped, what ends a name, and what must be
/// decoded first.
const COLUMNS: usize = SYMBOLS + 3;
const SKIP: u8 = 36;
const END: u8 = 37;
const ENCODED: u8 = 38;

/// All names and words in one table, of which each byte is one step.
///
/// It knows neither where a name begins nor which are exceptions: what it lets pass is clear, and
/// the rest is judged.
#[derive(Debug)]
pub(super) struct Filter {
    // A row for each state, and a state is the place where its row begins. The last one is `hit`.
    next: Vec<u32>,
    hit: u32,
}

impl Filter {
    /// Of all that is in the trie, which is linked.
    pub(super) fn new(patterns: &Trie<()>) -> Self {
        let row = |node: usize| u32::try_from(node * COLUMNS).unwrap_or(u32::MAX);
        let hit = row(patterns.nodes.len());
        let mut next = Vec::with_capacity((patterns.nodes.len() + 1) * COLUMNS);
        for (at, node) in patterns.nodes.iter().enumerate() {
            next.extend(node.next.iter().map(|to| match patterns.end(*to) {
                Some(()) => hit,
                None => row(*to as usize),
            }));
            next.extend([row(at), ROOT, hit]);
        }
        next.extend([hit; COLUMNS]);
        Self { next, hit }
    }

    /// Whether there is nothing to judge in a name.
    pub(super) fn passes_name(&self, name: impl Iterator<Item = u8>) -> bool {
        self.passes(name, &COLUMN)
    }

    /// Whether there is nothing to judge in a query, and nothing to decode.
    pub(super) fn passes_query(&self, query: &str) -> bool {
        self.passes(query.bytes(), &QUERY_COLUMN)
    }

    fn passes(&self, bytes: impl Iterator<Item = u8>, columns: &[u8; 256]) -> bool {
        let last = bytes.fold(ROOT, |state, byte| {
            let column = columns.get(usize::from(byte)).copied().unwrap_or(END);
            let next = (state as usize).wrapping_add(usize::from(column));
            self.next.get(next).copied().unwrap_or(self.hit)
        });
        last != self.hit
    }
}

const COLUMN: [u8; 256] = columns(false);
const QUERY_COLUMN: [u8; 256] = columns(true);

const fn columns(encoded: bool) -> [u8; 256] {
    let mut columns = [END; 256];
    let mut rest: &mut [u8] = &mut columns;
    let mut byte = 0;
    while let Some((column, tail)) = rest.split_first_mut() {
        *column = match class(byte) {
            _ if encoded && matches!(byte, b'%' | b'+') => ENCODED,
            Class::Symbol(symbol) => symbol,
            Class::Separator => SKIP,
            Class::Boundary | Class::Other => END,
        };
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    columns
}
