//! When a server wants to be asked again.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderValue,
    header::{DATE, RETRY_AFTER},
};

const PUSHBACK: &str = "grpc-retry-pushback-ms";
const DEFAULT_MAX: Duration = Duration::from_secs(60);

/// What is made of `Retry-After` (RFC 9110 §10.2.3) and of gRPC's `grpc-retry-pushback-ms`.
///
/// What a server asks for is never shortened: where it asks for more than the maximum, there is no
/// retry, and the answer goes back with its header. A date is measured against the answer's own
/// `Date`, so that two clocks need not agree; one in the past asks for nothing.
///
/// ```
/// use buttress_retry::{RetryAfter, RetryLayer};
/// use std::time::Duration;
///
/// let layer = RetryLayer::http().retry_after(RetryAfter::honor().max(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RetryAfter {
    max: Duration,
    ignored: bool,
}

impl RetryAfter {
    /// Waits as long as it is asked to, up to a minute.
    pub const fn honor() -> Self {
        Self { max: DEFAULT_MAX, ignored: false }
    }

    /// Waits by the back-off alone. A gRPC server that asks not to be asked again is not, all the
    /// same.
    pub const fn ignore() -> Self {
        Self { max: Duration::MAX, ignored: true }
    }

    /// The longest that is waited for; the default is 60 s.
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    pub(crate) const fn is_ignored(self) -> bool {
        self.ignored
    }

    pub(crate) const fn longest(self) -> Duration {
        self.max
    }

    /// How long an answer with these headers asks to wait; `None` where it does not, or is ignored.
    ///
    /// ```
    /// use buttress_retry::RetryAfter;
    /// use http::{Response, header::{DATE, RETRY_AFTER}};
    /// use std::time::Duration;
    ///
    /// let answer = Response::builder()
    ///     .header(DATE, "Sat, 21 Nov 2026 12:00:00 GMT")
    ///     .header(RETRY_AFTER, "Sat, 21 Nov 2026 12:00:30 GMT")
    ///     .body(())?;
    /// let asked = RetryAfter::honor().asked(answer.headers());
    /// assert_eq!(asked, Some(Duration::from_secs(30)));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn asked(self, headers: &HeaderMap) -> Option<Duration> {
        if self.ignored {
            return None;
        }
        after(headers.get(RETRY_AFTER)?, headers.get(DATE))
    }
}

impl Default for RetryAfter {
    fn default() -> Self {
        Self::honor()
    }
}

/// The time that the header asks for. What cannot be read asks for nothing in particular.
pub(crate) fn after(value: &HeaderValue, date: Option<&HeaderValue>) -> Option<Duration> {
    let text = value.to_str().ok()?.trim_ascii();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than there are numbers: longer than anybody waits.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = date
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?.trim_ascii()).ok())
        .unwrap_or_else(SystemTime::now);
    Some(at.duration_since(now).unwrap_or_default())
}

/// What gRPC's header says: to come back in so long, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    In(Duration),
    Never,
}

/// A signed 32-bit number of milliseconds; what is less than zero, or cannot be read, means not to
/// retry (gRFC A6).
pub(crate) fn pushback(headers: &HeaderMap) -> Option<Pushback> {
    let value = headers.get(PUSHBACK)?;
    let millis = value.to_str().ok().and_then(|text| text.parse::<i32>().ok());
    Some(match millis.and_then(|millis| u64::try_from(millis).ok()) {
        Some(millis) => Pushback::In(Duration::from_millis(millis)),
        None => Pushback::Never,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn parse(value: &str, date: Option<&str>) -> Option<Duration> {
        let value = HeaderValue::from_str(value).unwrap();
        after(&value, date.map(|date| HeaderValue::from_str(date).unwrap()).as_ref())
    }

    #[test]
    fn seconds_and_dates() {
        const NOON: Option<&str> = Some("Sat, 21 Nov 2026 12:00:00 GMT");
        let cases = [
            ("120", NOON, Some(120)),
            (" 0 ", NOON, Some(0)),
            ("99999999999999999999999", NOON, Some(u64::MAX)),
            ("Sat, 21 Nov 2026 12:00:07 GMT", NOON, Some(7)),
            // The two forms of old (RFC 9110 §5.6.7).
            ("Saturday, 21-Nov-26 12:00:07 GMT", NOON, Some(7)),
            ("Sat Nov 21 12:00:07 2026", NOON, Some(7)),
            ("Sat, 21 Nov 2026 11:59:59 GMT", NOON, Some(0)),
            ("-1", NOON, None),
            ("1.5", NOON, None),
            ("", NOON, None),
            ("soon", NOON, None),
            // Measured against this clock, where the answer has no date.
            ("Thu, 01 Jan 1970 00:00:00 GMT", None, Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some("yesterday"), Some(0)),
        ];
        for (value, date, seconds) in cases {
            assert_eq!(parse(value, date), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn pushback_is_exact_and_below_zero_is_never() {
        let cases = [
            ("0", Pushback::In(Duration::ZERO)),
            ("1500", Pushback::In(Duration::from_millis(1_500))),
            ("2147483647", Pushback::In(Duration::from_millis(2_147_483_647))),
            ("2147483648", Pushback::Never),
            ("-1", Pushback::Never),
            ("", Pushback::Never),
            ("soon", Pushback::Never),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            assert_eq!(pushback(&headers), None);
            headers.insert(PUSHBACK, HeaderValue::from_static(value));
            assert_eq!(pushback(&headers), Some(expected), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_left(value in any::<Vec<u8>>(), date in any::<Vec<u8>>()) {
            if let (Ok(value), Ok(date)) =
                (HeaderValue::from_bytes(&value), HeaderValue::from_bytes(&date))
            {
                let _ = after(&value, Some(&date));
                let _ = pushback(&HeaderMap::from_iter([(
                    http::HeaderName::from_static(PUSHBACK),
                    value,
                )]));
            }
        }
    }
}
