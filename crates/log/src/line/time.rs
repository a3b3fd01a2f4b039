//! When it was: RFC 3339 in UTC, with microseconds (RFC 3339 §5.6).

use std::{
    cell::Cell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::Bytes;

thread_local! {
    // The second that was written last, and its text.
    static LAST: Cell<(u64, [u8; 20])> = const { Cell::new((0, *b"1970-01-01T00:00:00.")) };
}

/// Since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now(pub(crate) Duration);

impl Now {
    pub(crate) fn read() -> Self {
        // A clock before 1970 is not set.
        Self(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// `2026-11-03T12:00:00.123456Z`
    pub(crate) fn rfc3339(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_second());
        out.digits(u64::from(self.0.subsec_micros()), 6);
        out.push(b'Z');
    }

    /// `12:00:00.123`, for eyes.
    pub(crate) fn clock(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_second().get(11..).unwrap_or_default());
        out.digits(u64::from(self.0.subsec_millis()), 3);
    }

    /// `2026-11-03T12:00:00.`
    fn to_second(self) -> [u8; 20] {
        let seconds = self.0.as_secs();
        let (last, text) = LAST.get();
        if seconds == last {
            return text;
        }
        let text = written(seconds);
        LAST.set((seconds, text));
        text
    }
}

fn written(seconds: u64) -> [u8; 20] {
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut text = *b"0000-00-00T00:00:00.";
    let numbers = [(year, 0..4), (month, 5..7), (day, 8..10)].into_iter().chain([
        (clock / 3600, 11..13),
        (clock / 60 % 60, 14..16),
        (clock % 60, 17..19),
    ]);
    for (number, places) in numbers {
        let mut left = number;
        for place in text.get_mut(places).unwrap_or_default().iter_mut().rev() {
            *place = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }
    text
}

/// Year, month and day of so many days after 1970-01-01, in the Gregorian calendar. The year
/// begins in March, so that the leap day is its last, and days are counted from the start of a
/// cycle of 400 years (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms,
/// `civil_from_days`).
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// How a shape wants the time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// `"2026-11-03T12:00:00.123456Z"`
    Rfc3339,
    /// `1793966400123`
    Millis,
    /// `"1793966400123456000"`
    Nanos,
}

impl Clock {
    pub(crate) fn write(self, now: Now, out: &mut Vec<u8>) {
        match self {
            Self::Rfc3339 => {
                out.push(b'"');
                now.rfc3339(out);
                out.push(b'"');
            }
            Self::Millis => {
                out.unsigned(now.0.as_secs());
                out.digits(u64::from(now.0.subsec_millis()), 3);
            }
            Self::Nanos => {
                out.push(b'"');
                out.unsigned(now.0.as_secs());
                out.digits(u64::from(now.0.subsec_nanos()), 9);
                out.push(b'"');
            }
        }
    }
}
