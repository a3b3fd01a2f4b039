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
    /// So many digits of it, with zeros in front.
    fn digits(&mut self, number: u64, count: u32);
    fn hex(&mut self, bytes: &[u8]);
}

impl Bytes for Vec<u8> {
    fn unsigned(&mut self, number: u64) {
        if let Ok(small @ 0..=9) = u8::try_from(number) {
            return self.push(b'0' + small);
        }
        self.digits(number, number.checked_ilog10().map_or(1, |log| log + 1));
    }

    fn signed(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        self.unsigned(number.unsigned_abs());
    }

    fn float(&mut self, number: f64) {
        if number.is_finite() {
            // Writing into a `Vec` cannot fail.
            let _ = write!(self, "{number:?}");
        } else {
            self.extend_from_slice(b"null");
        }
    }

    fn millis(&mut self, number: f64) {
        match whole(number * 1000.0) {
            Some(micros) => {
                self.unsigned(micros / 1000);
                self.push(b'.');
                self.digits(micros % 1000, 3);
            }
            None => self.float(number),
        }
    }

    fn digits(&mut self, number: u64, count: u32) {
        let mut left = number;
        let start = self.len();
        self.resize(start + count as usize, b'0');
        for place in self.iter_mut().skip(start).rev() {
            *place = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }

    fn hex(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.extend_from_slice(&[nibble(byte >> 4), nibble(byte & 0xf)]);
        }
    }
}

const fn nibble(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
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
