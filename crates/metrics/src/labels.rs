//! What tells one series from another.

use http::{Method, StatusCode, Version, uri};

/// The scheme that clients use, for the label `url.scheme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

impl Scheme {
    pub(crate) const ALL: [Self; 2] = [Self::Http, Self::Https];

    /// By the URI; in HTTP/1 it has none, and anyone can send any.
    pub(crate) fn of(uri: &uri::Uri) -> Self {
        match uri.scheme() {
            Some(scheme) if *scheme == uri::Scheme::HTTPS => Self::Https,
            _ => Self::Http,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// `url.scheme` and `network.protocol.version`, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire(u8);

impl Wire {
    pub(crate) fn new(scheme: Scheme, version: Version) -> Self {
        let version = match version {
            Version::HTTP_11 => 0,
            Version::HTTP_2 => 1,
            Version::HTTP_3 => 2,
            Version::HTTP_10 => 3,
            _ => 4,
        };
        Self(version << 1 | scheme as u8)
    }

    pub(crate) const fn scheme(self) -> Scheme {
        if self.0 & 1 == 0 { Scheme::Http } else { Scheme::Https }
    }

    pub(crate) const fn version(self) -> &'static str {
        match self.0 >> 1 {
            0 => "1.1",
            1 => "2",
            2 => "3",
            3 => "1.0",
            _ => "0.9",
        }
    }
}

/// The methods that are a label of their own; any other is [`OTHER`].
#[derive(Clone, Debug)]
pub(crate) struct Methods(Vec<Method>);

/// What is said in the place of a value that would be one of too many (OpenTelemetry's word).
pub(crate) const OTHER: &str = "_OTHER";

/// So many that they fit a byte, [`OTHER`] included.
pub(crate) const MAX_METHODS: usize = 255;

impl Methods {
    /// At most [`MAX_METHODS`].
    pub(crate) const fn new(known: Vec<Method>) -> Self {
        Self(known)
    }

    /// Those of RFC 9110, PATCH (RFC 5789) and QUERY: the semantic conventions' own list.
    pub(crate) fn conventional() -> Self {
        let query = Method::from_bytes(b"QUERY").ok();
        let known = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::HEAD,
            Method::OPTIONS,
            Method::CONNECT,
            Method::TRACE,
        ];
        Self(known.into_iter().chain(query).collect())
    }

    #[inline]
    pub(crate) fn index(&self, method: &Method) -> u8 {
        let at = self.0.iter().position(|known| known == method).unwrap_or(self.0.len());
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    pub(crate) fn name(&self, index: u8) -> &str {
        self.0.get(usize::from(index)).map_or(OTHER, Method::as_str)
    }

    /// [`OTHER`] included.
    pub(crate) const fn len(&self) -> usize {
        self.0.len() + 1
    }
}

/// `error.type`, by a number: none, a status, or the place of a word among those that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorType(u16);

impl ErrorType {
    pub(crate) const NONE: Self = Self(0);
    const FIRST_WORD: u16 = 1_000;

    pub(crate) const fn status(status: StatusCode) -> Self {
        Self(status.as_u16())
    }

    pub(crate) fn word(at: usize) -> Self {
        Self(u16::try_from(at).map_or(u16::MAX, |at| at.saturating_add(Self::FIRST_WORD)))
    }

    pub(crate) const fn as_status(self) -> Option<u16> {
        match self.0 {
            status @ 1..Self::FIRST_WORD => Some(status),
            _ => None,
        }
    }

    pub(crate) fn as_word(self) -> Option<usize> {
        self.0.checked_sub(Self::FIRST_WORD).map(usize::from)
    }
}

/// One series' labels. The route of a server's series, the peer of a client's, is the place of
/// its name in the recorder's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) method: u8,
    pub(crate) wire: Wire,
    pub(crate) status: Option<StatusCode>,
    pub(crate) place: Place,
    pub(crate) error: ErrorType,
}

/// Where a request went, in two bytes: nowhere known, one of too many, or the place of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u16);

impl Place {
    /// No route matched, or nothing is known of the peer.
    pub(crate) const UNKNOWN: Self = Self(0);
    /// One of too many.
    pub(crate) const OVERFLOW: Self = Self(1);

    pub(crate) fn named(at: usize) -> Self {
        u16::try_from(at + 2).map_or(Self::OVERFLOW, Self)
    }

    /// Of a name: its place.
    pub(crate) fn as_named(self) -> Option<usize> {
        usize::from(self.0).checked_sub(2)
    }

    /// A number of its own for each.
    pub(crate) const fn index(self) -> u16 {
        self.0
    }

    pub(crate) fn of_index(index: usize) -> Self {
        u16::try_from(index).map_or(Self::OVERFLOW, Self)
    }
}

impl Labels {
    /// All of it in one number: equal if and only if the labels are.
    #[inline]
    pub(crate) fn key(&self) -> u64 {
        let status = self.status.map_or(0, |status| status.as_u16());
        // 8 bits of method, 4 of the wire, 10 of status, 16 of place, 16 of error.
        u64::from(self.method)
            | u64::from(self.wire.0) << 8
            | u64::from(status) << 12
            | u64::from(self.place.0) << 22
            | u64::from(self.error.0) << 40
            | 1 << 63
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_label_is_in_the_key() {
        let mut keys = HashSet::new();
        let mut count = 0;
        for method in [0, 1, 255] {
            for scheme in Scheme::ALL {
                for version in [
                    Version::HTTP_09,
                    Version::HTTP_10,
                    Version::HTTP_11,
                    Version::HTTP_2,
                    Version::HTTP_3,
                ] {
                    for status in [None, Some(100), Some(200), Some(999)] {
                        for place in
                            [Place::UNKNOWN, Place::OVERFLOW, Place::named(0), Place::named(60_000)]
                        {
                            for error in [
                                ErrorType::NONE,
                                ErrorType::word(0),
                                ErrorType::word(255),
                                ErrorType::word(70_000),
                            ] {
                                let labels = Labels {
                                    method,
                                    wire: Wire::new(scheme, version),
                                    status: status.map(|code| StatusCode::from_u16(code).unwrap()),
                                    place,
                                    error,
                                };
                                keys.insert(labels.key());
                                count += 1;
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(keys.len(), count);
    }
}
