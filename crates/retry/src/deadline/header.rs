//! The time that is left, as a caller tells it.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// `TimeoutValue` of the gRPC over HTTP/2 specification: at most 8 digits.
const MAX_DIGITS: usize = 8;
const MAX_VALUE: u128 = 99_999_999;

/// Which header tells how much time is left, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct DeadlineHeader {
    name: HeaderName,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Grpc,
    Millis,
}

impl DeadlineHeader {
    /// `grpc-timeout`: up to eight digits and a unit, `H`, `M`, `S`, `m`, `u` or `n`.
    pub const fn grpc() -> Self {
        Self { name: GRPC_TIMEOUT, form: Form::Grpc }
    }

    /// A header of whole milliseconds, such as Envoy's `x-envoy-expected-rq-timeout-ms`.
    pub const fn millis(name: HeaderName) -> Self {
        Self { name, form: Form::Millis }
    }

    /// The time that is left, if the header is there and can be read.
    #[must_use]
    pub fn read(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(&self.name)?.to_str().ok()?;
        match self.form {
            Form::Grpc => grpc_timeout(text),
            Form::Millis => digits(text).map(Duration::from_millis),
        }
    }

    /// Writes it, rounded down: who is told of more time than there is would answer too late.
    pub fn write(&self, headers: &mut HeaderMap, left: Duration) {
        let text = match self.form {
            Form::Grpc => grpc_text(left),
            Form::Millis => left.as_millis().to_string(),
        };
        // Digits and letters are a header's value.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(self.name.clone(), value);
        }
    }
}

fn grpc_timeout(text: &str) -> Option<Duration> {
    let (at, unit) = text.char_indices().next_back()?;
    let value = text.get(..at).filter(|value| value.len() <= MAX_DIGITS)?;
    let value = digits(value)?;
    Some(match unit {
        'H' => Duration::from_secs(value.checked_mul(3_600)?),
        'M' => Duration::from_secs(value.checked_mul(60)?),
        'S' => Duration::from_secs(value),
        'm' => Duration::from_millis(value),
        'u' => Duration::from_micros(value),
        'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

/// In the smallest unit that has room for it.
fn grpc_text(left: Duration) -> String {
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (left.as_secs().into(), 'S'),
        ((left.as_secs() / 60).into(), 'M'),
        ((left.as_secs() / 3_600).into(), 'H'),
    ];
    let fits = units.into_iter().find(|(value, _)| *value <= MAX_VALUE);
    let (value, unit) = fits.unwrap_or((MAX_VALUE, 'H'));
    let mut text = String::with_capacity(MAX_DIGITS + 1);
    // Writing into a string cannot fail.
    let _ = write!(text, "{value}{unit}");
    text
}

/// Nothing but digits: no sign, no space.
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    #[test]
    fn grpc_timeouts() {
        let cases = [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0n", Some(Duration::ZERO)),
            ("100000000n", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            (" 1S", None),
            ("1 S", None),
            ("", None),
            ("1µ", None),
        ];
        for (text, expected) in cases {
            assert_eq!(grpc_timeout(text), expected, "{text:?}");
        }
    }

    #[test]
    fn milliseconds() {
        let header = DeadlineHeader::millis(HeaderName::from_static("x-timeout-ms"));
        let mut headers = HeaderMap::new();
        assert_eq!(header.read(&headers), None);
        header.write(&mut headers, Duration::from_micros(1_999));
        assert_eq!(headers["x-timeout-ms"], "1");
        assert_eq!(header.read(&headers), Some(Duration::from_millis(1)));
        headers.insert("x-timeout-ms", HeaderValue::from_static("1.5"));
        assert_eq!(header.read(&headers), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_never_more(secs in any::<u32>(), nanos in 0_u32..1_000_000_000) {
            let left = Duration::new(secs.into(), nanos);
            let read = grpc_timeout(&grpc_text(left)).unwrap();
            prop_assert!(read <= left);
            // Seven digits at least are right.
            prop_assert!(left - read <= left / 1_000_000 + Duration::from_nanos(1));
        }

        #[test]
        fn whatever_comes_is_read_or_left(text in any::<String>()) {
            let _ = (grpc_timeout(&text), digits(&text));
        }
    }
}
