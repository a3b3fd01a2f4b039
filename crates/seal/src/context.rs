//! What a value is bound to: where it stands, what it is for, and the key.

use std::fmt::{self, Display, Write};

use ring::{
    hkdf,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{
    chunked::{COMMITMENT, Cipher, Commitment, HEADER, SALT},
    error::{SealError, SealErrorKind},
};

/// Where a sealed value stands: a table and column, and the row's key. It opens there and nowhere
/// else, so that nobody who can write to the table can swap two rows' secrets.
///
/// It is not stored with the value, and so it must be the same whenever the value is opened. Made
/// by [`context!`](crate::context!), it is the list of its parts, each after its length (as u32,
/// big-endian): `("ab", "c")` and `("a", "bc")` are two contexts. A part is taken as its `Display`
/// writes it: the row `7` and the row `"7"` are one.
///
/// ```
/// use buttress_seal::{Context, context};
///
/// let tenant = "acme";
/// assert_eq!(context!("api_keys.secret", tenant, 7), context!("api_keys.secret", tenant, "7"));
/// assert_ne!(context!("api_keys.secret", "acme7"), context!("api_keys.secret", tenant, 7));
/// assert_eq!(context!("jwt"), Context::new("jwt"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Context(Vec<u8>);

/// Makes a [`Context`] of where the value stands and what tells it from its neighbours.
///
/// ```
/// # let row_id = 7;
/// let context = buttress_seal::context!("api_keys.secret", row_id);
/// ```
#[macro_export]
macro_rules! context {
    ($place:expr $(, $part:expr)* $(,)?) => {
        $crate::Context::new($place)$(.part(&$part))*
    };
}

impl Context {
    /// A context of one part.
    #[must_use]
    pub fn new(place: impl Display) -> Self {
        Self(Vec::new()).part(place)
    }

    /// With one part more.
    #[must_use]
    pub fn part(mut self, part: impl Display) -> Self {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        // Writing to memory fails only where the part's own `Display` does; what it has written
        // until then is the part.
        let _ = write!(Bytes(&mut self.0), "{part}");
        let length = self.0.len() - start - 4;
        // A part of 4 GiB makes a context that sealing refuses.
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = self.0.get_mut(start..start + 4) {
            place.copy_from_slice(&length);
        }
        self
    }

    /// The bytes as they are, for values that another program seals or opens with a context of its
    /// own making. Two places must not make the same bytes.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// What goes into the derivation of the value's key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.0.escape_ascii())
    }
}

struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// What a value is for. A cookie never opens as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Secret,
    Cookie,
    Stream,
}

impl Purpose {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Secret => b"secret",
            Self::Cookie => b"cookie",
            Self::Stream => b"stream",
        }
    }
}

/// Key id, suite, purpose and context together: all that the derivation is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) suite: u8,
    pub(crate) key_id: &'a str,
    pub(crate) purpose: Purpose,
    pub(crate) context: &'a [u8],
}

impl Scope<'_> {
    fn derive(&self, prk: &hkdf::Prk, salt: &[u8]) -> Result<(Cipher, Commitment), SealError> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map(u32::to_be_bytes);
        let too_large = |_| SealError::from(SealErrorKind::TooLarge);
        let (id, purpose) = (self.key_id.as_bytes(), self.purpose.as_bytes());
        let id_length = length(id).map_err(too_large)?;
        let purpose_length = length(purpose).map_err(too_large)?;
        let context_length = length(self.context).map_err(too_large)?;
        let context = [
            b"sealed.v1\0".as_slice(),
            &[self.suite],
            &id_length,
            id,
            &purpose_length,
            purpose,
            &context_length,
            self.context,
        ];
        Cipher::derive(prk, salt, context)
    }

    /// Appends a new message's header, with a salt of its own, and answers the message's cipher.
    pub(crate) fn begin(&self, prk: &hkdf::Prk, out: &mut Vec<u8>) -> Result<Cipher, SealError> {
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).map_err(|_| SealErrorKind::Randomness)?;
        let (cipher, commitment) = self.derive(prk, &salt)?;
        out.extend_from_slice(&salt);
        out.extend_from_slice(commitment.as_bytes());
        Ok(cipher)
    }

    /// The cipher of the message that begins with this header, if key and context are those it
    /// was sealed with. Nothing is decrypted before that is known.
    pub(crate) fn resume(&self, prk: &hkdf::Prk, header: &[u8]) -> Result<Cipher, SealError> {
        let (salt, commitment) = header.split_at_checked(SALT).ok_or(SealErrorKind::Truncated)?;
        let commitment = commitment.get(..COMMITMENT).ok_or(SealErrorKind::Truncated)?;
        let (cipher, expected) = self.derive(prk, salt)?;
        if !expected.matches(commitment) {
            return Err(SealErrorKind::Authentication.into());
        }
        Ok(cipher)
    }

    /// Appends a whole message.
    pub(crate) fn seal(
        &self,
        prk: &hkdf::Prk,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        self.begin(prk, out)?.seal_message(plain, out)
    }

    /// Opens the message that begins at `start`; the plain text takes the place of the whole.
    pub(crate) fn open(
        &self,
        prk: &hkdf::Prk,
        message: &mut Zeroizing<Vec<u8>>,
        start: usize,
    ) -> Result<(), SealError> {
        let header = message.get(start..).unwrap_or_default();
        let cipher = self.resume(prk, header)?;
        cipher.open_message(message, start + HEADER)
    }
}
