//! What can be wrong with a list of trusted proxies.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use super::cidr::Cidr;

/// Why a network, or a list of trusted proxies, was refused. Its text says what to write instead.
///
/// ```
/// use buttress_core::client_ip::{Cidr, ConfigErrorKind};
///
/// let error = "10.0.0.0/33".parse::<Cidr>().unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Prefix);
/// assert_eq!(
///     error.to_string(),
///     r#""10.0.0.0/33": the prefix of an IPv4 network must be 0 to 32"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
}

/// The kinds of [`ConfigError`].
///
/// ```
/// use buttress_core::client_ip::{ClientIp, ConfigErrorKind};
///
/// let error = ClientIp::behind(["0.0.0.0/0"]).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Everyone);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// What stands before the `/` is not an IP address.
    Address,
    /// The prefix is no number, or more than the address has bits.
    Prefix,
    /// Bits beyond the prefix are set: it is not clear which network was meant.
    HostBits,
    /// A network of length 0 would trust everyone.
    Everyone,
    /// The list of proxies is empty.
    Empty,
}

impl ConfigError {
    /// What kind of mistake it is, for a program.
    #[must_use]
    pub const fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    pub(super) fn address(text: &str) -> Self {
        Self {
            kind: ConfigErrorKind::Address,
            message: format!(
                "{text:?}: not an IP address or network, such as \"192.0.2.1\" or \"10.0.0.0/8\""
            ),
        }
    }

    pub(super) fn prefix(text: &str, network: IpAddr) -> Self {
        let (family, bits) = if network.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
        Self {
            kind: ConfigErrorKind::Prefix,
            message: format!("{text:?}: the prefix of an {family} network must be 0 to {bits}"),
        }
    }

    pub(super) fn embedded_prefix(text: &str, v4: Ipv4Addr) -> Self {
        Self {
            kind: ConfigErrorKind::Prefix,
            message: format!(
                "{text:?}: the prefix of an IPv4 network inside IPv6 must be 96 to 128; \
                 simpler is \"{v4}\" with a prefix of 0 to 32"
            ),
        }
    }

    pub(super) fn host_bits(text: &str, meant: Cidr, address: IpAddr) -> Self {
        Self {
            kind: ConfigErrorKind::HostBits,
            message: format!(
                "{text:?}: bits beyond the prefix are set; \
                 write \"{meant}\" for the network, or \"{address}\" for the one address"
            ),
        }
    }

    pub(super) fn everyone(cidr: Cidr) -> Self {
        Self {
            kind: ConfigErrorKind::Everyone,
            message: format!(
                "\"{cidr}\": trusts everyone, so that each client may choose its own address; \
                 write the networks that your proxies connect from, such as \"10.0.0.0/8\""
            ),
        }
    }

    pub(super) fn empty() -> Self {
        Self {
            kind: ConfigErrorKind::Empty,
            message: String::from(
                "no trusted proxy is named; where there is none, use ClientIp::peer()",
            ),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}

/// An address that needs no parsing cannot be refused: it lets
/// [`ClientIp::behind`](super::ClientIp::behind) take both.
impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
