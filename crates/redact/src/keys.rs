//! Which names are sensitive: exact names, words inside of names, and names that are not.
//!
//! A name is read once, byte by byte, and never copied: a trie follows it for the exact names, an
//! Aho–Corasick automaton (Aho and Corasick, Efficient String Matching, 1975) for the words. Most
//! names have nothing of either in them, which the filter tells first.

mod filter;
#[cfg(test)]
mod tests;
mod trie;

use filter::Filter;
use trie::{ROOT, Trie};

/// Letters and digits.
const SYMBOLS: usize = 36;

/// A word of up to this many letters is not looked for across two words: `class_name` has an `ssn`.
const SHORT: u8 = 3;

/// One rule about names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The name is this.
    Exact(u16),
    /// The name contains this.
    Word(u16),
    /// The name is this, and nothing else counts.
    Allow,
}

/// Compiled rules. A hit is the number of a censor.
#[derive(Debug)]
pub(crate) struct Keys {
    filter: Filter,
    names: Trie<Name>,
    words: Trie<Word>,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Sensitive(u16),
    Allowed,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    letters: u8,
    censor: u16,
}

enum Class {
    Symbol(u8),
    /// Not part of a name: `api_key`, `api-key`, `api.key` and `api key` are one.
    Separator,
    /// Any other sign of ASCII, as in `user[pin]` and `user/pin`: a name ends here, and one begins.
    Boundary,
    /// Part of no rule.
    Other,
}

// === impl Keys ===

impl Keys {
    /// Of two rules with the same name the later one counts.
    pub(crate) fn new<'a>(rules: impl IntoIterator<Item = (&'a str, Rule)>) -> Self {
        let (mut names, mut words, mut all) = (Trie::new(), Trie::new(), Trie::new());
        for (name, rule) in rules {
            all.insert(name, ());
            let end = match rule {
                Rule::Exact(censor) => Name::Sensitive(censor),
                Rule::Allow => Name::Allowed,
                Rule::Word(censor) => {
                    let letters = u8::try_from(symbols(name).count()).unwrap_or(u8::MAX);
                    words.insert(name, Word { letters, censor });
                    continue;
                }
            };
            names.insert(name, end);
        }
        words.link();
        all.link();
        Self { filter: Filter::new(&all), names, words }
    }

    /// The censor for this name. Its bytes may come out of a decoder.
    ///
    /// Each part of a dotted or bracketed name is looked up as a name too: `user.pin` and `user[pin]`
    /// are pins, and `usage.token_count` is none of the words in it.
    pub(crate) fn judge(&self, name: impl Iterator<Item = u8> + Clone) -> Option<u16> {
        if self.filter.passes_name(name.clone()) { None } else { self.judge_all(name) }
    }

    /// Whether nothing is encoded in this query, or in a part of it, and no name of a rule is
    /// anywhere in it, as a key or not: then none of its keys is sensitive.
    pub(crate) fn passes_query(&self, query: &str) -> bool {
        self.filter.passes_query(query)
    }

    /// By all rules.
    fn judge_all(&self, name: impl Iterator<Item = u8>) -> Option<u16> {
        let mut whole = Some(ROOT);
        let mut part = Some(ROOT);
        let mut exact = None;
        let mut at = ROOT;
        let mut best: Option<Word> = None;
        // As it was before the part: what an allowed part says does not count.
        let mut before = (ROOT, None);
        let mut length = 0_u8;
        let mut after_lower = false;
        let mut end_part =
            |part: Option<u32>, ends_words, at: &mut u32, best: &mut Option<Word>| {
                match part.and_then(|node| self.names.end(node)) {
                    Some(Name::Allowed) => (*at, *best) = before,
                    Some(Name::Sensitive(censor)) => exact = exact.or(Some(censor)),
                    None => {}
                }
                if ends_words {
                    *at = ROOT;
                }
                before = (*at, *best);
            };
        for byte in name {
            match class(byte) {
                Class::Symbol(symbol) => {
                    if after_lower && byte.is_ascii_uppercase() {
                        length = 0;
                    }
                    after_lower = !byte.is_ascii_uppercase();
                    length = length.saturating_add(1);
                    whole = whole.and_then(|node| self.names.step(node, symbol));
                    part = part.and_then(|node| self.names.step(node, symbol));
                    at = self.words.step(at, symbol).unwrap_or(ROOT);
                    let longest = best.map_or(0, |word| word.letters);
                    let hit = self.words.ends(at).iter().find(|word| {
                        word.letters > longest && (word.letters > SHORT || length >= word.letters)
                    });
                    best = hit.copied().or(best);
                }
                Class::Separator => {
                    length = 0;
                    after_lower = false;
                    if byte == b'.' {
                        end_part(part, false, &mut at, &mut best);
                        part = Some(ROOT);
                    }
                }
                Class::Boundary => {
                    length = 0;
                    after_lower = false;
                    end_part(part, true, &mut at, &mut best);
                    (whole, part) = (None, Some(ROOT));
                }
                Class::Other => {
                    length = 0;
                    after_lower = false;
                    (whole, part, at) = (None, None, ROOT);
                }
            }
        }
        end_part(part, false, &mut at, &mut best);
        match whole.and_then(|node| self.names.end(node)) {
            Some(Name::Allowed) => None,
            Some(Name::Sensitive(censor)) => Some(censor),
            None => exact.or(best.map(|word| word.censor)),
        }
    }
}

/// Whether a rule can have this name: with no letter and no digit it would match nothing, or all.
pub(crate) fn is_name(name: &str) -> bool {
    symbols(name).next().is_some()
        && !name.bytes().any(|byte| matches!(class(byte), Class::Boundary | Class::Other))
}

fn symbols(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter_map(|byte| match class(byte) {
        Class::Symbol(symbol) => Some(symbol),
        Class::Separator | Class::Boundary | Class::Other => None,
    })
}

const fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' => Class::Symbol(byte - b'a'),
        b'A'..=b'Z' => Class::Symbol(byte - b'A'),
        b'0'..=b'9' => Class::Symbol(byte - b'0' + 26),
        b'-' | b'_' | b'.' | b' ' => Class::Separator,
        0..=0x7f => Class::Boundary,
        _ => Class::Other,
    }
}
