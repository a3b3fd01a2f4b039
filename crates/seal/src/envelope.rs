//! The two forms of a sealed value: text, and bytes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    chunked::{HEADER, TAG, message_len},
    error::{SealError, SealErrorKind},
    key::{MAX_KEY_ID, is_key_id},
};

/// The most bytes in one value: 16 MiB. What is larger is a stream.
pub const MAX_VALUE: usize = 16 * 1024 * 1024;

/// A message under a key of the ring.
pub(crate) const SUITE: u8 = 0x01;
/// A message under a data key, which stands before it, wrapped by another key.
pub(crate) const SUITE_WRAPPED: u8 = 0x11;
/// The most bytes of a wrapped data key; what the services answer is at most some hundreds.
pub(crate) const MAX_WRAPPED: usize = 16 * 1024;

/// The body of nothing at all.
pub(crate) const MIN_BODY: usize = 1 + HEADER + TAG;

/// How every version begins.
const FAMILY: &str = "sealed.v";
pub(crate) const PREFIX: &str = "sealed.v1.";
/// `C5` is no beginning of UTF-8 with what follows it, so that no text is taken for it: C5, "SLD".
pub(crate) const MAGIC: [u8; 4] = [0xc5, 0x53, 0x4c, 0x44];
const BINARY_VERSION: u8 = 1;
/// Magic, version, suite, the id's length.
pub(crate) const BINARY_FIXED: usize = 7;

/// The longest message of a value.
pub(crate) const MAX_MESSAGE: usize = message_len(MAX_VALUE);
/// The longest text that can be an envelope of a value.
const MAX_TEXT: usize =
    PREFIX.len() + MAX_KEY_ID + 1 + (3 + MAX_WRAPPED + MAX_MESSAGE).div_ceil(3) * 4;

/// A text's parts, its body still in base64.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) body: &'a str,
}

impl<'a> Text<'a> {
    pub(crate) fn split(text: &'a str) -> Result<Self, SealError> {
        let Some(rest) = text.strip_prefix(PREFIX) else {
            let version = text.strip_prefix(FAMILY).and_then(|rest| rest.split_once('.'));
            let is_version = |text: &str| {
                !text.is_empty() && text != "1" && text.bytes().all(|byte| byte.is_ascii_digit())
            };
            return Err(match version {
                Some((version, _)) if is_version(version) => SealErrorKind::UnsupportedVersion,
                _ => SealErrorKind::NotSealed,
            }
            .into());
        };
        if text.len() > MAX_TEXT {
            return Err(SealErrorKind::TooLarge.into());
        }
        let (key_id, body) = rest.split_once('.').ok_or(SealErrorKind::Malformed)?;
        if !is_key_id(key_id) {
            return Err(SealErrorKind::Malformed.into());
        }
        Ok(Self { key_id, body })
    }

    /// The body: suite, and what follows it. Only the one canonical form is taken.
    pub(crate) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let body = URL_SAFE_NO_PAD.decode(self.body).map_err(|_| SealErrorKind::Malformed)?;
        Ok(Zeroizing::new(body))
    }

    /// The first byte of the body.
    pub(crate) fn suite(&self) -> Option<u8> {
        let mut bytes = [0; 3];
        URL_SAFE_NO_PAD.decode_slice(self.body.get(..4)?, &mut bytes).ok()?;
        bytes.first().copied()
    }
}

/// Whether all is there that an envelope has, whoever sealed it.
pub(crate) fn check(text: &str) -> Result<Text<'_>, SealError> {
    let parts = Text::split(text)?;
    if parts.decode()?.len() < MIN_BODY {
        return Err(SealErrorKind::Truncated.into());
    }
    Ok(parts)
}

pub(crate) fn to_text(key_id: &str, body: &[u8]) -> String {
    // To the byte: a text that has room left is copied when it is boxed.
    let length = PREFIX.len() + key_id.len() + 1 + (body.len() * 4).div_ceil(3);
    let mut text = String::with_capacity(length);
    text.push_str(PREFIX);
    text.push_str(key_id);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(body, &mut text);
    text
}

/// A body with its suite, and room for a value of this length.
pub(crate) fn new_body(suite: u8, plain: usize, more: usize) -> Result<Vec<u8>, SealError> {
    if plain > MAX_VALUE {
        return Err(SealErrorKind::TooLarge.into());
    }
    let mut body = Vec::with_capacity(1 + more + message_len(plain));
    body.push(suite);
    Ok(body)
}

/// What stands before the message in the binary form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BinaryHead<'a> {
    pub(crate) suite: u8,
    pub(crate) key_id: &'a str,
}

impl<'a> BinaryHead<'a> {
    pub(crate) const fn len(key_id: &str) -> usize {
        BINARY_FIXED + key_id.len()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[BINARY_VERSION, self.suite]);
        // An id has 32 characters at most.
        out.push(u8::try_from(self.key_id.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.key_id.as_bytes());
    }

    /// The suite and the id's length, of the first [`BINARY_FIXED`] bytes.
    pub(crate) fn fixed(bytes: &[u8]) -> Result<(u8, usize), SealError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes.is_empty() || bytes.get(..known) != MAGIC.get(..known) {
            return Err(SealErrorKind::NotSealed.into());
        }
        match bytes.get(MAGIC.len()..).unwrap_or_default() {
            [version, ..] if *version != BINARY_VERSION => {
                Err(SealErrorKind::UnsupportedVersion.into())
            }
            [_, suite, length, ..] => match usize::from(*length) {
                length @ 1..=MAX_KEY_ID => Ok((*suite, length)),
                _ => Err(SealErrorKind::Malformed.into()),
            },
            _ => Err(SealErrorKind::Truncated.into()),
        }
    }

    pub(crate) fn id(bytes: &'a [u8]) -> Result<&'a str, SealError> {
        let id = str::from_utf8(bytes).ok().filter(|id| is_key_id(id));
        Ok(id.ok_or(SealErrorKind::Malformed)?)
    }

    /// The head, and the message behind it.
    pub(crate) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), SealError> {
        let (suite, length) = Self::fixed(bytes)?;
        let rest = bytes.get(BINARY_FIXED..).unwrap_or_default();
        let (id, message) = rest.split_at_checked(length).ok_or(SealErrorKind::Truncated)?;
        Ok((Self { suite, key_id: Self::id(id)? }, message))
    }
}
