//! Which names are sensitive: exact names, words inside of names, and names that are not.
//!
//! A name is read once, byte by byte, and never copied: a trie follows it for the exact names, an
//! Aho–Corasick automaton (Aho and Corasick, Efficient String Matching, 1975) for the words. Most
//! names have nothing of either in them, which the filter tells first.

mod filter;

use filter::Filter;

/// Letters and digits.
const SYMBOLS: usize = 36;

/// A word of up to this many letters is not looked for across two words: `class_name` has an `ssn`.
const SHORT: u8 = 3;

const ROOT: u32 = 0;

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

#[derive(Debug)]
struct Trie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    next: [u32; SYMBOLS],
    // What ends here; for words the longest first, those of the suffixes included.
    ends: Vec<T>,
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

// === impl Trie ===

impl<T: Copy> Trie<T> {
    fn new() -> Self {
        Self { nodes: vec![Node { next: [ROOT; SYMBOLS], ends: Vec::new() }] }
    }

    fn insert(&mut self, name: &str, end: T) {
        let mut at = ROOT;
        for symbol in symbols(name) {
            at = match self.step(at, symbol) {
                Some(next) => next,
                None => self.grow(at, symbol),
            };
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.ends = vec![end];
        }
    }

    fn grow(&mut self, at: u32, symbol: u8) -> u32 {
        // Names are written by hand: there are no four thousand million letters of them.
        let new = u32::try_from(self.nodes.len()).unwrap_or(ROOT);
        self.nodes.push(Node { next: [ROOT; SYMBOLS], ends: Vec::new() });
        if let Some(next) = self.next_mut(at, symbol) {
            *next = new;
        }
        new
    }

    fn step(&self, at: u32, symbol: u8) -> Option<u32> {
        let node = self.nodes.get(at as usize)?;
        node.next.get(usize::from(symbol)).copied().filter(|next| *next != ROOT)
    }

    fn next_mut(&mut self, at: u32, symbol: u8) -> Option<&mut u32> {
        self.nodes.get_mut(at as usize)?.next.get_mut(usize::from(symbol))
    }

    fn ends(&self, at: u32) -> &[T] {
        self.nodes.get(at as usize).map_or(&[], |node| &node.ends)
    }

    fn end(&self, at: u32) -> Option<T> {
        self.ends(at).first().copied()
    }

    /// Makes the trie an automaton: where a node has no step, it takes that of its longest proper
    /// suffix, breadth first.
    fn link(&mut self) {
        let mut queue = std::collections::VecDeque::from([(ROOT, ROOT)]);
        while let Some((at, suffix)) = queue.pop_front() {
            if at != ROOT {
                let ends = self.ends(suffix).to_vec();
                if let Some(node) = self.nodes.get_mut(at as usize) {
                    node.ends.extend(ends);
                }
            }
            for symbol in (0..).take(SYMBOLS) {
                let along = if at == ROOT { None } else { self.step(suffix, symbol) };
                match self.step(at, symbol) {
                    Some(next) => queue.push_back((next, along.unwrap_or(ROOT))),
                    None => {
                        if let (Some(next), Some(along)) = (self.next_mut(at, symbol), along) {
                            *next = along;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Rules, Verdict};

    fn is_sensitive(rules: &Rules, key: &str) -> bool {
        !matches!(rules.key(key), Verdict::Clear)
    }

    #[test]
    fn a_sensitive_name_is_one_however_it_is_written() {
        let rules = Rules::new();
        for key in [
            "password",
            "PASSWORD",
            "userPassword",
            "user_password",
            "Pass-Word",
            "old.passwd",
            "pwd",
            "X-Api-Key",
            "apiKey",
            "api_key",
            "API KEY",
            "api.key",
            "openai_api_key",
            "secret",
            "clientSecret",
            "token",
            "access_token",
            "tokens",
            "Authorization",
            "authorization",
            "proxy-authorization",
            "http.request.header.authorization",
            "credential",
            "credentials",
            "private_key",
            "bearer",
            "Set-Cookie",
            "cookie",
            "session",
            "session_id",
            "ssn",
            "user_ssn",
            "userSsn",
            "SSN",
            "ssn_last4",
            "cvv",
            "cvv2",
            "cvc",
            "card_cvc",
            "db_pwd",
            "userPwd",
            "ssh_key_passphrase",
            "device.passcode_hash",
            "card_number",
            "cardNumber",
            "pin",
            "user.pin",
            "otp",
            "otp_code",
            "totp",
            "pin-code",
            "sig",
            "url.sig",
            "signature",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "X-Amz-Security-Token",
            "x-hub-signature-256",
            "csrf",
            "_csrf",
            "csrfmiddlewaretoken",
            "X-XSRF-TOKEN",
            "xsrf",
            "user[password]",
            "p/token",
            "a\u{e9}token",
            "x.max_tokens.password",
            "author.token",
            "authorToken",
            "tokenCountSecret",
        ] {
            assert!(is_sensitive(&rules, key), "{key}");
        }
    }

    #[test]
    fn a_name_that_only_resembles_one_is_clear() {
        let rules = Rules::new();
        for key in [
            "token_count",
            "tokenCount",
            "max_tokens",
            "Max-Tokens",
            "total_tokens",
            "author",
            "Author",
            "authority",
            "secretary",
            "usage.total_tokens",
            "gen_ai.usage.input_tokens",
            "book.author",
            "book.author.name",
            "prompt_tokens",
            "class_name",
            "className",
            "process.name",
            "business-name",
            "classname",
            "address_number",
            "access_no",
            "username",
            "user",
            "id",
            "path",
            "message",
            "spin",
            "pinned",
            "pin_count",
            "signal",
            "design",
            "sign_in",
            "signed_headers",
            "X-Amz-SignedHeaders",
            "signatureAlgorithm",
            "option",
            "pint",
            "opinion",
            "laptop",
            "",
            ".",
            "-",
            "\u{e9}",
        ] {
            assert!(!is_sensitive(&rules, key), "{key}");
        }
    }

    #[test]
    fn each_part_of_a_bracketed_name_is_a_name() {
        let rules = Rules::new();
        for (key, sensitive) in [
            ("card[cvc]", true),
            ("user[0][pin]", true),
            ("pin[]", true),
            ("?pin", true),
            ("user/otp", true),
            ("usage[max_tokens]", false),
            ("book[author][name]", false),
            ("author[token]", true),
            ("api[author].key", false),
            ("api[key]", false),
            ("[]", false),
            ("\u{e9}pin", false),
        ] {
            assert_eq!(is_sensitive(&rules, key), sensitive, "{key}");
        }
    }

    #[test]
    fn rules_of_ones_own_come_before_the_defaults() {
        let rules = Rules::new().allow_key("session_count").unwrap();
        let rules = rules.redact_key("birth_date").unwrap().redact_keys_containing("mail").unwrap();
        for (key, sensitive) in [
            ("sessionCount", false),
            ("session", true),
            ("birthDate", true),
            ("birth", false),
            ("birth_dates", false),
            ("eMail", true),
            ("email_sent", true),
        ] {
            assert_eq!(is_sensitive(&rules, key), sensitive, "{key}");
        }
        let rules = rules.redact_key("author").unwrap().allow_key("password").unwrap();
        assert!(is_sensitive(&rules, "author"));
        assert!(!is_sensitive(&rules, "password"));
        assert!(is_sensitive(&rules, "passwords"));
    }

    #[test]
    fn the_longest_word_says_which_censor() {
        let rules =
            Rules::new().redact_keys_containing_with("password_hint", "hint".into()).unwrap();
        let print = |key| match rules.key(key) {
            Verdict::Censor(censor) => format!("{censor:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(print("my_password_hint"), "text(\"hint\")");
        assert_eq!(print("my_password"), "text(\"[REDACTED]\")");
    }

    #[test]
    fn a_name_of_nothing_is_refused() {
        for name in ["", "-", " _.", "a/b", "\u{e9}"] {
            for refused in [
                Rules::new().redact_key(name),
                Rules::new().redact_keys_containing(name),
                Rules::new().allow_key(name),
            ] {
                let error = refused.unwrap_err();
                assert!(error.to_string().starts_with(&format!("key {name:?}: ")), "{error}");
            }
        }
    }

    const PIECES: &[&str] = &[
        "token", "count", "author", "pass", "word", "ss", "n", "s", "pi", "pin", "api", "key",
        "Key", "otp", "auth", "or", ".", "_", "-", " ", "[", "]", "/", "%", "+", "\u{e9}", "A",
        "a", "9",
    ];

    proptest! {
        #[test]
        fn what_the_filter_lets_pass_is_clear(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..10),
            any in "[ -~]{0,4}",
        ) {
            let name = pieces.concat() + &any;
            for rules in [Rules::new(), Rules::none().redact_key("s.pi").unwrap()] {
                let keys = rules.keys();
                let thorough = keys.judge_all(name.bytes());
                prop_assert_eq!(keys.judge(name.bytes()), thorough, "{}", name);
            }
        }
    }
}
