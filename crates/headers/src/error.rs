//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot be right, refused when it is made.
///
/// It names the directive and the value, for whoever wrote them. [`kind`](Self::kind) is for
/// programs.
///
/// ```
/// use buttress_headers::{ConfigErrorKind, Csp, SecurityHeadersLayer};
///
/// let error = SecurityHeadersLayer::none().csp(Csp::new().default_src(["self"])).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::UnquotedKeyword);
/// assert_eq!(error.to_string(), "default-src: the keyword self needs its quotes: 'self'");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: Cow<'static, str>,
}

/// What is wrong with a configuration.
///
/// ```
/// use buttress_headers::{ConfigErrorKind, Csp, SecurityHeadersLayer};
///
/// let error = SecurityHeadersLayer::none().csp(Csp::new().img_src(["'self'"])).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::MissingDefaultSrc);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A policy, or an allowlist, with nothing in it.
    Empty,
    /// A Content-Security-Policy directive that no browser knows.
    UnknownDirective,
    /// The same directive twice: browsers take the first and ignore the other.
    DuplicateDirective,
    /// No `default-src`: whatever is not named would be allowed from everywhere.
    MissingDefaultSrc,
    /// A `;`, a `,`, a space, a line break or another control character, or what is not ASCII,
    /// inside a value.
    ForbiddenCharacter,
    /// A keyword without its single quotes: it would be taken for a host's name.
    UnquotedKeyword,
    /// A quoted word that is no keyword.
    UnknownKeyword,
    /// `'none'` beside other sources: browsers ignore it there.
    NoneWithOthers,
    /// `'strict-dynamic'` without a nonce or a hash: nothing could ever load.
    StrictDynamicAlone,
    /// A nonce that is written into the policy: whoever has read one page knows it.
    FixedNonce,
    /// A hash that is no base64 of the digest's length.
    InvalidHash,
    /// Neither a scheme nor a host.
    InvalidSource,
    /// A value that this directive does not take, or a directive that takes none.
    UnexpectedValue,
    /// A Permissions-Policy feature that is not on the list.
    UnknownFeature,
    /// The same feature twice.
    DuplicateFeature,
    /// Neither `self`, nor `*`, nor an origin.
    InvalidOrigin,
    /// A reporting endpoint's name that is no key of a structured field (RFC 9651 §3.2), or one
    /// given twice.
    InvalidEndpointName,
    /// A reporting endpoint's URL to which no browser would send.
    InvalidEndpointUrl,
    /// `preload` without what the preload list asks for.
    InvalidHsts,
    /// A header that has a verb of its own, or that is not the layer's to set.
    ForeignHeader,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ConfigErrorKind {
        self.kind
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}
