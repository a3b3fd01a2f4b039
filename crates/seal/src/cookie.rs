//! Cookies that only the service can read and make.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use buttress_core::Secret;
use zeroize::Zeroizing;

use crate::{
    context::Purpose,
    error::{SealError, SealErrorKind},
    ring::{KeyRing, opened},
};

/// The most bytes of a cookie's name and sealed value together: what browsers keep
/// (RFC 6265bis, §5.6).
pub const MAX_COOKIE: usize = 4096;

/// When it expires, in seconds since 1970, before the value.
const EXPIRY: usize = 8;

impl KeyRing {
    /// Seals a cookie's value: bound to the cookie's name, and good for `lifetime` from now, which
    /// the browser cannot prolong. The answer has only characters that a cookie may have.
    ///
    /// It is authentic and not fresh: who has an old cookie can send it again until it expires.
    /// Use the browser's `Max-Age` as well, and `Secure; HttpOnly; SameSite=Lax`.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use buttress_seal::{Key, KeyRing};
    /// # let ring = KeyRing::new(Key::generate()?);
    ///
    /// let cookie = ring.seal_cookie("session", "user=7", Duration::from_secs(3600))?;
    /// assert_eq!(ring.open_cookie("session", &cookie)?.expose(), "user=7");
    /// assert!(ring.open_cookie("other", &cookie).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Malformed`](SealErrorKind::Malformed) where the name is none a cookie can have,
    /// [`TooLarge`](SealErrorKind::TooLarge) above [`MAX_COOKIE`], and as [`seal`](Self::seal).
    pub fn seal_cookie(
        &self,
        name: &str,
        value: &str,
        lifetime: Duration,
    ) -> Result<String, SealError> {
        self.seal_cookie_at(name, value, lifetime, SystemTime::now())
    }

    /// As [`seal_cookie`](Self::seal_cookie), at another time than now.
    ///
    /// # Errors
    /// As [`seal_cookie`](Self::seal_cookie).
    pub fn seal_cookie_at(
        &self,
        name: &str,
        value: &str,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<String, SealError> {
        if !is_token(name) {
            return Err(SealErrorKind::Malformed.into());
        }
        // A lifetime of less than a second ends at once.
        let expires = seconds(now).saturating_add(lifetime.as_secs());
        let mut plain = Zeroizing::new(Vec::with_capacity(EXPIRY + value.len()));
        plain.extend_from_slice(&expires.to_be_bytes());
        plain.extend_from_slice(value.as_bytes());
        if plain.len() > MAX_COOKIE {
            return Err(SealErrorKind::TooLarge.into());
        }
        let cookie = self.seal_text(&plain, Purpose::Cookie, name.as_bytes())?;
        if name.len() + cookie.len() > MAX_COOKIE {
            return Err(SealErrorKind::TooLarge.into());
        }
        Ok(cookie)
    }

    /// Opens a cookie's value.
    ///
    /// # Errors
    /// [`Expired`](SealErrorKind::Expired), which only an authentic cookie can be; and as
    /// [`open`](Self::open). To a browser all are the same: there is no such cookie.
    pub fn open_cookie(&self, name: &str, cookie: &str) -> Result<Secret<String>, SealError> {
        self.open_cookie_at(name, cookie, SystemTime::now())
    }

    /// As [`open_cookie`](Self::open_cookie), at another time than now.
    ///
    /// # Errors
    /// As [`open_cookie`](Self::open_cookie).
    pub fn open_cookie_at(
        &self,
        name: &str,
        cookie: &str,
        now: SystemTime,
    ) -> Result<Secret<String>, SealError> {
        if name.len().saturating_add(cookie.len()) > MAX_COOKIE {
            return Err(SealErrorKind::TooLarge.into());
        }
        let mut plain = self.open_text(cookie, Purpose::Cookie, name.as_bytes())?;
        let expires = plain.first_chunk::<EXPIRY>().ok_or(SealErrorKind::Malformed)?;
        if seconds(now) >= u64::from_be_bytes(*expires) {
            return Err(SealErrorKind::Expired.into());
        }
        plain.drain(..EXPIRY);
        opened(plain)
    }
}

/// Since 1970; a clock before that is at 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// RFC 9110, §5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}
