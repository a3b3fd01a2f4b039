//! Which ids are taken from outside.

use std::{ascii, fmt};

/// The longest id that is accepted, in bytes.
pub const MAX_LEN: usize = 128;

/// How much of a refused id is shown, in bytes after escaping.
const SHOWN: usize = 64;

/// Whether an id from outside may be used: 1 to [`MAX_LEN`] bytes of `A` to `Z`, `a` to `z`, `0`
/// to `9`, `.`, `_` and `-`.
///
/// UUIDs, ULIDs, nano ids, hexadecimal and base64url pass. What could end a log line, open a tag,
/// close a JSON string or walk a path does not.
///
/// ```
/// use buttress_request_id::is_valid;
///
/// assert!(is_valid(b"01890a5d-ac96-774b-bcce-b302099a8057"));
/// assert!(!is_valid(b""));
/// assert!(!is_valid(b"a\" level=error"));
/// ```
#[must_use]
pub fn is_valid(id: &[u8]) -> bool {
    if id.is_empty() || id.len() > MAX_LEN {
        return false;
    }
    // Without a branch for each byte, so that the compiler looks at 16 of them at once.
    let mut refused = false;
    for &byte in id {
        refused |= !is_allowed(byte);
    }
    !refused
}

const fn is_allowed(byte: u8) -> bool {
    // Bit 5 is all that parts upper from lower case; '-' and '.' are neighbours.
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte.wrapping_sub(b'-') < 2)
        | (byte == b'_')
}

/// A refused id as it may be logged: escaped, on one line, and cut.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = SHOWN;
        for &byte in self.0 {
            let escaped = ascii::escape_default(byte);
            // Never half an escape.
            let Some(left) = room.checked_sub(escaped.len()) else {
                break;
            };
            room = left;
            escaped.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Escaped, MAX_LEN, is_valid};

    #[test]
    fn one_to_128_of_the_alphabet_are_valid() {
        let longest = "x".repeat(MAX_LEN);
        for id in ["0", "Zz", "a.b_c-d", "01890a5d-ac96-774b-bcce-b302099a8057", longest.as_str()] {
            assert!(is_valid(id.as_bytes()), "{id}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        let too_long = "x".repeat(MAX_LEN + 1);
        let cases: [&[u8]; 10] = [
            b"",
            b" ",
            b"a b",
            b"a\"b",
            b"a/b",
            b"a\nb",
            b"a\x1b[2J",
            b"a\x00",
            b"caf\xc3\xa9",
            too_long.as_bytes(),
        ];
        for id in cases {
            assert!(!is_valid(id), "{}", id.escape_ascii());
        }
    }

    #[test]
    fn what_is_shown_is_cut_between_escapes() {
        assert_eq!(Escaped(b"a\"b\r\nlevel=error").to_string(), r#"a\"b\r\nlevel=error"#);
        assert_eq!(Escaped(&[b'x'; 500]).to_string(), "x".repeat(64));
        assert_eq!(Escaped(&[0xff; 500]).to_string(), r"\xff".repeat(16));
        assert_eq!(Escaped(b"x\xff".repeat(99).as_slice()).to_string(), r"x\xff".repeat(12) + "x");
    }

    proptest! {
        #[test]
        fn the_rule_is_its_regular_expression(id in prop::collection::vec(any::<u8>(), 0..200)) {
            let expected = !id.is_empty()
                && id.len() <= 128
                && id.iter().all(|b| {
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".contains(b)
                });
            prop_assert_eq!(is_valid(&id), expected);
        }

        #[test]
        fn whatever_fits_is_accepted(id in "[A-Za-z0-9._-]{1,128}") {
            prop_assert!(is_valid(id.as_bytes()));
        }

        #[test]
        fn one_foreign_byte_anywhere_refuses(
            id in "[A-Za-z0-9._-]{0,100}",
            foreign in "[^A-Za-z0-9._-]",
            rest in "[A-Za-z0-9._-]{0,20}",
        ) {
            let id = [id, foreign, rest].concat();
            prop_assert!(!is_valid(id.as_bytes()));
        }

        #[test]
        fn what_is_shown_is_printable_and_short(id in prop::collection::vec(any::<u8>(), 0..300)) {
            let shown = Escaped(&id).to_string();
            prop_assert!(shown.len() <= 64);
            prop_assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
