//! One source of a directive: a keyword, a scheme, a host, a hash or the nonce.

use std::{borrow::Cow, fmt};

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// One source in a Content-Security-Policy directive.
///
/// A string is taken as it would be written in the header: `"https:"`, `"cdn.example.com"`,
/// `"'self'"`, `"'sha256-…'"`. It is judged when the layer takes the policy.
///
/// ```
/// use buttress_headers::{Csp, SecurityHeadersLayer, Source};
///
/// let csp = Csp::new()
///     .default_src([Source::SelfOrigin])
///     .img_src([Source::SelfOrigin, "data:".into(), "https://images.example.com".into()]);
/// let layer = SecurityHeadersLayer::none().csp(csp)?;
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `'none'`: nothing at all. It stands alone.
    None,
    /// `'self'`: the origin of the page.
    SelfOrigin,
    /// `'nonce-…'`: what carries this request's [`CspNonce`](crate::CspNonce).
    Nonce,
    /// `'strict-dynamic'`: what a trusted script loads is trusted; hosts and schemes are not. Only
    /// with a nonce or a hash.
    StrictDynamic,
    /// `'unsafe-inline'`: inline scripts or styles, an attacker's too. Browsers ignore it beside
    /// a nonce or a hash, where it only serves those that know neither.
    UnsafeInline,
    /// `'unsafe-eval'`: `eval` and its like.
    UnsafeEval,
    /// `'wasm-unsafe-eval'`: compiling WebAssembly, and nothing else of `'unsafe-eval'`.
    WasmUnsafeEval,
    /// `'trusted-types-eval'`: `eval` where Trusted Types are enforced.
    TrustedTypesEval,
    /// `'unsafe-hashes'`: hashes count for event handlers and `style` attributes too.
    UnsafeHashes,
    /// `'inline-speculation-rules'`: inline speculation rules.
    InlineSpeculationRules,
    /// `'report-sample'`: the first 40 characters of what was blocked go into the report. They
    /// may be a user's data.
    ReportSample,
    /// Anything else, as it is written in the header: a scheme (`https:`), a host
    /// (`*.example.com`, `https://cdn.example.com:8443/js/`), a hash (`'sha256-…'`). It is made
    /// from a string, in which the keywords are found.
    #[non_exhaustive]
    Value(Cow<'static, str>),
}

const KEYWORDS: &[(&str, Source)] = &[
    ("none", Source::None),
    ("self", Source::SelfOrigin),
    ("strict-dynamic", Source::StrictDynamic),
    ("unsafe-inline", Source::UnsafeInline),
    ("unsafe-eval", Source::UnsafeEval),
    ("wasm-unsafe-eval", Source::WasmUnsafeEval),
    ("trusted-types-eval", Source::TrustedTypesEval),
    ("unsafe-hashes", Source::UnsafeHashes),
    ("inline-speculation-rules", Source::InlineSpeculationRules),
    ("report-sample", Source::ReportSample),
];

/// The hash algorithms of CSP3 §2.3.1, with how many base64 digits and padding their digests have.
const HASHES: &[(&str, usize, &str)] =
    &[("sha256-", 43, "="), ("sha384-", 64, ""), ("sha512-", 86, "==")];

impl Source {
    fn of(value: Cow<'static, str>) -> Self {
        keyword(&value).unwrap_or(Self::Value(value))
    }

    /// Whether it is a hash.
    pub(super) fn is_hash(&self) -> bool {
        match self {
            Self::Value(value) => unquoted(value)
                .is_some_and(|inner| HASHES.iter().any(|(name, ..)| starts_with(inner, name))),
            _ => false,
        }
    }

    /// Whether `'strict-dynamic'` makes browsers ignore it (CSP3 §6.7.1.1): hosts, schemes and
    /// `'self'`.
    pub(super) fn is_ignored_when_strict(&self) -> bool {
        match self {
            Self::SelfOrigin => true,
            Self::Value(_) => !self.is_hash(),
            _ => false,
        }
    }

    /// Refuses what a browser would ignore, or read as something else.
    pub(super) fn check(&self, directive: &str) -> Result<(), ConfigError> {
        let Self::Value(value) = self else {
            return Ok(());
        };
        check_characters(directive, value)?;
        if let Some(inner) = unquoted(value) {
            return check_quoted(directive, value, inner);
        }
        if let Some(known) = KEYWORDS.iter().find(|(word, _)| value.eq_ignore_ascii_case(word)) {
            return Err(needs_quotes(directive, known.0));
        }
        if starts_with(value, "nonce-") || HASHES.iter().any(|(name, ..)| starts_with(value, name))
        {
            return Err(needs_quotes(directive, value));
        }
        if is_scheme_source(value) || is_host_source(value) {
            return Ok(());
        }
        let message = format!("{directive}: {value:?} is neither a scheme (https:) nor a host");
        Err(ConfigError::new(Kind::InvalidSource, message))
    }
}

/// What may stand in no value of any directive: it would end the directive, the policy or the
/// header, or split the value in two.
pub(super) fn check_characters(directive: &str, value: &str) -> Result<(), ConfigError> {
    if value.is_empty() {
        return Err(ConfigError::new(Kind::Empty, format!("{directive}: an empty value")));
    }
    let Some(found) = value.chars().find(|c| !c.is_ascii_graphic() || matches!(c, ';' | ','))
    else {
        return Ok(());
    };
    let message = format!("{directive}: {found:?} is not allowed in the value {value:?}");
    Err(ConfigError::new(Kind::ForbiddenCharacter, message))
}

fn check_quoted(directive: &str, value: &str, inner: &str) -> Result<(), ConfigError> {
    if starts_with(inner, "nonce-") {
        let message = format!(
            "{directive}: {value} is the same for everybody, so it protects nobody: \
             use Source::Nonce"
        );
        return Err(ConfigError::new(Kind::FixedNonce, message));
    }
    let Some((name, digits, padding)) = HASHES.iter().find(|(name, ..)| starts_with(inner, name))
    else {
        let message = format!("{directive}: there is no keyword {value}");
        return Err(ConfigError::new(Kind::UnknownKeyword, message));
    };
    let digest = inner.get(name.len()..).unwrap_or_default();
    if is_base64(digest, *digits, padding) {
        return Ok(());
    }
    let message = format!("{directive}: {value} is not the base64 of a digest of that length");
    Err(ConfigError::new(Kind::InvalidHash, message))
}

pub(super) fn needs_quotes(directive: &str, word: &str) -> ConfigError {
    let message = format!("{directive}: the keyword {word} needs its quotes: '{word}'");
    ConfigError::new(Kind::UnquotedKeyword, message)
}

/// The keyword of this text. Keywords are ASCII case-insensitive.
fn keyword(value: &str) -> Option<Source> {
    let inner = unquoted(value)?;
    let found = KEYWORDS.iter().find(|(word, _)| inner.eq_ignore_ascii_case(word))?;
    Some(found.1.clone())
}

pub(super) fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('\'')?.strip_suffix('\'')
}

fn starts_with(value: &str, prefix: &str) -> bool {
    value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Base64 or base64url of exactly so many digits, with the padding or without.
fn is_base64(value: &str, digits: usize, padding: &str) -> bool {
    let value = value.strip_suffix(padding).unwrap_or(value);
    value.len() == digits
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
}

/// `https:`, `data:` (RFC 3986 §3.1).
fn is_scheme_source(value: &str) -> bool {
    value.strip_suffix(':').is_some_and(is_scheme)
}

fn is_scheme(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// `[scheme "://"] host [":" port] [path]` (CSP3 §2.3.1). A query and a fragment are no part of it.
fn is_host_source(value: &str) -> bool {
    let rest = match value.split_once("://") {
        Some((scheme, _)) if !is_scheme(scheme) => return false,
        Some((_, rest)) => rest,
        None => value,
    };
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, path),
        None => (rest, ""),
    };
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port),
        None => (authority, "*"),
    };
    is_host(host) && is_port(port) && !path.contains(['?', '#', '\'', '"'])
}

fn is_host(value: &str) -> bool {
    if value == "*" {
        return true;
    }
    value.strip_prefix("*.").unwrap_or(value).split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

fn is_port(value: &str) -> bool {
    value == "*" || (value.bytes().all(|b| b.is_ascii_digit()) && value.parse::<u16>().is_ok())
}

impl From<&'static str> for Source {
    fn from(value: &'static str) -> Self {
        Self::of(Cow::Borrowed(value))
    }
}

impl From<String> for Source {
    fn from(value: String) -> Self {
        Self::of(Cow::Owned(value))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.write_str(value),
            Self::Nonce => f.write_str("'nonce-…'"),
            keyword => match KEYWORDS.iter().find(|(_, source)| source == keyword) {
                Some((word, _)) => write!(f, "'{word}'"),
                None => Ok(()),
            },
        }
    }
}
