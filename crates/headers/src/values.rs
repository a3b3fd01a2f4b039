//! The headers that are one word of a few.

use http::HeaderValue;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl $name {
            /// As it is written in the header.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            pub(crate) const fn header_value(self) -> HeaderValue {
                HeaderValue::from_static(self.as_str())
            }
        }
    };
}

words! {
    /// `X-Frame-Options` (RFC 7034): who may embed the page, for browsers that do not know
    /// `frame-ancestors`. `ALLOW-FROM` is left out: browsers ignore the whole header for it.
    ///
    /// ```
    /// use buttress_headers::{FrameOptions, SecurityHeadersLayer};
    ///
    /// let layer = SecurityHeadersLayer::web().frame_options(FrameOptions::Deny);
    /// ```
    FrameOptions {
        /// Nobody.
        Deny = "DENY",
        /// Pages of the same origin.
        SameOrigin = "SAMEORIGIN",
    }
}

words! {
    /// `Referrer-Policy`: how much of a page's URL those see to whom it links.
    ///
    /// ```
    /// use buttress_headers::{ReferrerPolicy, SecurityHeadersLayer};
    ///
    /// let layer = SecurityHeadersLayer::web().referrer_policy(ReferrerPolicy::SameOrigin);
    /// ```
    ReferrerPolicy {
        /// Nothing.
        NoReferrer = "no-referrer",
        /// The whole URL, but nothing from https to http.
        NoReferrerWhenDowngrade = "no-referrer-when-downgrade",
        /// The whole URL to the same origin, nothing to others.
        SameOrigin = "same-origin",
        /// The origin alone.
        Origin = "origin",
        /// The origin alone, and nothing from https to http.
        StrictOrigin = "strict-origin",
        /// The whole URL to the same origin, the origin to others.
        OriginWhenCrossOrigin = "origin-when-cross-origin",
        /// The whole URL to the same origin, the origin to others, nothing from https to http.
        /// What browsers do of themselves.
        StrictOriginWhenCrossOrigin = "strict-origin-when-cross-origin",
        /// The whole URL to everybody.
        UnsafeUrl = "unsafe-url",
    }
}

words! {
    /// `Cross-Origin-Opener-Policy`: which windows share a browsing context group.
    ///
    /// ```
    /// use buttress_headers::{Coop, SecurityHeadersLayer};
    ///
    /// let layer = SecurityHeadersLayer::web().coop(Coop::SameOriginAllowPopups);
    /// ```
    Coop {
        /// Only those of the same origin with the same policy.
        SameOrigin = "same-origin",
        /// As `SameOrigin`, but pop-ups that the page opens keep their opener: for sign-in and
        /// payment windows.
        SameOriginAllowPopups = "same-origin-allow-popups",
        /// Cut off from whoever opened it, be it of the same origin.
        NoopenerAllowPopups = "noopener-allow-popups",
        /// No isolation: the browser's default.
        UnsafeNone = "unsafe-none",
    }
}

words! {
    /// `Cross-Origin-Embedder-Policy`: whether the page may embed what did not opt in.
    ///
    /// ```
    /// use buttress_headers::{Coep, SecurityHeadersLayer};
    ///
    /// let layer = SecurityHeadersLayer::web().coep(Coep::Credentialless);
    /// ```
    Coep {
        /// Only what allows it by CORS or `Cross-Origin-Resource-Policy`.
        RequireCorp = "require-corp",
        /// As `RequireCorp`, but what others serve without credentials is taken too.
        Credentialless = "credentialless",
        /// Everything: the browser's default.
        UnsafeNone = "unsafe-none",
    }
}

words! {
    /// `Cross-Origin-Resource-Policy`: who may embed this answer without CORS.
    ///
    /// ```
    /// use buttress_headers::{Corp, SecurityHeadersLayer};
    ///
    /// let layer = SecurityHeadersLayer::web().corp(Corp::CrossOrigin);
    /// ```
    Corp {
        /// Pages of the same origin.
        SameOrigin = "same-origin",
        /// Pages of the same site.
        SameSite = "same-site",
        /// Everybody: for a CDN, fonts, embeddable images.
        CrossOrigin = "cross-origin",
    }
}
