//! As much of Rust's grammar as it takes to say whether an item is there.

/// The words and marks of a file: no comments, no white space, no lifetimes, no characters.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    tokens: Vec<Token<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Mark(char),
}

use Token::{Mark, Text, Word};

const ITEMS: [&str; 9] =
    ["struct", "enum", "union", "trait", "type", "fn", "const", "static", "mod"];

impl<'a> Source<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (token, length) = next_token(rest, c);
            tokens.extend(token);
            rest = rest.get(length..).unwrap_or_default();
        }
        Self { tokens }
    }

    /// `fn name(`.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.tokens.windows(3).any(
            |window| matches!(window, [Word("fn"), Word(word), Mark('(' | '<')] if *word == name),
        )
    }

    /// A word anywhere in the code.
    pub(crate) fn has_word(&self, name: &str) -> bool {
        self.tokens.contains(&Word(name))
    }

    /// A string literal with this in it.
    pub(crate) fn has_text(&self, part: &str) -> bool {
        let holds = |token: &Token<'_>| matches!(token, Text(text) if text.contains(part));
        self.tokens.iter().any(holds)
    }

    /// A public item: declared here, re-exported here, or a macro.
    pub(crate) fn has_public_item(&self, name: &str) -> bool {
        self.suffixes().any(|tokens| match tokens {
            [Word("pub"), rest @ ..] => declares(rest, name) || re_exports(rest, name),
            [Word("macro_rules"), Mark('!'), Word(word), ..] => *word == name,
            _ => false,
        })
    }

    /// A method, constant, variant, or field that `owner` has; its type is declared anywhere.
    pub(crate) fn has_public_member(&self, owner: &str, name: &str) -> bool {
        self.blocks().any(|(header, body)| {
            match header {
            [Word("impl"), head @ ..] if head.contains(&Word(owner)) => {
                let trait_impl = head.contains(&Word("for"));
                at_depth_zero(body).any(|tokens| match tokens {
                    [Word("pub"), rest @ ..] => declares(rest, name),
                    rest => trait_impl && declares(rest, name),
                })
            }
            [Word("trait"), Word(word), ..] if *word == owner => {
                at_depth_zero(body).any(|tokens| declares(tokens, name))
            }
            [Word("enum"), Word(word), ..] if *word == owner => {
                at_depth_zero(body).any(|tokens| tokens.first() == Some(&Word(name)))
            }
            [Word("struct"), Word(word), ..] if *word == owner => {
                at_depth_zero(body).any(|tokens| {
                    matches!(tokens, [Word("pub"), Word(word), Mark(':'), ..] if *word == name)
                })
            }
            _ => false,
        }
        })
    }

    fn suffixes(&self) -> impl Iterator<Item = &[Token<'a>]> {
        (0..self.tokens.len()).filter_map(|from| self.tokens.get(from..))
    }

    /// Each `impl`, `trait`, `enum`, `struct` with braces: what stands before them, and inside.
    fn blocks(&self) -> impl Iterator<Item = (&[Token<'a>], &[Token<'a>])> {
        self.suffixes().filter_map(|tokens| {
            let first = tokens.first()?;
            if !["impl", "trait", "enum", "struct"].map(Word).contains(first) {
                return None;
            }
            let open = tokens.iter().position(|token| matches!(token, Mark('{' | ';')))?;
            let (header, rest) = tokens.split_at(open);
            let [Mark('{'), rest @ ..] = rest else {
                return None;
            };
            Some((header, rest.get(..closing(rest)?)?))
        })
    }
}

/// The place of the brace that closes the one before `tokens`.
fn closing(tokens: &[Token<'_>]) -> Option<usize> {
    let mut open = 1;
    tokens.iter().position(|token| {
        open += nesting(token, &['{'], &['}']);
        open == 0
    })
}

/// Every suffix of a block's inside that starts in the block itself, in no bracket within it.
fn at_depth_zero<'t, 'a>(body: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    let mut open = 0;
    body.iter().enumerate().filter_map(move |(at, token)| {
        let outside = open == 0;
        open += nesting(token, &['{', '(', '['], &['}', ')', ']']);
        body.get(at..).filter(|_| outside)
    })
}

fn nesting(token: &Token<'_>, opening: &[char], closing: &[char]) -> i32 {
    match token {
        Mark(c) if opening.contains(c) => 1,
        Mark(c) if closing.contains(c) => -1,
        _ => 0,
    }
}

/// `struct name`, `const fn name`, `unsafe trait name`: what stands behind `pub`.
fn declares(tokens: &[Token<'_>], name: &str) -> bool {
    match tokens {
        [Word("const" | "async" | "unsafe" | "extern"), rest @ ..] if declares(rest, name) => true,
        [Word(kind), Word(word), ..] => ITEMS.contains(kind) && *word == name,
        _ => false,
    }
}

/// `use a::{b, c as name};`: what stands behind `pub`. A name of the path on the way is not it.
fn re_exports(tokens: &[Token<'_>], name: &str) -> bool {
    let [Word("use"), path @ ..] = tokens else {
        return false;
    };
    let end = path.iter().position(|token| *token == Mark(';'));
    let path = end.and_then(|end| path.get(..=end)).unwrap_or(path);
    path.windows(2).any(|pair| matches!(pair, [Word(word), Mark(',' | '}' | ';')] if *word == name))
}

/// The token that `text` starts with, if it is one that counts, and its length in bytes.
fn next_token(text: &str, first: char) -> (Option<Token<'_>>, usize) {
    if let Some(length) = comment(text) {
        return (None, length);
    }
    if let Some((token, length)) = string(text) {
        return (Some(token), length);
    }
    if first == '\'' {
        return (None, character_or_lifetime(text));
    }
    if first == '_' || first.is_alphanumeric() {
        let end = text.find(|c: char| c != '_' && !c.is_alphanumeric());
        let word = end.and_then(|end| text.get(..end)).unwrap_or(text);
        return (Some(Word(word)), word.len());
    }
    let token = (!first.is_whitespace()).then_some(Mark(first));
    (token, first.len_utf8())
}

fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut length = text.strip_prefix("/*").map(|_| 2)?;
    let mut open = 1;
    while open > 0 {
        let rest = text.get(length..).filter(|rest| !rest.is_empty())?;
        let (step, change) = if rest.starts_with("/*") {
            (2, 1)
        } else if rest.starts_with("*/") {
            (2, -1)
        } else {
            (rest.chars().next()?.len_utf8(), 0)
        };
        length += step;
        open += change;
    }
    Some(length)
}

/// `"…"`, `b"…"`, `c"…"`, and raw ones.
fn string(text: &str) -> Option<(Token<'_>, usize)> {
    let mut start = text.bytes().take(LONGEST_OPENING);
    let open = start.position(|byte| byte == b'"')?;
    let (prefix, rest) = text.split_at(open);
    let inside = rest.get(1..)?;
    let letters = prefix.trim_end_matches('#');
    let hashes = prefix.get(letters.len()..)?;
    let length = match letters {
        "r" | "br" | "cr" => inside.find(&format!("\"{hashes}"))?,
        "" | "b" | "c" if hashes.is_empty() => end_of_escaped(inside)?,
        _ => return None,
    };
    let token = Text(inside.get(..length)?);
    Some((token, open + 1 + length + 1 + hashes.len()))
}

/// `br###"` and a few more hashes.
const LONGEST_OPENING: usize = 8;

fn end_of_escaped(inside: &str) -> Option<usize> {
    let mut escaped = false;
    inside.char_indices().find_map(|(at, c)| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end.then_some(at)
    })
}

/// `'x'` and `'\''` have an end; `'static` is a quote and a word.
fn character_or_lifetime(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            characters.find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 1)
        }
        Some((at, c)) => match characters.next() {
            Some((close, '\'')) => close + 1,
            _ if c == '_' || c.is_alphanumeric() => {
                let name = text.get(at..).unwrap_or_default();
                at + name.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(name.len())
            }
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests;
