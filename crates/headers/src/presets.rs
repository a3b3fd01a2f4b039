//! The presets.

use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        X_DNS_PREFETCH_CONTROL, X_FRAME_OPTIONS, X_XSS_PROTECTION,
    },
};

use crate::{
    csp::{Csp, Source},
    layer::SecurityHeadersLayer,
    names::{
        CROSS_ORIGIN_EMBEDDER_POLICY, CROSS_ORIGIN_OPENER_POLICY, CROSS_ORIGIN_RESOURCE_POLICY,
        ORIGIN_AGENT_CLUSTER, PERMISSIONS_POLICY, X_DOWNLOAD_OPTIONS,
        X_PERMITTED_CROSS_DOMAIN_POLICIES,
    },
};

mod owasp;

/// Two years, as the preload list recommends.
const HSTS: &str = "max-age=63072000; includeSubDomains";

impl SecurityHeadersLayer {
    /// For an API, whose answers are no pages: nothing may load, frame or store them.
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::api();
    /// # assert_eq!(layer.headers().len(), 9);
    /// ```
    pub fn api() -> Self {
        preset(
            Csp::api(),
            &[
                (CACHE_CONTROL, "no-store"),
                (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
                (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
                (REFERRER_POLICY, "no-referrer"),
                (STRICT_TRANSPORT_SECURITY, HSTS),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (X_FRAME_OPTIONS, "DENY"),
                (X_PERMITTED_CROSS_DOMAIN_POLICIES, "none"),
            ],
            &["server", "x-powered-by"],
        )
    }

    /// For pages whose scripts and styles are files of their own origin.
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::web();
    /// # assert_eq!(layer.headers().len(), 12);
    /// ```
    pub fn web() -> Self {
        preset(
            Csp::web(),
            &[
                (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
                (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
                (ORIGIN_AGENT_CLUSTER, "?1"),
                (
                    PERMISSIONS_POLICY,
                    "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
                     gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
                ),
                (REFERRER_POLICY, "strict-origin-when-cross-origin"),
                (STRICT_TRANSPORT_SECURITY, HSTS),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (X_DNS_PREFETCH_CONTROL, "off"),
                (X_FRAME_OPTIONS, "SAMEORIGIN"),
                (X_PERMITTED_CROSS_DOMAIN_POLICIES, "none"),
                (X_XSS_PROTECTION, "0"),
            ],
            &["server", "x-powered-by"],
        )
    }

    /// [`web`](Self::web) for pages that put the [`CspNonce`](crate::CspNonce) on their scripts
    /// and inline styles: no script runs without it, wherever it comes from.
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::web_strict();
    /// # assert_eq!(layer.headers().len(), 12);
    /// ```
    pub fn web_strict() -> Self {
        Self::web().with(|policy| policy.csp = Some(Csp::web_strict()))
    }

    /// [`web`](Self::web) for a developer's machine: nothing that binds the browser to https, and
    /// a policy that only reports, into the browser's console.
    ///
    /// `Strict-Transport-Security` is for a host, whatever the port: once a browser has it for
    /// `localhost`, every other project there is unreachable. And Safari upgrades `localhost`.
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::dev();
    /// # assert_eq!(layer.headers().len(), 11);
    /// ```
    pub fn dev() -> Self {
        Self::web().with(|policy| {
            policy.csp_report_only =
                policy.csp.take().map(|csp| csp.without("upgrade-insecure-requests"));
            policy.unset(&STRICT_TRANSPORT_SECURITY);
        })
    }

    /// What helmet 8 for Node sends of itself, byte for byte (npm `helmet` 8.3.0).
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::helmet8();
    /// # assert_eq!(layer.headers().len(), 12);
    /// ```
    pub fn helmet8() -> Self {
        preset(
            Csp::helmet8(),
            &[
                (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
                (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
                (ORIGIN_AGENT_CLUSTER, "?1"),
                (REFERRER_POLICY, "no-referrer"),
                (STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (X_DNS_PREFETCH_CONTROL, "off"),
                (X_DOWNLOAD_OPTIONS, "noopen"),
                (X_FRAME_OPTIONS, "SAMEORIGIN"),
                (X_PERMITTED_CROSS_DOMAIN_POLICIES, "none"),
                (X_XSS_PROTECTION, "0"),
            ],
            &["x-powered-by"],
        )
    }

    /// The OWASP Secure Headers Project's list, of what to add and of what to remove
    /// (`ci/headers_add.json` and `ci/headers_remove.json` as of 2026-09-13).
    ///
    /// But for `Clear-Site-Data`: it belongs on the answer to a sign-out, and on any other it would
    /// end every visitor's session.
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::owasp();
    /// # assert_eq!(layer.headers().len(), 12);
    /// ```
    pub fn owasp() -> Self {
        preset(
            Csp::owasp(),
            &[
                (CACHE_CONTROL, "no-store, max-age=0"),
                (CROSS_ORIGIN_EMBEDDER_POLICY, "require-corp"),
                (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
                (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
                (PERMISSIONS_POLICY, owasp::PERMISSIONS),
                (REFERRER_POLICY, "no-referrer"),
                (STRICT_TRANSPORT_SECURITY, HSTS),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (X_DNS_PREFETCH_CONTROL, "off"),
                (X_FRAME_OPTIONS, "deny"),
                (X_PERMITTED_CROSS_DOMAIN_POLICIES, "none"),
            ],
            owasp::REMOVE,
        )
    }
}

/// The policies of the presets, to be changed by verbs.
impl Csp {
    /// The policy of [`SecurityHeadersLayer::api`].
    #[must_use]
    pub fn api() -> Self {
        Self::new()
            .default_src([Source::None])
            .base_uri([Source::None])
            .form_action([Source::None])
            .frame_ancestors([Source::None])
    }

    /// The policy of [`SecurityHeadersLayer::web`].
    #[must_use]
    pub fn web() -> Self {
        Self::new()
            .default_src([Source::SelfOrigin])
            .base_uri([Source::SelfOrigin])
            .font_src(["'self'", "data:"])
            .form_action([Source::SelfOrigin])
            .frame_ancestors([Source::SelfOrigin])
            .img_src(["'self'", "data:"])
            .object_src([Source::None])
            .script_src([Source::SelfOrigin])
            .script_src_attr([Source::None])
            .style_src([Source::SelfOrigin])
            .upgrade_insecure_requests()
    }

    /// The policy of [`SecurityHeadersLayer::web_strict`]. `https:` and `'unsafe-inline'` are for
    /// browsers that do not know `'strict-dynamic'`, or nonces; those that do ignore them.
    #[must_use]
    pub fn web_strict() -> Self {
        Self::web()
            .replace("base-uri", [Source::None])
            .replace(
                "script-src",
                [Source::Nonce, Source::StrictDynamic, "https:".into(), Source::UnsafeInline],
            )
            .replace("style-src", [Source::SelfOrigin, Source::Nonce])
    }

    /// The policy of [`SecurityHeadersLayer::helmet8`].
    #[must_use]
    pub fn helmet8() -> Self {
        Self::web()
            .replace("font-src", ["'self'", "https:", "data:"])
            .replace("style-src", ["'self'", "https:", "'unsafe-inline'"])
            .separated_by(";")
    }

    /// The policy of [`SecurityHeadersLayer::owasp`].
    #[must_use]
    pub fn owasp() -> Self {
        Self::new()
            .default_src([Source::SelfOrigin])
            .form_action([Source::SelfOrigin])
            .base_uri([Source::SelfOrigin])
            .object_src([Source::None])
            .frame_ancestors([Source::None])
            .upgrade_insecure_requests()
    }
}

fn preset(
    csp: Csp,
    headers: &[(HeaderName, &'static str)],
    remove: &[&'static str],
) -> SecurityHeadersLayer {
    SecurityHeadersLayer::none().with(|policy| {
        policy.csp = Some(csp);
        policy.fixed = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        policy.remove = remove.iter().map(|name| (HeaderName::from_static(name), ())).collect();
    })
}
