//! Which format a scraper asks for.

use http::{HeaderMap, HeaderValue, header::ACCEPT};

/// A text format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus' text format, version 0.0.4: what everything reads.
    #[default]
    Prometheus,
    /// `OpenMetrics` 1.0: the same numbers, with units and with exemplars.
    OpenMetrics,
}

impl Format {
    /// The media type with its parameters.
    #[must_use]
    pub const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }

    /// By `Accept` (RFC 9110 §12.5.1): `OpenMetrics` where version 1.0.0 of it, or any, is named and
    /// liked no less than the older format; that one otherwise, whatever was asked for.
    ///
    /// ```
    /// use buttress_metrics::Format;
    /// use http::{HeaderMap, HeaderValue, header::ACCEPT};
    ///
    /// let mut headers = HeaderMap::new();
    /// assert_eq!(Format::asked_for(&headers), Format::Prometheus);
    /// headers.insert(ACCEPT, HeaderValue::from_static(
    ///     "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    /// ));
    /// assert_eq!(Format::asked_for(&headers), Format::OpenMetrics);
    /// ```
    #[must_use]
    pub fn asked_for(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let (mut open, mut plain) = (0, 0);
        for range in lines.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            let (mut quality, mut version) = (1_000, None);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                if name.trim().eq_ignore_ascii_case("q") {
                    quality = thousandths(value.trim());
                } else if name.trim().eq_ignore_ascii_case("version") {
                    version = Some(value.trim().trim_matches('"'));
                }
            }
            if media_type.eq_ignore_ascii_case("application/openmetrics-text")
                && matches!(version, None | Some("1.0.0"))
            {
                open = quality.max(open);
            } else if media_type.eq_ignore_ascii_case("text/plain")
                && matches!(version, None | Some("0.0.4"))
            {
                plain = quality.max(plain);
            }
        }
        if open > 0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }
}

/// A quality from 0 to 1 with at most three decimals (RFC 9110 §12.4.2); 0 of anything else.
fn thousandths(quality: &str) -> u16 {
    let (whole, decimals) = quality.split_once('.').unwrap_or((quality, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if is_number => format!("{decimals:0<3}").parse().unwrap_or(0),
        "1" if is_number && decimals.bytes().all(|byte| byte == b'0') => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_liked_most() {
        use Format::{OpenMetrics, Prometheus};
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
            escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, format) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("application/json", Prometheus),
            ("text/plain", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Prometheus),
            ("application/openmetrics-text; version=2.0.0", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=0.000", Prometheus),
            ("application/openmetrics-text;q=0.001", OpenMetrics),
            ("application/openmetrics-text;q=2", Prometheus),
            ("application/openmetrics-text;q=0.3,text/plain;q=0.4", Prometheus),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.4", OpenMetrics),
            ("application/openmetrics-text;q=0.4,text/plain;version=1.0.0", OpenMetrics),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.35", OpenMetrics),
            (prometheus_3, OpenMetrics),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(Format::asked_for(&headers), format, "{accept}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("text/plain;q=0.1"));
        headers.append(ACCEPT, HeaderValue::from_static("application/openmetrics-text;q=0.2"));
        assert_eq!(Format::asked_for(&headers), Format::OpenMetrics);
    }
}
