//! Numbers as JSON. The standard library's formatting is exact and slow: what every line has is
//! written here.

use std::io::Write;

/// Numbers, into bytes.
pub(crate) trait Bytes {
    fn unsigned(&mut self, number: u64);
    fn signed(&mut self, number: i64);
    /// `null` for what JSON does not know: NaN and the infinities.
    fn float(&mut self, number: f64);
    /// With three decimals: milliseconds.
    fn millis(&mut self, number: f64);
    /// The same, of microseconds.
    fn micros(&mut self, micros: u64);
    /// A number of so many digits at most, with zeros in front.
    fn digits(&mut self, number: u64, count: usize);
    fn hex(&mut self, bytes: &[u8]);
    /// The first bytes of a block. To copy all of it and drop the rest takes fewer steps than to
    /// copy what is not known to be short.
    fn part<const N: usize>(&mut self, block: &[u8; N], length: usize);
}

/// As many as `u64::MAX` has, and some to make it a block.
type Digits = [u8; 24];

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut rest: &mut [[u8; 2]] = &mut pairs;
    let mut number = 0;
    while let Some((pair, others)) = rest.split_first_mut() {
        *pair = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
        rest = others;
    }
    pairs
};

fn pair(number: u64) -> [u8; 2] {
    PAIRS.get((number % 100) as usize).copied().unwrap_or_default()
}

/// Fills the places with digits, from the last one on, two at once. Answers what is left of the
/// number.
fn fill(places: &mut [u8], number: u64) -> u64 {
    let mut left = number;
    let (first, pairs) = places.as_rchunks_mut::<2>();
    for place in pairs.iter_mut().rev() {
        *place = pair(left);
        left /= 100;
    }
    if let [first] = first {
        *first = b'0' + (left % 10) as u8;
        left /= 10;
    }
    left
}

/// Eight digits at once, a byte of a word each, the first in the lowest: the number is halved into
/// lanes of 32, 16 and 8 bits, and each lane is divided by multiplying it.
///
/// Of a larger number they are no digits.
const fn eight(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let high = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = high | ((fours - high * 100) << 16);
    let high = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    high | ((twos - high * 10) << 8)
}

/// A word of eight zeros.
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

fn count(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

impl Bytes for Vec<u8> {
    fn unsigned(&mut self, number: u64) {
        match number {
            0..10 => self.push(b'0' + (number % 10) as u8),
            10..100_000_000 => {
                // The digits from the first that is no zero on.
                let digits = eight(number);
                let zeros = digits.trailing_zeros() / 8;
                let text = (digits | ZEROS) >> (zeros * 8);
                self.part(&text.to_le_bytes(), 8 - zeros as usize);
            }
            _ => self.digits(number, count(number)),
        }
    }

    fn signed(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        self.unsigned(number.unsigned_abs());
    }

    fn float(&mut self, number: f64) {
        if let Some(millionths) = decimal(number) {
            self.unsigned(millionths / 1_000_000);
            let digits = eight(millionths % 1_000_000);
            // Without the zeros at the end, but for the first digit.
            let zeros = digits.leading_zeros().min(40) / 8;
            let text = ((digits | ZEROS) >> 8 & !0xff) | u64::from(b'.');
            self.part(&text.to_le_bytes(), 7 - zeros as usize);
        } else if number.is_finite() {
            // Writing into a `Vec` cannot fail.
            let _ = write!(self, "{number:?}");
        } else {
            self.extend_from_slice(b"null");
        }
    }

    fn millis(&mut self, number: f64) {
        match whole(number * 1000.0) {
            Some(micros) => self.micros(micros),
            None => self.float(number),
        }
    }

    fn micros(&mut self, micros: u64) {
        self.unsigned(micros / 1000);
        let [.., first, second, third] = (eight(micros % 1000) | ZEROS).to_le_bytes();
        self.extend_from_slice(&[b'.', first, second, third]);
    }

    fn digits(&mut self, number: u64, count: usize) {
        if count <= 8 {
            let text = (eight(number) | ZEROS) >> (64 - count * 8);
            return self.part(&text.to_le_bytes(), count);
        }
        let mut digits = Digits::default();
        fill(digits.get_mut(..count).unwrap_or_default(), number);
        self.part(&digits, count);
    }

    fn hex(&mut self, bytes: &[u8]) {
        let (fours, rest) = bytes.as_chunks::<4>();
        for four in fours {
            self.extend_from_slice(&hex(*four));
        }
        for byte in rest {
            let [.., high, low] = hex([0, 0, 0, *byte]);
            self.extend_from_slice(&[high, low]);
        }
    }

    fn part<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        let end = self.len() + length;
        self.extend_from_slice(block);
        self.truncate(end);
    }
}

/// All eight digits at once, a byte of a word each.
fn hex(four: [u8; 4]) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut nibbles = u64::from(u32::from_be_bytes(four));
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f;
    // Sixteen is reached from ten on.
    let letters = (nibbles + ONES * 6) >> 4 & ONES;
    let gap = u64::from(b'a' - b'9' - 1);
    (nibbles + ONES * u64::from(b'0') + letters * gap).to_be_bytes()
}

/// So many millionths, where that is the number exactly and the shortest text that is read as it:
/// up to 15 digits no other is shorter, and it is read by one exact division (Clinger, How to Read
/// Floating Point Numbers Accurately, 1990). What is less is written with an exponent.
fn decimal(number: f64) -> Option<u64> {
    if !(0.001..1e9).contains(&number) {
        return None;
    }
    whole(number * 1e6).filter(|millionths| *millionths as f64 / 1e6 == number)
}

/// The nearest whole number, of what is one and can be counted exactly (2^53).
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is in the range of both"
)]
pub(crate) fn whole(number: f64) -> Option<u64> {
    (0.0..9_007_199_254_740_992.0).contains(&number).then_some((number + 0.5) as u64)
}
