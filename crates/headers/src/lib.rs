#![doc = include_str!("../README.md")]

mod csp;
mod endpoint;
mod error;
mod future;
mod hsts;
mod layer;
mod names;
mod nonce;
mod permissions_policy;
mod policy;
mod presets;
#[cfg(feature = "report-collector")]
mod report;
mod route;
mod secure;
mod service;
mod values;

#[cfg(feature = "report-collector")]
pub use self::report::{ReportCollector, ReportFuture, ReportTotals, report_collector};
pub use self::{
    csp::{Csp, Source},
    error::{ConfigError, ConfigErrorKind},
    future::ResponseFuture,
    hsts::Hsts,
    layer::SecurityHeadersLayer,
    nonce::{CspNonce, NonceError},
    permissions_policy::PermissionsPolicy,
    policy::Mode,
    route::HeadersOverride,
    secure::SecureWhen,
    service::SecurityHeaders,
    values::{Coep, Coop, Corp, FrameOptions, ReferrerPolicy},
};
