//! Whose ids are taken.

use std::fmt;

use buttress_core::{client_ip::ClientIp, context::RequestContext};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::id::{Escaped, is_valid};

/// Whose ids are taken. Whoever it is, only a valid one is ([`is_valid`]).
///
/// An id that a stranger chose cannot do harm by its characters, but it can repeat: whoever
/// searches the logs for it may find two requests. At the edge take only the proxy's own, or none.
///
/// ```
/// use buttress_core::client_ip::ClientIp;
/// use buttress_request_id::{Accept, RequestIdLayer};
///
/// // Where clients connect by themselves:
/// let edge = RequestIdLayer::new().accept(Accept::Never);
/// // Behind a proxy that gives ids:
/// let proxy = ClientIp::behind(["10.0.0.0/8"])?;
/// let inner = RequestIdLayer::new().accept(Accept::FromTrusted(proxy));
/// # assert!(inner.to_string().contains("10.0.0.0/8") && edge.to_string() != inner.to_string());
/// # Ok::<(), buttress_core::client_ip::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Accept {
    /// Nobody's: every request gets a new id.
    Never,
    /// Those of requests that come straight from a trusted proxy ([`ClientIp::trusts`]). After
    /// [`ClientIp::peer`], which trusts none, that is nobody's.
    FromTrusted(ClientIp),
    /// Everybody's.
    #[default]
    Valid,
}

/// What a request says in one header.
pub(crate) enum Inbound<'a> {
    Absent,
    Accepted(&'a HeaderValue),
    Refused(&'a HeaderValue, Refusal),
}

/// Why an id was refused, as it is logged.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    Untrusted,
    Repeated,
    Invalid,
}

impl Accept {
    pub(crate) fn trusts(&self, extensions: &Extensions) -> bool {
        match self {
            Self::Never => false,
            Self::FromTrusted(client_ip) => client_ip.trusts(extensions),
            Self::Valid => true,
        }
    }
}

impl<'a> Inbound<'a> {
    pub(crate) fn read(headers: &'a HeaderMap, name: &HeaderName, trusted: bool) -> Self {
        let mut lines = headers.get_all(name).iter();
        let Some(id) = lines.next() else {
            return Self::Absent;
        };
        // Two lines, and no way to tell which of them the next one would believe.
        if lines.next().is_some() {
            return Self::Refused(id, Refusal::Repeated);
        }
        if !trusted {
            return Self::Refused(id, Refusal::Untrusted);
        }
        if !is_valid(id.as_bytes()) {
            return Self::Refused(id, Refusal::Invalid);
        }
        Self::Accepted(id)
    }

    pub(crate) const fn accepted(self) -> Option<&'a HeaderValue> {
        match self {
            Self::Accepted(id) => Some(id),
            Self::Absent | Self::Refused(..) => None,
        }
    }

    /// Whether it is refused where `settled` is the request's id. That id itself is no stranger's:
    /// a layer of ours further out has put it there.
    pub(crate) fn refused_beside(&self, settled: &HeaderValue) -> bool {
        match self {
            Self::Refused(id, Refusal::Untrusted) => *id != settled,
            Self::Refused(..) => true,
            Self::Absent | Self::Accepted(_) => false,
        }
    }

    /// Says at debug level what was refused, in the request's context. Nothing is built where
    /// nobody listens.
    pub(crate) fn log_refusal(&self, name: &HeaderName, context: &RequestContext) {
        let Self::Refused(id, refusal) = self else { return };
        context.scope(|| {
            tracing::debug!(
                request_id_rejected = %Escaped(id.as_bytes()),
                header = %name,
                reason = refusal.as_str(),
                "request id refused",
            );
        });
    }
}

impl Refusal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Repeated => "repeated",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never accepted"),
            Self::FromTrusted(client_ip) => write!(f, "accepted from {:?}", client_ip.proxies()),
            Self::Valid => f.write_str("accepted if valid"),
        }
    }
}
