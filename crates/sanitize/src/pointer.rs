//! JSON pointers (RFC 6901) of what a stranger has named.

use crate::chars::{Class, class};

/// Of each key.
const MAX_SEGMENT: usize = 64;
/// Of the whole, in bytes; what comes after is left out.
const MAX_POINTER: usize = 512;

/// Appends a key: cut, `~` and `/` escaped (RFC 6901 §3), and what could disturb a terminal or a
/// log replaced by U+FFFD.
pub(crate) fn push_key(pointer: &mut String, key: &[u8]) {
    if pointer.len() >= MAX_POINTER {
        return;
    }
    pointer.push('/');
    let text = String::from_utf8_lossy(key);
    for (count, character) in text.chars().enumerate() {
        if count == MAX_SEGMENT || pointer.len() >= MAX_POINTER {
            pointer.push('…');
            return;
        }
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            '\t' | '\n' | '\r' => pointer.push(char::REPLACEMENT_CHARACTER),
            other => match class(other) {
                Class::Plain => pointer.push(other),
                _ => pointer.push(char::REPLACEMENT_CHARACTER),
            },
        }
    }
}

/// Appends an array's index.
pub(crate) fn push_index(pointer: &mut String, index: u32) {
    if pointer.len() < MAX_POINTER {
        pointer.push('/');
        pointer.push_str(&index.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &[u8]) -> String {
        let mut pointer = String::new();
        push_key(&mut pointer, key);
        pointer
    }

    #[test]
    fn tilde_and_slash_are_escaped() {
        assert_eq!(of(b"a~/b~1"), "/a~0~1b~01");
    }

    #[test]
    fn a_key_of_64_characters_is_whole_and_one_of_65_is_cut() {
        assert_eq!(of("ü".repeat(64).as_bytes()), format!("/{}", "ü".repeat(64)));
        assert_eq!(of("ü".repeat(65).as_bytes()), format!("/{}…", "ü".repeat(64)));
    }

    #[test]
    fn what_disturbs_a_terminal_is_replaced() {
        assert_eq!(
            of("a\n\u{1b}[31m\u{202e}\u{200b}b\u{e9}".as_bytes()),
            "/a\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}b\u{e9}"
        );
        assert_eq!(of(b"\xff"), "/\u{fffd}");
    }

    #[test]
    fn a_pointer_has_an_end() {
        let mut pointer = String::new();
        for _ in 0..1_000 {
            push_key(&mut pointer, &[b'~'; 1_000]);
            push_index(&mut pointer, u32::MAX);
        }
        assert!(pointer.len() < MAX_POINTER + 16, "{}", pointer.len());
    }
}
