//! Strict-Transport-Security (RFC 6797).

use std::time::Duration;

use http::HeaderValue;

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// The least that the browsers' preload list takes, in seconds: a year.
const PRELOAD_MIN: u64 = 31_536_000;

/// `Strict-Transport-Security` (RFC 6797): browsers come back over https alone.
///
/// ```
/// use buttress_headers::{Hsts, SecurityHeadersLayer};
/// use std::time::Duration;
///
/// let year = Duration::from_secs(365 * 24 * 60 * 60);
/// let layer = SecurityHeadersLayer::web().hsts(Hsts::max_age(year).include_sub_domains())?;
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsts {
    max_age: Duration,
    include_sub_domains: bool,
    preload: bool,
}

impl Hsts {
    /// For how long, in whole seconds, rounded down. 0 makes browsers forget.
    #[must_use]
    pub const fn max_age(max_age: Duration) -> Self {
        Self { max_age, include_sub_domains: false, preload: false }
    }

    /// For all the host's sub-domains too.
    #[must_use]
    pub const fn include_sub_domains(mut self) -> Self {
        self.include_sub_domains = true;
        self
    }

    /// Consents to be built into browsers, which takes months to undo. It asks for a year at least
    /// and for the sub-domains: without them it is refused.
    #[must_use]
    pub const fn preload(mut self) -> Self {
        self.preload = true;
        self
    }

    pub(crate) fn header_value(self) -> Result<HeaderValue, ConfigError> {
        if self.preload && (!self.include_sub_domains || self.max_age.as_secs() < PRELOAD_MIN) {
            let message = "preload: browsers ask for include_sub_domains() and a year at least";
            return Err(ConfigError::new(Kind::InvalidHsts, message));
        }
        let mut text = format!("max-age={}", self.max_age.as_secs());
        if self.include_sub_domains {
            text.push_str("; includeSubDomains");
        }
        if self.preload {
            text.push_str("; preload");
        }
        HeaderValue::try_from(text)
            .map_err(|_| ConfigError::new(Kind::InvalidHsts, "no header value"))
    }
}
