//! Keys, and their text.

use std::{env, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use buttress_core::Secret;
use ring::{
    hkdf,
    rand::{SecureRandom, SystemRandom},
};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    chunked::{KEY, expand},
    error::{KeyError, KeyErrorKind},
};

/// The most characters in a key's id.
pub const MAX_KEY_ID: usize = 32;

const PREFIX: &str = "sealkey.v1.";
const CHECK_LABEL: &[u8] = b"sealed.v1/key-check\0";
const CHECK: usize = 16;
const ID_LABEL: &[u8] = b"sealed.v1/key-id";
/// Eight characters of base64.
const DERIVED_ID: usize = 6;
/// Of [`KEY`] bytes in base64 without padding.
const KEY_CHARACTERS: usize = 43;

/// A key of 32 random bytes, and its id.
///
/// The id stands in each value that is sealed with the key, readable by all; by default it is
/// derived from the key. The key's text is `sealkey.v1.<id>.<key>.<check>`: base64url, and a check
/// over both, so that a typing error or half a key is refused at start-up instead of making values
/// that nobody can open.
///
/// The bytes are overwritten on drop. ring keeps the state of HMAC that it makes of them, and does
/// not overwrite it.
///
/// ```
/// use buttress_seal::Key;
///
/// let key = Key::generate()?;
/// let text = key.to_text();
/// assert_eq!(Key::parse(text.expose())?.id(), key.id());
/// # Ok::<(), buttress_seal::KeyError>(())
/// ```
pub struct Key {
    id: Box<str>,
    // In a box, so that moving the key leaves no copies behind.
    bytes: Box<Zeroizing<[u8; KEY]>>,
    prk: hkdf::Prk,
}

impl Key {
    /// A new key from the operating system's random bytes.
    ///
    /// # Errors
    /// Where the operating system has none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY]);
        SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| {
            KeyError::new(
                KeyErrorKind::Randomness,
                "the operating system has no random bytes for a key",
            )
        })?;
        Self::from_bytes(bytes.as_slice())
    }

    /// 32 bytes of a good source: a generator for cryptography, or a key service. For what people
    /// think up there is [`from_passphrase`](Self::from_passphrase).
    ///
    /// # Errors
    /// Where they are not 32, or all zeros.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut key = Box::new(Zeroizing::new([0; KEY]));
        if bytes.len() != KEY {
            return Err(KeyError::new(KeyErrorKind::Length, "a key has 32 bytes"));
        }
        key.copy_from_slice(bytes);
        if bool::from(key.as_slice().ct_eq(&[0; KEY])) {
            return Err(KeyError::new(
                KeyErrorKind::Zero,
                "the key is all zeros: make one with `seal keygen`",
            ));
        }
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key.as_slice());
        let mut id = [0; DERIVED_ID];
        let _ = expand(&prk, &[ID_LABEL], &mut id);
        Ok(Self { id: URL_SAFE_NO_PAD.encode(id).into(), bytes: key, prk })
    }

    /// With an id of its own, such as `2026-11`: 1 to 32 of `A-Z a-z 0-9 _ -`.
    ///
    /// # Errors
    /// Where the id has another form.
    pub fn with_id(self, id: &str) -> Result<Self, KeyError> {
        if !is_key_id(id) {
            return Err(KeyError::new(
                KeyErrorKind::Id,
                "a key's id is 1 to 32 of A-Z a-z 0-9 _ -",
            ));
        }
        Ok(Self { id: id.into(), ..self })
    }

    /// The key of this text: `sealkey.v1.<id>.<key>.<check>`. Blanks around it do not matter.
    ///
    /// # Errors
    /// Where it is no such text, where the key is not of 32 bytes or all zeros, and where the
    /// check does not fit.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let format = |message| KeyError::new(KeyErrorKind::Format, message);
        let text = text.trim_ascii();
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return Err(format(if text.starts_with("sealed.v") {
                "this is a sealed value, and no key"
            } else if text.starts_with("sealkey.v") {
                "the key is of a later version"
            } else {
                "a key looks like sealkey.v1.<id>.<key>.<check>: make one with `seal keygen`"
            }));
        };
        let mut parts = rest.split('.');
        let (Some(id), Some(key), Some(check), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(format(
                "a key has five parts, sealkey.v1.<id>.<key>.<check>: is it cut off?",
            ));
        };
        if !is_key_id(id) {
            return Err(KeyError::new(
                KeyErrorKind::Id,
                "a key's id is 1 to 32 of A-Z a-z 0-9 _ -",
            ));
        }
        if key.len() != KEY_CHARACTERS {
            return Err(KeyError::new(
                KeyErrorKind::Length,
                "a key has 32 bytes, which are 43 characters of base64url",
            ));
        }
        let mut bytes = Zeroizing::new([0; KEY]);
        let not_base64 = |_| format("the key is not in base64url without padding");
        URL_SAFE_NO_PAD.decode_slice(key, bytes.as_mut_slice()).map_err(not_base64)?;
        let key = Self::from_bytes(bytes.as_slice())?.with_id(id)?;
        if !bool::from(key.check().as_bytes().ct_eq(check.as_bytes())) {
            return Err(KeyError::new(
                KeyErrorKind::Check,
                "the check does not fit the key and its id: was it mistyped, or cut?",
            ));
        }
        Ok(key)
    }

    /// The keys of this text, with blanks or commas between: what `SEAL_KEY_OLD` holds. Of a text
    /// with nothing in it, none.
    ///
    /// ```
    /// use buttress_seal::{Key, KeyRing};
    ///
    /// let texts = [Key::generate()?.to_text(), Key::generate()?.to_text()];
    /// let old = format!("{} {}", texts[0].expose(), texts[1].expose());
    /// let mut ring = KeyRing::new(Key::generate()?);
    /// for key in Key::parse_list(&old)? {
    ///     ring = ring.and_old(key)?;
    /// }
    /// assert_eq!(ring.openable_ids().count(), 3);
    /// # Ok::<(), buttress_seal::KeyError>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse), for the first that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, KeyError> {
        let texts = text.split(|c: char| c.is_ascii_whitespace() || c == ',');
        texts.filter(|text| !text.is_empty()).map(Self::parse).collect()
    }

    /// The key in an environment variable, as [`parse`](Self::parse) reads it.
    ///
    /// ```
    /// use buttress_seal::{Key, KeyErrorKind};
    ///
    /// let error = Key::from_env("SEAL_KEY_OF_NOBODY").unwrap_err();
    /// assert_eq!(error.kind(), KeyErrorKind::Missing);
    /// assert!(error.to_string().starts_with("SEAL_KEY_OF_NOBODY: "));
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse), with the variable's name before it; and where it is not set, or
    /// empty.
    pub fn from_env(name: &str) -> Result<Self, KeyError> {
        let value = variable(name)?;
        Self::from_var(name, value.as_deref().map_or("", String::as_str))
    }

    /// The key that an environment variable's value holds: as [`from_env`](Self::from_env), for
    /// those who have read it themselves.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_var(name: &str, value: &str) -> Result<Self, KeyError> {
        if value.trim_ascii().is_empty() {
            return Err(KeyError::new(
                KeyErrorKind::Missing,
                "not set: make a key with `seal keygen`",
            )
            .about(name));
        }
        Self::parse(value).map_err(|error| error.about(name))
    }

    /// The key's id, which is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key's text, to be put where it is to be read from.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let check = self.check();
        // Of the full length from the start: a string that grows leaves copies behind.
        let length = PREFIX.len() + self.id.len() + 1 + KEY_CHARACTERS + 1 + check.len();
        let mut text = String::with_capacity(length);
        text.push_str(PREFIX);
        text.push_str(&self.id);
        text.push('.');
        let mut key = Zeroizing::new([0; KEY_CHARACTERS]);
        let written = URL_SAFE_NO_PAD.encode_slice(self.bytes.as_slice(), key.as_mut_slice());
        let written = written.ok().and_then(|length| key.get(..length));
        text.push_str(written.and_then(|key| str::from_utf8(key).ok()).unwrap_or_default());
        text.push('.');
        text.push_str(&check);
        Secret::new(text)
    }

    fn check(&self) -> String {
        let mut check = [0; CHECK];
        let _ = expand(&self.prk, &[CHECK_LABEL, self.id.as_bytes()], &mut check);
        URL_SAFE_NO_PAD.encode(check)
    }

    pub(crate) const fn prk(&self) -> &hkdf::Prk {
        &self.prk
    }

    /// Whether the bytes are the same, whatever the ids.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        self.bytes.as_slice().ct_eq(other.bytes.as_slice()).into()
    }
}

impl ZeroizeOnDrop for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether an envelope may name this key.
pub(crate) fn is_key_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_KEY_ID).contains(&id.len()) && id.bytes().all(allowed)
}

/// What the variable holds, if it is set.
pub(crate) fn variable(name: &str) -> Result<Option<Zeroizing<String>>, KeyError> {
    match env::var(name) {
        Ok(value) => Ok(Some(Zeroizing::new(value))),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(KeyError::new(KeyErrorKind::Format, "not set to UTF-8").about(name))
        }
    }
}
