//! Durations as they are written.

use std::{fmt, time::Duration};

use crate::{
    unit::Unit,
    value::{Invalid, Value},
};

impl Value for Duration {
    fn expects() -> String {
        String::from("a duration, such as 500ms, 30s or 1h30m")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        parse(text.trim(), None)
    }

    fn parse_bare(text: &str, unit: Unit) -> Result<Self, Invalid> {
        parse(text.trim(), unit.duration())
    }
}

/// The units of time, the largest first.
const TIMES: [(&str, Duration); 6] = [
    ("d", Duration::from_secs(86_400)),
    ("h", Duration::from_secs(3_600)),
    ("m", Duration::from_secs(60)),
    ("s", Duration::from_secs(1)),
    ("ms", Duration::from_millis(1)),
    ("us", Duration::from_micros(1)),
];

/// Numbers with units, the larger first, or a bare number of the unit.
pub(crate) fn parse(text: &str, bare: Option<Duration>) -> Result<Duration, Invalid> {
    const MOST: Invalid = Invalid::new("is more than can be counted");

    let mut sum = Duration::ZERO;
    let mut rest = text;
    let mut left = TIMES.as_slice();
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at_checked(digits).unwrap_or((rest, ""));
        if number.is_empty() {
            return Err(Invalid::new("is no duration"));
        }
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at_checked(letters).unwrap_or((behind, ""));
        let number: u64 = number.parse().map_err(|_| MOST)?;
        if unit.is_empty() && behind.is_empty() && rest.len() == text.len() {
            let Some(unit) = bare else { return Err(Invalid::new("has no unit")) };
            return times(unit, number).ok_or(MOST);
        }
        let Some(at) = left.iter().position(|(name, _)| *name == unit) else {
            let is_known = TIMES.iter().any(|(name, _)| *name == unit);
            return Err(if is_known {
                Invalid::new("has its units in the wrong order")
            } else {
                Invalid::new("has a unit that is none of us, ms, s, m, h, d")
            });
        };
        let (_, unit) = left.get(at).copied().unwrap_or_default();
        left = left.get(at + 1..).unwrap_or_default();
        sum = times(unit, number).and_then(|part| sum.checked_add(part)).ok_or(MOST)?;
        rest = behind.trim_start();
        if rest.is_empty() {
            return Ok(sum);
        }
    }
}

fn times(unit: Duration, number: u64) -> Option<Duration> {
    let micros = unit.as_micros().checked_mul(u128::from(number))?;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(micros).ok()? * 1_000))
}

/// A duration as it is written in a variable; what is below a microsecond is left out.
pub(crate) struct Written(pub(crate) Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_micros();
        if left == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in TIMES {
            let number = left / unit.as_micros();
            left %= unit.as_micros();
            if number > 0 {
                write!(f, "{number}{name}")?;
            }
        }
        Ok(())
    }
}
