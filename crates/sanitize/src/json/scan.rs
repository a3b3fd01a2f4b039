//! Where plain text ends, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes from here on are printable ASCII other than `"` and `\`.
///
/// The word trick: `(x - 1) & !x` has the high bit of each byte that is 0. A borrow can set a bit
/// above one that is rightly set, never below: so the first is exact.
#[inline]
pub(crate) fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*block);
        let special = is_zero(word ^ (ONES * u64::from(b'"')))
            | is_zero(word ^ (ONES * u64::from(b'\\')))
            | is_zero(word ^ (ONES * 0x7f))
            | (word.wrapping_sub(ONES * 0x20) & !word & HIGHS)
            | (word & HIGHS);
        if special != 0 {
            return bytes.len() - rest.len() + (special.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let tail = rest.iter().take_while(|byte| is_plain(**byte)).count();
    bytes.len() - rest.len() + tail
}

/// Whether all is printable ASCII, quotes and all: for a text whose end is known.
#[cfg(feature = "serde")]
#[inline]
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    };
    // The last word overlaps the one before it.
    let mut special = unprintable(*last);
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        special |= unprintable(*block);
        rest = after;
    }
    special == 0
}

/// As in [`plain`]: not 0 when a byte is no printable ASCII.
#[cfg(feature = "serde")]
#[inline]
const fn unprintable(block: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(block);
    is_zero(word ^ (ONES * 0x7f))
        | (word.wrapping_sub(ONES * 0x20) & !word & HIGHS)
        | (word & HIGHS)
}

#[inline]
const fn is_zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

#[inline]
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_at_every_place_before_every_other() {
        for first in 0..=255 {
            for second in [0, 0x1f, 0x20, b'!', b'"', b'#', b'[', b'\\', b']', 0x7e, 0x7f, 0x80] {
                for place in 0..20 {
                    let mut bytes = [b'a'; 21];
                    bytes[place] = first;
                    bytes[place + 1] = second;
                    let wanted = bytes.iter().position(|byte| !is_plain(*byte)).unwrap_or(21);
                    assert_eq!(plain(&bytes), wanted, "{first} {second} at {place}");
                }
            }
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn every_byte_that_is_not_printable_is_found_at_every_place() {
        for byte in 0..=255 {
            for length in 0..20 {
                assert!(is_printable(&vec![b'"'; length]));
                for place in 0..length {
                    let mut bytes = vec![b'\\'; length];
                    bytes[place] = byte;
                    let wanted = matches!(byte, 0x20..=0x7e);
                    assert_eq!(is_printable(&bytes), wanted, "{byte} at {place} of {length}");
                }
            }
        }
    }
}
