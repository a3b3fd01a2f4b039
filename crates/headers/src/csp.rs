//! Content-Security-Policy (CSP Level 3): the builder, and what it compiles to.

mod compiled;
mod directive;
mod source;
#[cfg(test)]
mod tests;
mod verbs;

use std::{borrow::Cow, fmt};

pub(crate) use self::compiled::CompiledCsp;
pub use self::source::Source;
use self::{
    directive::{SANDBOX_TOKENS, Takes, takes},
    source::{check_characters, needs_quotes, unquoted},
};
use crate::{
    endpoint::is_endpoint_name,
    error::{ConfigError, ConfigErrorKind as Kind},
};

/// A Content-Security-Policy: what a page may load, run, embed and submit to.
///
/// A verb a directive, in any order; they are sent in the order in which they were named. The
/// whole is judged when a layer takes it
/// ([`csp`](crate::SecurityHeadersLayer::csp), [`csp_report_only`](crate::SecurityHeadersLayer::csp_report_only)):
/// there, what a browser would ignore, or read as something else than was meant, is refused.
///
/// ```
/// use buttress_headers::{Csp, SecurityHeadersLayer, Source};
///
/// let layer = SecurityHeadersLayer::web().csp(
///     Csp::new()
///         .default_src([Source::None])
///         .script_src(["'self'", "https://cdn.example.com"])
///         .img_src(["'self'", "data:"])
///         .frame_ancestors([Source::None])
///         .upgrade_insecure_requests(),
/// )?;
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
///
/// A preset's policy with one thing changed:
///
/// ```
/// # use buttress_headers::{Csp, SecurityHeadersLayer};
/// let csp = Csp::web().extend("img-src", ["https://images.example.com"]).without("font-src");
/// let layer = SecurityHeadersLayer::web().csp(csp)?;
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csp {
    directives: Vec<Directive>,
    separator: &'static str,
    needs_default_src: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Directive {
    name: Cow<'static, str>,
    values: Vec<Source>,
}

impl Csp {
    /// A policy without directives yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { directives: Vec::new(), separator: "; ", needs_default_src: true }
    }

    /// The directive of this name, for names that come from a configuration file; the verbs are
    /// its typed form. A directive may be named once.
    #[must_use]
    pub fn directive(
        mut self,
        name: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = impl Into<Source>>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.directives.push(Directive { name: name.into(), values });
        self
    }

    /// Adds sources to a directive; they take the place of a `'none'`. One that is not there yet is
    /// named, and so no longer falls back to `default-src`: say `'self'` again where it is meant.
    #[must_use]
    pub fn extend(
        self,
        name: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = impl Into<Source>>,
    ) -> Self {
        self.change(name.into(), |present| {
            present.retain(|value| *value != Source::None);
            present.extend(values.into_iter().map(Into::into));
        })
    }

    /// Puts these sources in the place of a directive's present ones.
    #[must_use]
    pub fn replace(
        self,
        name: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = impl Into<Source>>,
    ) -> Self {
        self.change(name.into(), |present| *present = values.into_iter().map(Into::into).collect())
    }

    fn change(mut self, name: Cow<'static, str>, change: impl FnOnce(&mut Vec<Source>)) -> Self {
        match self.directives.iter_mut().find(|directive| directive.name == name) {
            Some(directive) => change(&mut directive.values),
            None => {
                let mut values = Vec::new();
                change(&mut values);
                self.directives.push(Directive { name, values });
            }
        }
        self
    }

    /// Takes a directive out. A fetch directive that is not named falls back to `default-src`;
    /// `base-uri`, `form-action` and `frame-ancestors` then allow everything.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.directives.retain(|directive| directive.name != name);
        self
    }

    /// Allows a policy that has no `default-src`: what it does not name may be loaded from
    /// everywhere.
    #[must_use]
    pub const fn dangerously_without_default_src(mut self) -> Self {
        self.needs_default_src = false;
        self
    }

    /// Joins directives by this instead of `"; "`.
    pub(crate) const fn separated_by(mut self, separator: &'static str) -> Self {
        self.separator = separator;
        self
    }

    /// Refuses what a browser would ignore, or read as something else.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.directives.is_empty() {
            return Err(ConfigError::new(Kind::Empty, "the policy has no directives"));
        }
        for (at, directive) in self.directives.iter().enumerate() {
            if self.directives.iter().take(at).any(|earlier| earlier.name == directive.name) {
                let message = format!("{}: named twice; browsers take the first", directive.name);
                return Err(ConfigError::new(Kind::DuplicateDirective, message));
            }
            directive.check()?;
        }
        if self.needs_default_src && !self.directives.iter().any(|d| d.name == "default-src") {
            let message = "there is no default-src, so what is not named may come from everywhere; \
                           if that is meant, say dangerously_without_default_src()";
            return Err(ConfigError::new(Kind::MissingDefaultSrc, message));
        }
        Ok(())
    }
}

impl Default for Csp {
    fn default() -> Self {
        Self::new()
    }
}

/// The policy as it is sent, but for the nonce.
impl fmt::Display for Csp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, directive) in self.directives.iter().enumerate() {
            if at > 0 {
                f.write_str(self.separator)?;
            }
            f.write_str(&directive.name)?;
            for value in &directive.values {
                write!(f, " {value}")?;
            }
        }
        Ok(())
    }
}

impl Directive {
    fn check(&self) -> Result<(), ConfigError> {
        let name = &*self.name;
        let Some(takes) = takes(name) else {
            let message = format!("there is no directive {name:?}");
            return Err(ConfigError::new(Kind::UnknownDirective, message));
        };
        let may_be_empty = matches!(takes, Takes::Nothing | Takes::SandboxTokens);
        if self.values.is_empty() && !may_be_empty {
            let message = format!("{name}: it has no value; to allow nothing, say Source::None");
            return Err(ConfigError::new(Kind::Empty, message));
        }
        self.values.iter().try_for_each(|value| self.check_value(takes, value))?;
        if self.values.len() > 1 && self.values.contains(&Source::None) {
            let message = format!("{name}: 'none' stands alone; beside others it is ignored");
            return Err(ConfigError::new(Kind::NoneWithOthers, message));
        }
        let trusted = self.values.iter().any(|value| *value == Source::Nonce || value.is_hash());
        if self.values.contains(&Source::StrictDynamic) && !trusted {
            let message = format!(
                "{name}: 'strict-dynamic' trusts what a nonce or a hash has trusted first; \
                 there is neither"
            );
            return Err(ConfigError::new(Kind::StrictDynamicAlone, message));
        }
        Ok(())
    }

    fn check_value(&self, takes: Takes, value: &Source) -> Result<(), ConfigError> {
        let name = &*self.name;
        let text = value.to_string();
        if matches!(value, Source::Value(_)) {
            check_characters(name, &text)?;
        }
        let is_taken = match takes {
            Takes::Sources => return value.check(name),
            Takes::Ancestors => match value {
                Source::None | Source::SelfOrigin => true,
                Source::Value(_) if unquoted(&text).is_none() => return value.check(name),
                _ => false,
            },
            Takes::Nothing => false,
            Takes::SandboxTokens => SANDBOX_TOKENS.contains(&&*text),
            Takes::Urls => ["/", "https://", "http://"].iter().any(|start| text.starts_with(start)),
            Takes::EndpointName => self.values.len() == 1 && is_endpoint_name(&text),
            Takes::TrustedTypesSinks => text == "'script'",
            Takes::TrustedTypesPolicies if matches!(&*text, "none" | "allow-duplicates") => {
                return Err(needs_quotes(name, &text));
            }
            Takes::TrustedTypesPolicies => *value == Source::None || is_trusted_types_policy(&text),
            Takes::Webrtc => matches!(&*text, "'allow'" | "'block'"),
        };
        if is_taken {
            return Ok(());
        }
        let message = format!("{name}: it takes {}, not {text:?}", takes.in_words());
        Err(ConfigError::new(Kind::UnexpectedValue, message))
    }
}

/// `tt-policy-name` (Trusted Types §4.2.4).
fn is_trusted_types_policy(text: &str) -> bool {
    matches!(text, "*" | "'allow-duplicates'")
        || text.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'-' | b'#' | b'=' | b'_' | b'/' | b'@' | b'.' | b'%')
        })
}
