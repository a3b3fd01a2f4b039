//! What each preset sends, header by header.

use buttress_headers::SecurityHeadersLayer;

const WEB_CSP: &str = "default-src 'self'; base-uri 'self'; font-src 'self' data:; \
    form-action 'self'; frame-ancestors 'self'; img-src 'self' data:; object-src 'none'; \
    script-src 'self'; script-src-attr 'none'; style-src 'self'; upgrade-insecure-requests";

const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
    gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

#[track_caller]
fn assert_sends(layer: &SecurityHeadersLayer, expected: &[(&str, &str)]) {
    let mut sent: Vec<_> = layer
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("<not ASCII>")))
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, expected);
}

#[test]
fn api() {
    assert_sends(
        &SecurityHeadersLayer::api(),
        &[
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-permitted-cross-domain-policies", "none"),
        ],
    );
}

fn web_with(csp: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![
        csp,
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("permissions-policy", PERMISSIONS),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-dns-prefetch-control", "off"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-xss-protection", "0"),
    ];
    headers.sort_unstable();
    headers
}

#[test]
fn web() {
    let expected = web_with(("content-security-policy", WEB_CSP));
    assert_sends(&SecurityHeadersLayer::web(), &expected);
}

#[test]
fn web_strict_without_a_nonce_runs_no_script() {
    let csp = "default-src 'self'; base-uri 'none'; font-src 'self' data:; form-action 'self'; \
        frame-ancestors 'self'; img-src 'self' data:; object-src 'none'; script-src 'none'; \
        script-src-attr 'none'; style-src 'self'; upgrade-insecure-requests";
    let expected = web_with(("content-security-policy", csp));
    assert_sends(&SecurityHeadersLayer::web_strict(), &expected);
}

#[test]
fn dev_binds_the_browser_to_nothing() {
    let csp = WEB_CSP.trim_end_matches("; upgrade-insecure-requests");
    let mut expected = web_with(("content-security-policy-report-only", csp));
    expected.retain(|(name, _)| *name != "strict-transport-security");
    assert_sends(&SecurityHeadersLayer::dev(), &expected);
}

/// From the documentation of npm `helmet` 8.3.0, and checked against its source.
#[test]
fn helmet8() {
    assert_sends(
        &SecurityHeadersLayer::helmet8(),
        &[
            (
                "content-security-policy",
                "default-src 'self';base-uri 'self';font-src 'self' https: data:;\
                 form-action 'self';frame-ancestors 'self';img-src 'self' data:;\
                 object-src 'none';script-src 'self';script-src-attr 'none';\
                 style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
            ),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("origin-agent-cluster", "?1"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-dns-prefetch-control", "off"),
            ("x-download-options", "noopen"),
            ("x-frame-options", "SAMEORIGIN"),
            ("x-permitted-cross-domain-policies", "none"),
            ("x-xss-protection", "0"),
        ],
    );
}

/// `ci/headers_add.json` of the OWASP Secure Headers Project as of 2026-09-13, without
/// `Clear-Site-Data`.
#[test]
fn owasp() {
    assert_sends(
        &SecurityHeadersLayer::owasp(),
        &[
            ("cache-control", "no-store, max-age=0"),
            (
                "content-security-policy",
                "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; \
                 frame-ancestors 'none'; upgrade-insecure-requests",
            ),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "accelerometer=(), autoplay=(), camera=(), cross-origin-isolated=(), \
                 display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), \
                 gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), midi=(), \
                 payment=(), picture-in-picture=(), publickey-credentials-get=(), \
                 screen-wake-lock=(), sync-xhr=(self), usb=(), web-share=(), \
                 xr-spatial-tracking=(), clipboard-read=(), clipboard-write=(), gamepad=(), \
                 hid=(), idle-detection=(), interest-cohort=(), serial=(), unload=()",
            ),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-dns-prefetch-control", "off"),
            ("x-frame-options", "deny"),
            ("x-permitted-cross-domain-policies", "none"),
        ],
    );
}

#[test]
fn none() {
    assert_sends(&SecurityHeadersLayer::none(), &[]);
}
