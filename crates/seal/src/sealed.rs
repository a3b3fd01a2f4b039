//! A sealed value, by the type of what is in it.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use buttress_core::Secret;
use zeroize::Zeroize;

use crate::{
    envelope::{self, PREFIX},
    error::SealError,
};

/// What can be sealed: text, bytes, and either within a [`Secret`].
pub trait Plain {
    /// What it opens as.
    type Opened: Opened;

    /// The bytes that are sealed.
    fn plain(&self) -> &[u8];
}

/// What a sealed value can open as.
pub trait Opened: Zeroize + Sized + 'static {
    /// Of the bytes that were sealed; `None` where they make no such value, and then they have
    /// been overwritten.
    fn from_plain(bytes: Vec<u8>) -> Option<Self>;
}

impl Plain for str {
    type Opened = String;

    fn plain(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Plain for String {
    type Opened = Self;

    fn plain(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Plain for [u8] {
    type Opened = Vec<u8>;

    fn plain(&self) -> &[u8] {
        self
    }
}

impl Plain for Vec<u8> {
    type Opened = Self;

    fn plain(&self) -> &[u8] {
        self
    }
}

impl<const N: usize> Plain for [u8; N] {
    type Opened = Self;

    fn plain(&self) -> &[u8] {
        self
    }
}

impl<T: Plain + Zeroize + 'static> Plain for Secret<T> {
    type Opened = T::Opened;

    fn plain(&self) -> &[u8] {
        self.expose().plain()
    }
}

impl Opened for String {
    fn from_plain(bytes: Vec<u8>) -> Option<Self> {
        Self::from_utf8(bytes).map_err(|error| error.into_bytes().zeroize()).ok()
    }
}

impl Opened for Vec<u8> {
    fn from_plain(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

impl<const N: usize> Opened for [u8; N] {
    fn from_plain(mut bytes: Vec<u8>) -> Option<Self> {
        let array = bytes.as_slice().try_into().ok();
        bytes.zeroize();
        array
    }
}

/// A value as it is stored: `sealed.v1.<key id>.<base64url>`.
///
/// It has the form of an envelope; whether it is authentic is known when it is opened. `Debug`
/// shows the key's id and no more, and there is no `Display`: the text is
/// [`as_str`](Self::as_str), and it is as long as the value is (4/3 of it, and about 120
/// characters), which itself may be telling. With the feature `serde` it is a string, and plain
/// text is refused.
///
/// ```
/// use buttress_seal::{Key, KeyRing, SealErrorKind, Sealed, context};
///
/// let ring = KeyRing::new(Key::generate()?.with_id("k1")?);
/// let sealed = ring.seal("hunter2", context!("users.token", 1))?;
/// assert!(sealed.as_str().starts_with("sealed.v1.k1."));
/// assert_eq!(format!("{sealed:?}"), r#"Sealed { key_id: "k1", .. }"#);
///
/// let read: Sealed<String> = sealed.as_str().parse()?;
/// assert_eq!(read, sealed);
/// let error = Sealed::<String>::parse("hunter2").unwrap_err();
/// assert_eq!(error.kind(), SealErrorKind::NotSealed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sealed<T> {
    text: Box<str>,
    opens_as: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// A sealed value as it was stored.
    ///
    /// # Errors
    /// Where it has not the form of one.
    pub fn parse(text: impl Into<String>) -> Result<Self, SealError> {
        let text = text.into();
        envelope::check(&text)?;
        Ok(Self::trusted(text))
    }

    /// Of a text that was checked, or just made.
    pub(crate) fn trusted(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), opens_as: PhantomData }
    }

    /// The text to store.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// The text to store.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text.into()
    }

    /// The id of the key that it was sealed with, or so it says.
    #[must_use]
    pub fn key_id(&self) -> &str {
        let rest = self.text.strip_prefix(PREFIX).unwrap_or_default();
        rest.split_once('.').map_or("", |(id, _)| id)
    }
}

/// Whether a text has the form of a sealed value. That says nothing of who sealed it: only
/// [`KeyRing::open`](crate::KeyRing::open) does.
///
/// ```
/// assert!(!buttress_seal::is_sealed("sealed.v1.k1.AAAA"));
/// ```
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    envelope::check(text).is_ok()
}

/// The SQL pattern of all values that are sealed with this key: `WHERE secret LIKE …`, as it is
/// understood where `\` escapes by default, as in Postgres. Elsewhere add `ESCAPE '\'`.
///
/// ```
/// assert_eq!(buttress_seal::like_pattern("key_1"), r"sealed.v1.key\_1.%");
/// ```
#[must_use]
pub fn like_pattern(key_id: &str) -> String {
    format!("{PREFIX}{}.%", key_id.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_"))
}

impl<T> FromStr for Sealed<T> {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        Self::parse(text)
    }
}

impl<T> TryFrom<String> for Sealed<T> {
    type Error = SealError;

    fn try_from(text: String) -> Result<Self, SealError> {
        Self::parse(text)
    }
}

impl<T> From<Sealed<T>> for String {
    fn from(sealed: Sealed<T>) -> Self {
        sealed.into_string()
    }
}

impl<T> AsRef<str> for Sealed<T> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

// By hand: a derive would ask of `T` what only the text needs.

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::trusted(self.text.clone())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> PartialOrd for Sealed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Sealed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl<T> hash::Hash for Sealed<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
impl<T> serde::Serialize for Sealed<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de, T> serde::Deserialize<'de> for Sealed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An error of serde's quotes what it did not expect, and that may be a secret in plain.
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)
            .map_err(|_| serde::de::Error::custom("a sealed value is a string"))?;
        Self::parse(text).map_err(serde::de::Error::custom)
    }
}
