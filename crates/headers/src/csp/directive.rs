//! The directives, and what each takes.

/// What a directive's value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Schemes, hosts, keywords, hashes and nonces.
    Sources,
    /// Schemes, hosts, `'self'` and `'none'` (CSP3 §6.4.2.1).
    Ancestors,
    /// Nothing.
    Nothing,
    /// `allow-…` tokens, or nothing.
    SandboxTokens,
    /// URLs, absolute or of this site.
    Urls,
    /// The name of one reporting endpoint.
    EndpointName,
    /// `'script'`.
    TrustedTypesSinks,
    /// Names of policies, `*`, `'allow-duplicates'`, `'none'`.
    TrustedTypesPolicies,
    /// `'allow'` or `'block'`.
    Webrtc,
}

impl Takes {
    /// For the message of a refusal.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Sources => "schemes, hosts, keywords, hashes and nonces only",
            Self::Ancestors => "schemes, hosts, 'self' and 'none' only",
            Self::Nothing => "no value",
            Self::SandboxTokens => "the sandboxing flags of HTML only",
            Self::Urls => "absolute URLs and paths only",
            Self::EndpointName => "one endpoint's name",
            Self::TrustedTypesSinks => "'script' only",
            Self::TrustedTypesPolicies => {
                "names of policies, *, 'allow-duplicates' and 'none' only"
            }
            Self::Webrtc => "'allow' or 'block'",
        }
    }
}

/// CSP Level 3 and what its neighbours add: Trusted Types, Upgrade Insecure Requests, Fenced
/// Frame. Withdrawn directives (`block-all-mixed-content`, `plugin-types`, `prefetch-src`,
/// `navigate-to`, `referrer`, `reflected-xss`) are left out: browsers ignore them.
const DIRECTIVES: &[(&str, Takes)] = &[
    ("base-uri", Takes::Sources),
    ("child-src", Takes::Sources),
    ("connect-src", Takes::Sources),
    ("default-src", Takes::Sources),
    ("fenced-frame-src", Takes::Sources),
    ("font-src", Takes::Sources),
    ("form-action", Takes::Sources),
    ("frame-ancestors", Takes::Ancestors),
    ("frame-src", Takes::Sources),
    ("img-src", Takes::Sources),
    ("manifest-src", Takes::Sources),
    ("media-src", Takes::Sources),
    ("object-src", Takes::Sources),
    ("report-to", Takes::EndpointName),
    ("report-uri", Takes::Urls),
    ("require-trusted-types-for", Takes::TrustedTypesSinks),
    ("sandbox", Takes::SandboxTokens),
    ("script-src", Takes::Sources),
    ("script-src-attr", Takes::Sources),
    ("script-src-elem", Takes::Sources),
    ("style-src", Takes::Sources),
    ("style-src-attr", Takes::Sources),
    ("style-src-elem", Takes::Sources),
    ("trusted-types", Takes::TrustedTypesPolicies),
    ("upgrade-insecure-requests", Takes::Nothing),
    ("webrtc", Takes::Webrtc),
    ("worker-src", Takes::Sources),
];

/// The HTML standard's sandboxing flags.
pub(super) const SANDBOX_TOKENS: &[&str] = &[
    "allow-downloads",
    "allow-forms",
    "allow-modals",
    "allow-orientation-lock",
    "allow-pointer-lock",
    "allow-popups",
    "allow-popups-to-escape-sandbox",
    "allow-presentation",
    "allow-same-origin",
    "allow-scripts",
    "allow-storage-access-by-user-activation",
    "allow-top-navigation",
    "allow-top-navigation-by-user-activation",
    "allow-top-navigation-to-custom-protocols",
];

/// What the directive of this name takes, or `None` where there is no such directive.
pub(super) fn takes(name: &str) -> Option<Takes> {
    DIRECTIVES.iter().find(|(known, _)| *known == name).map(|(_, takes)| *takes)
}
