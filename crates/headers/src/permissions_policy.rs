//! Permissions-Policy: which of the browser's features a page, and what it embeds, may use.

mod features;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use http::HeaderValue;

use self::features::FEATURES;
use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// A Permissions-Policy: which of the browser's features the page, and what it embeds, may use.
///
/// Features are sent in the order in which they were named. The whole is judged when a layer takes
/// it ([`permissions_policy`](crate::SecurityHeadersLayer::permissions_policy)).
///
/// ```
/// use buttress_headers::{PermissionsPolicy, SecurityHeadersLayer};
///
/// let policy = PermissionsPolicy::new()
///     .deny(["camera", "microphone"])
///     .allow("geolocation", ["self", "https://maps.example.com"]);
/// assert_eq!(
///     policy.to_string(),
///     r#"camera=(), microphone=(), geolocation=(self "https://maps.example.com")"#,
/// );
/// let layer = SecurityHeadersLayer::web().permissions_policy(policy)?;
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionsPolicy {
    features: Vec<Feature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Feature {
    name: Cow<'static, str>,
    listed: bool,
    allowed: Vec<Cow<'static, str>>,
}

impl PermissionsPolicy {
    /// A policy that names no feature yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { features: Vec::new() }
    }

    /// Nobody may use these features: `camera=()`.
    #[must_use]
    pub fn deny(self, features: impl IntoIterator<Item = impl Into<Cow<'static, str>>>) -> Self {
        features.into_iter().fold(self, |policy, name| policy.allow(name, [] as [&str; 0]))
    }

    /// These may use the feature: `self`, origins (`https://maps.example.com`,
    /// `https://*.example.com`), or `*` alone for all.
    #[must_use]
    pub fn allow(
        self,
        feature: impl Into<Cow<'static, str>>,
        origins: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        self.push(feature.into(), true, origins)
    }

    /// [`allow`](Self::allow) for a feature that is newer than this crate's list; without origins
    /// it denies.
    #[must_use]
    pub fn allow_unlisted(
        self,
        feature: impl Into<Cow<'static, str>>,
        origins: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        self.push(feature.into(), false, origins)
    }

    /// Takes a feature out: the browser's own default is back in force for it.
    #[must_use]
    pub fn without(mut self, feature: &str) -> Self {
        self.features.retain(|known| known.name != feature);
        self
    }

    fn push(
        mut self,
        name: Cow<'static, str>,
        listed: bool,
        origins: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        let allowed = origins.into_iter().map(Into::into).collect();
        self.features.push(Feature { name, listed, allowed });
        self
    }

    /// The header's value, where nothing is wrong with it.
    pub(crate) fn header_value(&self) -> Result<HeaderValue, ConfigError> {
        if self.features.is_empty() {
            return Err(ConfigError::new(Kind::Empty, "the permissions policy names no feature"));
        }
        for (at, feature) in self.features.iter().enumerate() {
            if self.features.iter().take(at).any(|earlier| earlier.name == feature.name) {
                let message = format!("{}: named twice; browsers take the last", feature.name);
                return Err(ConfigError::new(Kind::DuplicateFeature, message));
            }
            feature.check()?;
        }
        HeaderValue::try_from(self.to_string()).map_err(|_| {
            ConfigError::new(Kind::ForbiddenCharacter, "the permissions policy is no header value")
        })
    }
}

impl fmt::Display for PermissionsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, feature) in self.features.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{feature}")?;
        }
        Ok(())
    }
}

impl Feature {
    fn check(&self) -> Result<(), ConfigError> {
        let name = &*self.name;
        let is_key = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if !is_key || (self.listed && !FEATURES.contains(&name)) {
            let message = format!("there is no feature {name:?}");
            return Err(ConfigError::new(Kind::UnknownFeature, message));
        }
        self.allowed.iter().try_for_each(|origin| check_origin(name, origin))?;
        if self.allowed.len() > 1 && self.allowed.iter().any(|origin| origin == "*") {
            let message = format!("{name}: * stands alone: it already allows all others");
            return Err(ConfigError::new(Kind::InvalidOrigin, message));
        }
        Ok(())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.allowed.iter().any(|origin| origin == "*") {
            return write!(f, "{}=*", self.name);
        }
        write!(f, "{}=(", self.name)?;
        for (at, origin) in self.allowed.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            if origin == "self" { f.write_str("self")? } else { write!(f, "\"{origin}\"")? }
        }
        f.write_str(")")
    }
}

fn check_origin(feature: &str, origin: &str) -> Result<(), ConfigError> {
    if matches!(origin, "self" | "*") {
        return Ok(());
    }
    if let Some(found) = origin.chars().find(|c| !c.is_ascii_graphic() || matches!(c, ';' | ',')) {
        let message = format!("{feature}: {found:?} is not allowed in the origin {origin:?}");
        return Err(ConfigError::new(Kind::ForbiddenCharacter, message));
    }
    if origin == "'self'" || origin == "'none'" {
        let message = format!(
            "{feature}: {origin} is written as in a CSP; here it is self without quotes, \
             and deny() for none"
        );
        return Err(ConfigError::new(Kind::InvalidOrigin, message));
    }
    if is_origin(origin) {
        return Ok(());
    }
    let message = format!("{feature}: {origin:?} is neither self, nor *, nor an origin");
    Err(ConfigError::new(Kind::InvalidOrigin, message))
}

/// `scheme://host[:port]`, where the host may begin with `*.`.
fn is_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    matches!(scheme, "https" | "http" | "wss" | "ws")
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
        && port.parse::<u16>().is_ok()
        && host.strip_prefix("*.").unwrap_or(host).split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}
