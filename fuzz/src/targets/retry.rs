use std::time::{Duration, UNIX_EPOCH};

use buttress_retry::{DeadlineHeader, RetryAfter};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{DATE, RETRY_AFTER},
};

const EPOCH: HeaderValue = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const MILLIS: HeaderName = HeaderName::from_static("x-timeout-ms");
/// A date has four digits for its year.
const MAX_DATE: Duration = Duration::from_secs(253_402_300_799);

/// When a server wants to be asked again: the first line is its `Retry-After`, the second its
/// `Date`.
pub fn retry_after(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n').map(HeaderValue::from_bytes);
    let Some(Ok(value)) = lines.next() else { return };
    let date = lines.next().and_then(Result::ok);
    let asked = |date: Option<&HeaderValue>| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.clone());
        if let Some(date) = date {
            headers.insert(DATE, date.clone());
        }
        assert_eq!(RetryAfter::ignore().asked(&headers), None, "it is ignored");
        RetryAfter::honor().asked(&headers)
    };
    let told = asked(date.as_ref());
    let since_epoch = asked(Some(&EPOCH));
    assert_eq!(told.is_some(), since_epoch.is_some(), "whether it is read hangs on the date");

    let text = value.as_bytes().trim_ascii();
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        let add =
            |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        let seconds = text.iter().fold(0, add);
        assert_eq!(told, Some(Duration::from_secs(seconds)), "seconds are others");
        assert_eq!(told, since_epoch, "seconds hang on the date");
        return;
    }
    let Some(at) = since_epoch else { return };
    assert_eq!(text.iter().filter(|byte| **byte == b':').count(), 2, "a date has a time of day");
    assert!(at <= MAX_DATE, "{at:?} is no date");
    // What was read, as a server of today would write it.
    let written = httpdate::fmt_http_date(UNIX_EPOCH + at);
    let written = HeaderValue::try_from(written).expect("a date");
    let headers = HeaderMap::from_iter([(RETRY_AFTER, written.clone()), (DATE, EPOCH)]);
    assert_eq!(RetryAfter::honor().asked(&headers), Some(at), "{written:?} is another time");
    if !at.is_zero() {
        assert_eq!(asked(Some(&written)), Some(Duration::ZERO), "it is not there yet");
    }
    if let (Some(date), Some(told)) = (&date, told) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, date.clone()), (DATE, EPOCH)]);
        if text != date.as_bytes().trim_ascii()
            && date.as_bytes().contains(&b':')
            && let Some(now) = RetryAfter::honor().asked(&headers)
            && !now.is_zero()
        {
            assert_eq!(told, at.saturating_sub(now), "it was not measured against the date");
        }
    }
}

/// The time that is left, as a caller tells it: in `grpc-timeout`, and in milliseconds.
pub fn grpc_timeout(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let (grpc, millis) = (DeadlineHeader::grpc(), DeadlineHeader::millis(MILLIS));
    let mut headers = HeaderMap::from_iter([(GRPC_TIMEOUT, value.clone()), (MILLIS, value)]);

    let left = grpc.read(&headers);
    assert_eq!(left, by_the_grammar(data), "it is not what the specification says");
    if let Some(left) = left {
        grpc.write(&mut headers, left);
        let written = headers.get(GRPC_TIMEOUT).expect("it was written").clone();
        let again = by_the_grammar(written.as_bytes()).expect("what is written can be read");
        assert_eq!(grpc.read(&headers), Some(again), "{written:?} is read in another way");
        assert!(again <= left, "{written:?} is more than there is");
        let lost = left - again;
        assert!(lost <= left / 1_000_000 + Duration::from_nanos(1), "{written:?} lacks {lost:?}");
    }

    let left = millis.read(&headers);
    let is_number = !data.is_empty() && data.iter().all(u8::is_ascii_digit);
    assert_eq!(left.is_some(), is_number, "a number, and nothing else");
    if let Some(left) = left {
        millis.write(&mut headers, left);
        assert_eq!(millis.read(&headers), Some(left), "it does not read back");
    }
}

/// `Timeout` of the gRPC over HTTP/2 specification: one to eight digits and a unit.
fn by_the_grammar(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |sum: u32, digit| sum * 10 + u32::from(digit - b'0'));
    let one = match unit {
        b'H' => Duration::from_secs(3_600),
        b'M' => Duration::from_secs(60),
        b'S' => Duration::from_secs(1),
        b'm' => Duration::from_millis(1),
        b'u' => Duration::from_micros(1),
        b'n' => Duration::from_nanos(1),
        _ => return None,
    };
    Some(one * value)
}
