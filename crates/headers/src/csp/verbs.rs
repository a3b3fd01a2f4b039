//! One verb a directive.

use super::{Csp, Source};

macro_rules! directives {
    ($($(#[$doc:meta])* $verb:ident = $name:literal;)*) => {
        impl Csp {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $verb(self, sources: impl IntoIterator<Item = impl Into<Source>>) -> Self {
                    self.directive($name, sources)
                }
            )*
        }
    };
}

directives! {
    /// `default-src`: for every kind of resource that has no directive of its own.
    default_src = "default-src";
    /// `script-src`: scripts and WebAssembly, and what else may run code.
    script_src = "script-src";
    /// `script-src-elem`: `<script>` elements, in the place of `script-src`.
    script_src_elem = "script-src-elem";
    /// `script-src-attr`: event handler attributes, in the place of `script-src`.
    script_src_attr = "script-src-attr";
    /// `style-src`: style sheets.
    style_src = "style-src";
    /// `style-src-elem`: `<style>` and `<link>` elements, in the place of `style-src`.
    style_src_elem = "style-src-elem";
    /// `style-src-attr`: `style` attributes, in the place of `style-src`.
    style_src_attr = "style-src-attr";
    /// `img-src`: images and icons.
    img_src = "img-src";
    /// `font-src`: fonts.
    font_src = "font-src";
    /// `connect-src`: `fetch`, `XMLHttpRequest`, `WebSocket`, `EventSource`, beacons.
    connect_src = "connect-src";
    /// `media-src`: audio and video.
    media_src = "media-src";
    /// `object-src`: `<object>` and `<embed>`.
    object_src = "object-src";
    /// `manifest-src`: web application manifests.
    manifest_src = "manifest-src";
    /// `worker-src`: workers, shared workers and service workers.
    worker_src = "worker-src";
    /// `frame-src`: what the page may embed in frames.
    frame_src = "frame-src";
    /// `child-src`: frames and workers, where they have no directive of their own.
    child_src = "child-src";
    /// `fenced-frame-src`: what the page may embed in fenced frames.
    fenced_frame_src = "fenced-frame-src";
    /// `base-uri`: what `<base>` may say. It does not fall back to `default-src`.
    base_uri = "base-uri";
    /// `form-action`: where forms may be sent. It does not fall back to `default-src`.
    form_action = "form-action";
    /// `frame-ancestors`: who may embed the page; it takes the place of `X-Frame-Options` in
    /// browsers that know both. Schemes, hosts, `'self'` and `'none'`. It does not fall back to
    /// `default-src`.
    frame_ancestors = "frame-ancestors";
    /// `sandbox`: the page as if in a sandboxed frame, with these flags
    /// (`"allow-forms"`, `"allow-scripts"`); with none of them, the strictest.
    sandbox = "sandbox";
    /// `trusted-types`: the names of the Trusted Types policies that may be made.
    trusted_types = "trusted-types";
    /// `report-uri`: where violations are sent as `application/csp-report`. Browsers that know
    /// `report-to` ignore it.
    report_uri = "report-uri";
}

impl Csp {
    /// `report-to`: the name of a
    /// [`reporting_endpoint`](crate::SecurityHeadersLayer::reporting_endpoint).
    #[must_use]
    pub fn report_to(self, endpoint: impl Into<Source>) -> Self {
        self.directive("report-to", [endpoint])
    }

    /// `require-trusted-types-for 'script'`: the DOM's sinks for scripts take no strings.
    #[must_use]
    pub fn require_trusted_types_for_script(self) -> Self {
        self.directive("require-trusted-types-for", ["'script'"])
    }

    /// `upgrade-insecure-requests`: `http:` URLs in the page are fetched as `https:`. Gated by
    /// [`secure_when`](crate::SecurityHeadersLayer::secure_when); without effect in a report-only
    /// policy.
    #[must_use]
    pub fn upgrade_insecure_requests(self) -> Self {
        self.directive("upgrade-insecure-requests", [] as [Source; 0])
    }
}
