//! 128 bits that name a request, and how they are written.

use std::{cell::RefCell, fmt, time::SystemTime};

use bytes::Bytes;
use http::HeaderValue;

use crate::{clock::Clock, entropy::Entropy};

/// A UUID: 128 bits that name one request.
///
/// Version 7 sorts by the time it was made, in milliseconds, and within one thread strictly by
/// the order of making. Its last 7 bytes are always random, so its bytes can serve as a W3C
/// trace id with the random-trace-id flag set (Trace Context level 2).
///
/// ```
/// use buttress_request_id::Uuid;
///
/// let (first, second) = (Uuid::v7(), Uuid::v7());
/// assert!(first < second);
///
/// let trace_id: [u8; 16] = first.to_bytes();
/// assert_eq!(first.to_string().replace('-', ""), format!("{:032x}", u128::from_be_bytes(trace_id)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// What one thread keeps to make ids without a lock: both are shared by nobody.
struct Mint {
    clock: Clock,
    entropy: Entropy,
}

thread_local! {
    static MINT: RefCell<Mint> = const {
        RefCell::new(Mint { clock: Clock::new(), entropy: Entropy::new(getrandom::fill) })
    };
}

impl Uuid {
    /// A new UUIDv7 (RFC 9562 §5.7).
    ///
    /// After the 48 bits of Unix time in milliseconds come an 18-bit counter (RFC 9562 §6.2,
    /// method 1; it begins anew, at random, with each millisecond) and 56 random bits. When the
    /// clock is set back, or the counter is used up within one millisecond, the ids go on
    /// increasing from the latest time that was seen.
    #[must_use]
    pub fn v7() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = now.as_secs() * 1_000 + u64::from(now.subsec_millis());
        MINT.with_borrow_mut(|Mint { clock, entropy }| {
            let tick = clock.tick(millis, || u32::from_ne_bytes(entropy.take()));
            let random = u64::from_ne_bytes(entropy.take()) >> 8;
            let count = u64::from(tick.count);
            let high = tick.millis << 16 | 0b0111 << 12 | count >> 6;
            let low = 0b10 << 62 | (count & 0b11_1111) << 56 | random;
            Self((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
        })
    }

    /// A new `UUIDv4` (RFC 9562 §5.4): 122 random bits, which tell nothing of when it was made.
    #[must_use]
    pub fn v4() -> Self {
        let random: [u8; 16] = MINT.with_borrow_mut(|mint| mint.entropy.take());
        let fixed = !(0b1111 << 76 | 0b11 << 62);
        let bits = u128::from_be_bytes(random) & fixed | 0b0100 << 76 | 0b10 << 62;
        Self(bits.to_be_bytes())
    }

    /// The 16 bytes, in network order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id as it goes into a header: 36 characters, lower case, with hyphens.
    ///
    /// One allocation; clones of the value share it.
    #[must_use]
    pub fn to_header_value(self) -> HeaderValue {
        header_value(self.hyphenated())
    }

    /// The same 128 bits written as a ULID: 26 characters of Crockford's base 32, upper case,
    /// which sort as the bits do.
    ///
    /// ```
    /// # use buttress_request_id::Uuid;
    /// let ulid = Uuid::v7().to_ulid_header_value();
    /// assert_eq!(ulid.len(), 26);
    /// ```
    #[must_use]
    pub fn to_ulid_header_value(self) -> HeaderValue {
        header_value(self.ulid())
    }

    // Not inlined: the text must be in memory, where the check of the header value reads 16 bytes
    // at once; in registers it cost 50 instructions more (callgrind, rustc 1.95).
    #[inline(never)]
    fn hyphenated(self) -> [u8; 36] {
        const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let mut text = [b'-'; 36];
        for (&byte, &at) in self.0.iter().zip(&AT) {
            if let (Some(pair), Some(digits)) =
                (text.get_mut(at..at + 2), HEX.get(usize::from(byte)))
            {
                pair.copy_from_slice(digits);
            }
        }
        text
    }

    #[inline(never)]
    fn ulid(self) -> [u8; 26] {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut bits = u128::from_be_bytes(self.0);
        let mut text = [b'0'; 26];
        for place in text.iter_mut().rev() {
            if let Some(digit) = DIGITS.get((bits & 0b1_1111) as usize) {
                *place = *digit;
            }
            bits >>= 5;
        }
        text
    }
}

/// The two hexadecimal digits of each byte.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    table
};

/// One allocation holds the text and the count of its users; `Bytes::copy_from_slice` would make
/// a second one for the count at the first clone.
fn header_value<const N: usize>(text: [u8; N]) -> HeaderValue {
    // Letters, digits and hyphens are always a valid field value.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .unwrap_or_else(|_| HeaderValue::from_static("-"))
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.hyphenated()).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

#[cfg(test)]
mod tests;
