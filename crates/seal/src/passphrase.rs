//! Keys of passphrases.

use std::num::NonZeroU32;

use ring::pbkdf2;
use zeroize::Zeroizing;

use crate::{
    chunked::KEY,
    error::{KeyError, KeyErrorKind},
    key::Key,
};

/// The fewest characters of a passphrase: what NIST SP 800-63B-4, §3.1.1.2 asks of one that is
/// the only factor.
pub const MIN_PASSPHRASE: usize = 15;
/// The fewest bytes of a salt: RFC 9106, §3.1, and NIST SP 800-132, §5.1.
pub const MIN_SALT: usize = 16;

/// The fewest iterations: OWASP's Password Storage Cheat Sheet, for HMAC-SHA-256.
const MIN_ITERATIONS: u32 = 600_000;
/// Minutes, on today's machines; a number with too many digits.
const MAX_ITERATIONS: u32 = 100_000_000;
/// The least memory, in KiB, and passes: the same sheet, for Argon2id.
#[cfg(feature = "argon2")]
const MIN_MEMORY: u32 = 19 * 1024;
#[cfg(feature = "argon2")]
const MIN_PASSES: u32 = 2;
/// 4 GiB.
#[cfg(feature = "argon2")]
const MAX_MEMORY: u32 = 4 * 1024 * 1024;

/// The function that makes a key of a passphrase: PBKDF2-HMAC-SHA-256 with 600,000 iterations, if
/// nothing else is said; Argon2id is better, and behind the feature `argon2`.
///
/// It is part of what the key is: with another function, or other costs, it is another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kdf(Function);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Pbkdf2 {
        iterations: NonZeroU32,
    },
    #[cfg(feature = "argon2")]
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
}

impl Kdf {
    /// PBKDF2-HMAC-SHA-256 (RFC 8018, §5.2) with so many iterations: 600,000 at least.
    ///
    /// # Errors
    /// Below that, and above 100 million.
    pub fn pbkdf2(iterations: u32) -> Result<Self, KeyError> {
        let bounds = MIN_ITERATIONS..=MAX_ITERATIONS;
        let allowed = NonZeroU32::new(iterations).filter(|_| bounds.contains(&iterations));
        let iterations = allowed.ok_or_else(|| {
            KeyError::new(KeyErrorKind::Cost, "PBKDF2 takes 600,000 to 100,000,000 iterations")
        })?;
        Ok(Self(Function::Pbkdf2 { iterations }))
    }

    /// Argon2id (RFC 9106), version 19, with so much memory, in KiB (19,456 at least: 19 MiB), so
    /// many passes (2 at least) and lanes (1 at least).
    ///
    /// # Errors
    /// Below that; above 4 GiB, 100 passes or 64 lanes.
    #[cfg(feature = "argon2")]
    pub fn argon2id(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeyError> {
        let memory = (MIN_MEMORY..=MAX_MEMORY).contains(&memory_kib);
        if !memory || !(MIN_PASSES..=100).contains(&passes) || !(1..=64).contains(&lanes) {
            return Err(KeyError::new(
                KeyErrorKind::Cost,
                "Argon2id takes 19 MiB to 4 GiB, 2 to 100 passes and 1 to 64 lanes",
            ));
        }
        Ok(Self(Function::Argon2id { memory_kib, passes, lanes }))
    }
}

impl Default for Kdf {
    fn default() -> Self {
        let iterations = NonZeroU32::MIN.saturating_add(MIN_ITERATIONS - 1);
        Self(Function::Pbkdf2 { iterations })
    }
}

impl Key {
    /// The key that a passphrase makes, always the same with the same salt and function. It takes
    /// some tenths of a second, on purpose: do it once, at start-up, and not on a thread that
    /// serves requests.
    ///
    /// The salt is no secret, and each installation has its own, of 16 random bytes or more.
    ///
    /// A key of [`generate`](Self::generate) is always better: who has the values can guess
    /// passphrases, and cannot guess keys.
    ///
    /// ```
    /// use buttress_seal::{Kdf, Key};
    ///
    /// let key = Key::from_passphrase("correct horse battery", b"16 bytes at least", Kdf::default())?;
    /// # Ok::<(), buttress_seal::KeyError>(())
    /// ```
    ///
    /// # Errors
    /// Where the passphrase is shorter than [`MIN_PASSPHRASE`] characters, or the salt than
    /// [`MIN_SALT`] bytes.
    pub fn from_passphrase(passphrase: &str, salt: &[u8], kdf: Kdf) -> Result<Self, KeyError> {
        let refuse = |message| KeyError::new(KeyErrorKind::Passphrase, message);
        if passphrase.chars().count() < MIN_PASSPHRASE {
            return Err(refuse("a passphrase has 15 characters at least"));
        }
        if salt.len() < MIN_SALT {
            return Err(refuse("the salt of a passphrase has 16 bytes at least"));
        }
        let mut key = Zeroizing::new([0; KEY]);
        kdf.derive(passphrase.as_bytes(), salt, key.as_mut_slice())?;
        Self::from_bytes(key.as_slice())
    }
}

impl Kdf {
    #[cfg_attr(
        not(feature = "argon2"),
        expect(clippy::unnecessary_wraps, reason = "Argon2 can fail for want of memory")
    )]
    fn derive(self, passphrase: &[u8], salt: &[u8], out: &mut [u8]) -> Result<(), KeyError> {
        match self.0 {
            Function::Pbkdf2 { iterations } => {
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
                pbkdf2::derive(algorithm, iterations, salt, passphrase, out);
                Ok(())
            }
            #[cfg(feature = "argon2")]
            Function::Argon2id { memory_kib, passes, lanes } => {
                let refuse = |error: argon2::Error| {
                    KeyError::new(KeyErrorKind::Cost, format!("Argon2id: {error}"))
                };
                let params = argon2::Params::new(memory_kib, passes, lanes, Some(out.len()));
                let params = params.map_err(refuse)?;
                argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
                    .hash_password_into(passphrase, salt, out)
                    .map_err(refuse)
            }
        }
    }
}
