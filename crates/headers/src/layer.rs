//! The layer and its verbs.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE, DATE, REFERRER_POLICY, SET_COOKIE,
        STRICT_TRANSPORT_SECURITY, TRAILER, TRANSFER_ENCODING, UPGRADE, X_FRAME_OPTIONS,
    },
};
use tower_layer::Layer;

use crate::{
    csp::Csp,
    endpoint,
    error::{ConfigError, ConfigErrorKind as Kind},
    hsts::Hsts,
    names,
    permissions_policy::PermissionsPolicy,
    policy::{Mode, Policy},
    secure::SecureWhen,
    service::SecurityHeaders,
    values::{Coep, Coop, Corp, FrameOptions, ReferrerPolicy},
};

/// Puts security headers on every answer of a service.
///
/// Start from a preset and change it by verbs; each can be said again, and the last counts. What
/// cannot be right is refused here, when it is configured. A clone, and every service that it
/// makes, shares one compiled policy.
///
/// ```
/// use buttress_headers::{Csp, ReferrerPolicy, SecurityHeadersLayer};
/// use http::header::X_FRAME_OPTIONS;
///
/// let layer = SecurityHeadersLayer::web()
///     .csp(Csp::web().extend("img-src", ["https://images.example.com"]))?
///     .referrer_policy(ReferrerPolicy::NoReferrer)
///     .without(X_FRAME_OPTIONS);
/// assert!(layer.headers()["content-security-policy"].to_str().unwrap().contains("images"));
/// # Ok::<(), buttress_headers::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SecurityHeadersLayer {
    policy: Arc<Policy>,
}

impl SecurityHeadersLayer {
    /// Nothing: only what the verbs say.
    ///
    /// ```
    /// let layer = buttress_headers::SecurityHeadersLayer::none();
    /// assert!(layer.headers().is_empty());
    /// ```
    pub fn none() -> Self {
        Self { policy: Arc::default() }
    }

    /// The Content-Security-Policy that browsers enforce.
    ///
    /// # Errors
    /// When a browser would ignore a part of it, or read it as something else: see
    /// [`ConfigErrorKind`](crate::ConfigErrorKind).
    pub fn csp(self, csp: Csp) -> Result<Self, ConfigError> {
        csp.check()?;
        Ok(self.with(|policy| policy.csp = Some(csp)))
    }

    /// The Content-Security-Policy that browsers only report on. It is sent beside the enforced
    /// one: to try a stricter policy, without breaking a page. It wants a `report_to` or a
    /// `report_uri`, else nobody hears of it.
    ///
    /// # Errors
    /// As [`csp`](Self::csp).
    pub fn csp_report_only(self, csp: Csp) -> Result<Self, ConfigError> {
        csp.check()?;
        Ok(self.with(|policy| policy.csp_report_only = Some(csp)))
    }

    /// A named endpoint for reports (`Reporting-Endpoints`). [`Csp::report_to`] refers to it; the
    /// one named `default` gets the browser's other reports.
    ///
    /// # Errors
    /// When the name is not `[a-z*][a-z0-9_.*-]*` or is taken, or when the URL is neither `https`,
    /// nor `http` to a loopback host, nor a path.
    pub fn reporting_endpoint(self, name: &str, url: &str) -> Result<Self, ConfigError> {
        let present = self.policy.fixed.get(names::REPORTING_ENDPOINTS);
        let value = endpoint::added(present, name, url)?;
        Ok(self.set(names::REPORTING_ENDPOINTS, value))
    }

    /// `Strict-Transport-Security`.
    ///
    /// # Errors
    /// When it asks for `preload` without the sub-domains or with less than a year.
    pub fn hsts(self, hsts: Hsts) -> Result<Self, ConfigError> {
        let value = hsts.header_value()?;
        Ok(self.set(STRICT_TRANSPORT_SECURITY, value))
    }

    /// `X-Frame-Options`.
    pub fn frame_options(self, options: FrameOptions) -> Self {
        self.set(X_FRAME_OPTIONS, options.header_value())
    }

    /// `Referrer-Policy`.
    pub fn referrer_policy(self, policy: ReferrerPolicy) -> Self {
        self.set(REFERRER_POLICY, policy.header_value())
    }

    /// `Permissions-Policy`.
    ///
    /// # Errors
    /// When it names no feature, an unknown one or one twice, or what is no origin.
    #[expect(clippy::needless_pass_by_value, reason = "as the other verbs")]
    pub fn permissions_policy(self, policy: PermissionsPolicy) -> Result<Self, ConfigError> {
        let value = policy.header_value()?;
        Ok(self.set(names::PERMISSIONS_POLICY, value))
    }

    /// `Cross-Origin-Opener-Policy`.
    pub fn coop(self, policy: Coop) -> Self {
        self.set(names::CROSS_ORIGIN_OPENER_POLICY, policy.header_value())
    }

    /// `Cross-Origin-Embedder-Policy`. No preset but `owasp` sends it: it breaks every embedded
    /// resource that did not opt in.
    pub fn coep(self, policy: Coep) -> Self {
        self.set(names::CROSS_ORIGIN_EMBEDDER_POLICY, policy.header_value())
    }

    /// `Cross-Origin-Resource-Policy`.
    pub fn corp(self, policy: Corp) -> Self {
        self.set(names::CROSS_ORIGIN_RESOURCE_POLICY, policy.header_value())
    }

    /// Any other header that is the same on every answer, such as `X-Robots-Tag`.
    ///
    /// # Errors
    /// When the header's value is judged by a verb of its own, or when it describes the message or
    /// the connection (`Content-Length`, `Set-Cookie`, …).
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Result<Self, ConfigError> {
        let has_verb = [
            CONTENT_SECURITY_POLICY,
            CONTENT_SECURITY_POLICY_REPORT_ONLY,
            STRICT_TRANSPORT_SECURITY,
            names::PERMISSIONS_POLICY,
            names::REPORTING_ENDPOINTS,
        ];
        let of_message = [
            CONNECTION,
            CONTENT_ENCODING,
            CONTENT_LENGTH,
            CONTENT_TYPE,
            DATE,
            SET_COOKIE,
            TRAILER,
            TRANSFER_ENCODING,
            UPGRADE,
        ];
        if has_verb.contains(&name) {
            let message = format!("{name}: it has a verb of its own, which checks it");
            return Err(ConfigError::new(Kind::ForeignHeader, message));
        }
        if of_message.contains(&name) {
            let message = format!("{name}: it belongs to one message, not to a policy");
            return Err(ConfigError::new(Kind::ForeignHeader, message));
        }
        Ok(self.set(name, value))
    }

    /// No longer sets this header. It is not [`remove`](Self::remove)d from what the service
    /// answers.
    #[expect(clippy::needless_pass_by_value, reason = "as the other verbs")]
    pub fn without(self, name: HeaderName) -> Self {
        self.with(|policy| policy.unset(&name))
    }

    /// What happens to a header that the answer already has; [`Mode::IfAbsent`] of itself.
    pub fn mode(self, mode: Mode) -> Self {
        self.with(|policy| policy.mode = mode)
    }

    /// Takes these headers off every answer, in the place of the ones that were said before. It
    /// happens before the layer's own are set.
    ///
    /// ```
    /// use buttress_headers::SecurityHeadersLayer;
    /// use http::header::SERVER;
    ///
    /// let layer = SecurityHeadersLayer::none().remove([SERVER]);
    /// ```
    pub fn remove(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let names = names.into_iter().map(|name| (name, ())).collect();
        self.with(|policy| policy.remove = names)
    }

    /// When `Strict-Transport-Security` and `upgrade-insecure-requests` are sent;
    /// [`SecureWhen::always`] of itself.
    pub fn secure_when(self, when: SecureWhen) -> Self {
        self.with(|policy| policy.secure_when = when)
    }

    /// What an answer gets that has no header of its own, over https, when no nonce was asked for.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.policy.ready()
    }

    pub(crate) const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    fn set(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|policy| {
            policy.fixed.insert(name, value);
        })
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let policy = Arc::make_mut(&mut self.policy);
        change(policy);
        policy.compile();
        self
    }
}

impl<S> Layer<S> for SecurityHeadersLayer {
    type Service = SecurityHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SecurityHeaders::new(inner, Arc::clone(&self.policy))
    }
}
