//! Who may see details.

use std::fmt;

use buttress_core::Secret;
use http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// 96 bits in base64.
const SHORTEST_TOKEN: usize = 16;

#[derive(Clone)]
pub(crate) enum Access {
    /// There is no such endpoint.
    Nobody,
    Token(Secret<String>),
    Anyone,
}

impl Access {
    pub(crate) fn token(token: Secret<String>) -> Result<Self, ConfigError> {
        let text = token.expose();
        if text.len() < SHORTEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "a token has at least 16 characters, all of them visible ASCII";
            return Err(ConfigError::new(Kind::Token, message));
        }
        Ok(Self::Token(token))
    }

    /// As `Bearer`, for programs, or as the password of `Basic`, for which a browser asks.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        let token = match self {
            Self::Nobody => return false,
            Self::Anyone => return true,
            Self::Token(token) => token.expose().as_bytes(),
        };
        let Some((scheme, given)) = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
        else {
            return false;
        };
        let given = given.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return given.as_bytes().ct_eq(token).into();
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = base64(given).unwrap_or_default();
            let mut parts = decoded.splitn(2, |byte| *byte == b':');
            let password = parts.nth(1).unwrap_or_default();
            return password.ct_eq(token).into();
        }
        false
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Token(_) => "Token",
            Self::Anyone => "Anyone",
        })
    }
}

/// The standard alphabet (RFC 4648 §4).
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_rfc_4648_section_10_has_it() {
        for (text, expected) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64(text).unwrap(), expected.as_bytes());
        }
        assert_eq!(base64("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(base64("Zm9v!"), None);
    }
}
