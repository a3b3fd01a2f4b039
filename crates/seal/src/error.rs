//! Why a value was not sealed or opened, and why a key was refused.

use std::{borrow::Cow, error::Error, fmt, io};

/// A value that could not be sealed or opened.
///
/// It says nothing of the secret, not even its length, and of an envelope no more than the id of
/// a key that is not there.
///
/// ```
/// use buttress_seal::{Key, KeyRing, SealErrorKind, Sealed, context};
///
/// let ring = KeyRing::new(Key::generate()?);
/// let sealed: Sealed<String> = ring.seal("hunter2", context!("users.token", 1))?;
/// let error = ring.open(&sealed, context!("users.token", 2)).unwrap_err();
/// assert_eq!(error.kind(), SealErrorKind::Authentication);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealError {
    kind: SealErrorKind,
    key: Option<Box<str>>,
}

/// The kinds of [`SealError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SealErrorKind {
    /// It does not begin as a sealed value does.
    NotSealed,
    /// It begins as a sealed value and goes on as none: a bad key id, base64 that is not
    /// canonical, or, once it is opened, no UTF-8 where text was asked for.
    Malformed,
    /// It was sealed in a later version of the format.
    UnsupportedVersion,
    /// The ring has no such key, or one that is too old to open anything.
    UnknownKeyId,
    /// Another key, another context, another suite, or changed. Which of these, nobody is told.
    Authentication,
    /// More than [`MAX_VALUE`](crate::MAX_VALUE), more than a cookie may have, or a stream of more
    /// than 4 PiB.
    TooLarge,
    /// Its end is missing.
    Truncated,
    /// The canary was sealed with another key of the same id.
    KeyMismatch,
    /// The cookie's time is over.
    Expired,
    /// The operating system has no random bytes.
    Randomness,
}

impl SealError {
    pub(crate) const fn unknown_key(id: Box<str>) -> Self {
        Self { kind: SealErrorKind::UnknownKeyId, key: Some(id) }
    }

    /// What happened, for a program.
    #[must_use]
    pub const fn kind(&self) -> SealErrorKind {
        self.kind
    }

    /// The id of the key that is not there, for [`SealErrorKind::UnknownKeyId`].
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl From<SealErrorKind> for SealError {
    fn from(kind: SealErrorKind) -> Self {
        Self { kind, key: None }
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SealErrorKind::NotSealed => "this is not a sealed value",
            SealErrorKind::Malformed => "the sealed value is malformed",
            SealErrorKind::UnsupportedVersion => "the sealed value is of a later version",
            SealErrorKind::UnknownKeyId => match self.key_id() {
                Some(id) => return write!(f, "there is no key {id} that may open the value"),
                None => "there is no key that may open the value",
            },
            SealErrorKind::Authentication => {
                "the sealed value is not authentic: another key or context, or it was changed"
            }
            SealErrorKind::TooLarge => "the value is too large",
            SealErrorKind::Truncated => "the end of the sealed value is missing",
            SealErrorKind::KeyMismatch => {
                "the key is not the one that the canary was sealed with, though its id is the same"
            }
            SealErrorKind::Expired => "the cookie has expired",
            SealErrorKind::Randomness => "the operating system has no random bytes",
        })
    }
}

impl Error for SealError {}

/// `UnexpectedEof` where the end is missing, else `InvalidData`; the error itself is inside.
impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        let kind = match error.kind {
            SealErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
            SealErrorKind::TooLarge => io::ErrorKind::FileTooLarge,
            SealErrorKind::Randomness => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Key material that was refused. Its text says where, what and why, and never the key.
///
/// ```
/// use buttress_seal::{Key, KeyErrorKind};
///
/// let error = Key::from_bytes(&[0; 32]).unwrap_err();
/// assert_eq!(error.kind(), KeyErrorKind::Zero);
/// assert_eq!(error.to_string(), "the key is all zeros: make one with `seal keygen`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    kind: KeyErrorKind,
    message: Cow<'static, str>,
}

/// The kinds of [`KeyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// The variable is not set, or empty.
    Missing,
    /// It is no `sealkey.v1.<id>.<key>.<check>`.
    Format,
    /// The key is not of 32 bytes.
    Length,
    /// The key is all zeros.
    Zero,
    /// The id is not of 1 to 32 of `A-Z a-z 0-9 _ -`.
    Id,
    /// The check does not fit id and key: a typing error, or parts of two keys.
    Check,
    /// Two keys of one ring have the same id.
    DuplicateId,
    /// Two ids of one ring are the same key.
    DuplicateKey,
    /// The ring has no key of this id.
    UnknownId,
    /// The passphrase or its salt is too short.
    Passphrase,
    /// The function that makes keys of passphrases is set too cheap, or impossibly dear.
    Cost,
    /// The operating system has no random bytes.
    Randomness,
}

impl KeyError {
    pub(crate) fn new(kind: KeyErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The same, after the name of what it is about: `what: message`.
    pub(crate) fn about(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message).into(), ..self }
    }

    /// What is wrong, for a program.
    #[must_use]
    pub const fn kind(&self) -> KeyErrorKind {
        self.kind
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for KeyError {}
