//! What is answered, and where.

/// Something that [`HealthLayer`](crate::HealthLayer) answers.
///
/// | endpoint | paths | 200 |
/// |---|---|---|
/// | `Ping` | `/ping` | always; the body is `pong` |
/// | `Live` | `/live`, `/livez` | while every heartbeat goes on |
/// | `Startup` | `/startupz` | once the service has been up, for ever |
/// | `Ready` | `/ready`, `/readyz` | started, not draining, no critical check down |
/// | `Health` | `/health`, `/healthz` | no critical check down |
/// | `Status` | `/status` | as `Health`, with details, for those who may see them |
/// | `Metrics` | `/metrics` | always, for those who may see details; see [`HealthLayer::metrics`](crate::HealthLayer::metrics) |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The server answers.
    Ping,
    /// The process works, whatever it depends on.
    Live,
    /// The start is over.
    Startup,
    /// Requests may come.
    Ready,
    /// How the whole is.
    Health,
    /// All that is known, for those who may see it.
    Status,
    /// The numbers of whatever renderer was given, for those who may see details.
    Metrics,
}

pub(crate) const DEFAULT: [(&str, Endpoint); 10] = [
    ("/ping", Endpoint::Ping),
    ("/live", Endpoint::Live),
    ("/livez", Endpoint::Live),
    ("/startupz", Endpoint::Startup),
    ("/ready", Endpoint::Ready),
    ("/readyz", Endpoint::Ready),
    ("/health", Endpoint::Health),
    ("/healthz", Endpoint::Health),
    ("/status", Endpoint::Status),
    ("/metrics", Endpoint::Metrics),
];
