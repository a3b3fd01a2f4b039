//! Values that must never be printed.

use std::fmt;

use zeroize::Zeroize;

/// What is printed in a secret's place.
pub const CENSOR: &str = "[REDACTED]";

/// A value that is never printed and is overwritten when it is dropped.
///
/// `Debug` and `Display` write [`CENSOR`], and so does `Serialize` (feature `serde`); the one way
/// to the value is [`expose`](Self::expose), which can be searched for. `Deserialize` says
/// `invalid secret` of what it cannot read, and does not quote it as serde's own errors do. There is no `PartialEq`:
/// comparing secrets with `==` leaks by timing how much of a guess was right.
///
/// ```
/// use buttress_core::Secret;
///
/// let password = Secret::new(String::from("correct horse"));
/// assert_eq!(format!("{password:?} {password}"), "[REDACTED] [REDACTED]");
/// assert_eq!(password.expose(), "correct horse");
/// ```
///
/// Only what the value owns at the end is overwritten: copies that were made before it became a
/// `Secret`, or by a `String` that grew, are out of its reach.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Do not keep a copy of it, and do not format it.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CENSOR)
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CENSOR)
    }
}

#[cfg(feature = "serde")]
impl<T: Zeroize> serde::Serialize for Secret<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(CENSOR)
    }
}

#[cfg(feature = "serde")]
impl<'de, T: Zeroize + serde::Deserialize<'de>> serde::Deserialize<'de> for Secret<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An error of serde's quotes what it did not expect, and that is the secret.
        T::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("invalid secret"))
    }
}
