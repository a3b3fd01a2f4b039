//! A network of addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::error::ConfigError;

/// The bits of an IPv6 address before the IPv4 address in it, mapped or NAT64.
const EMBEDDING: u8 = 96;

/// A network: an address and how many of its leading bits count (RFC 4632 §3.1, RFC 4291 §2.3).
///
/// The text form is `10.0.0.0/8` or `2001:db8::/32`; an address alone is the network of just
/// that one. Spaces around it are no harm. IPv4 inside IPv6 becomes plain IPv4, as it does in what
/// is looked up: an IPv6 network that is wider than the 96 bits before such an address never
/// [contains](Self::contains) an IPv4 address. What counts as IPv4 inside IPv6 is said in the
/// [module](super).
///
/// ```
/// use buttress_core::client_ip::Cidr;
///
/// let cidr: Cidr = "192.0.2.0/24".parse()?;
/// assert!(cidr.contains("192.0.2.77".parse()?));
/// assert!(cidr.contains("::ffff:192.0.2.77".parse()?));
/// assert!(!cidr.contains("192.0.3.1".parse()?));
///
/// assert_eq!("192.0.2.1".parse::<Cidr>()?.to_string(), "192.0.2.1/32");
/// assert_eq!("::ffff:192.0.2.0/120".parse::<Cidr>()?, cidr);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    // Un-mapped, and zero beyond the prefix.
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// The network of which `network` is the first address and `prefix` the leading bits: 0 to 32
    /// for IPv4, 0 to 128 for IPv6, 96 to 128 for IPv4 inside IPv6.
    ///
    /// ```
    /// use buttress_core::client_ip::Cidr;
    /// use std::net::Ipv4Addr;
    ///
    /// let cidr = Cidr::new(Ipv4Addr::new(10, 0, 0, 0), 8)?;
    /// assert_eq!(cidr.to_string(), "10.0.0.0/8");
    ///
    /// let error = Cidr::new(Ipv4Addr::new(10, 1, 2, 3), 8).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#""10.1.2.3/8": bits beyond the prefix are set; write "10.0.0.0/8" for the network, or "10.1.2.3" for the one address"#
    /// );
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When the prefix is out of that range, or bits beyond it are set: it is then not clear
    /// whether the network or the one address was meant.
    pub fn new(network: impl Into<IpAddr>, prefix: u8) -> Result<Self, ConfigError> {
        let written = network.into();
        let text = || format!("{written}/{prefix}");
        let network = unmap(written);
        let (prefix, bits) = match (written, network) {
            (IpAddr::V6(_), IpAddr::V4(v4)) => match prefix.checked_sub(EMBEDDING) {
                Some(prefix @ 0..=32) => (prefix, 32),
                _ => return Err(ConfigError::embedded_prefix(&text(), v4)),
            },
            (_, IpAddr::V4(_)) => (prefix, 32),
            (_, IpAddr::V6(_)) => (prefix, 128),
        };
        if prefix > bits {
            return Err(ConfigError::prefix(&text(), network));
        }
        let first = first(network, prefix);
        if first != network {
            return Err(ConfigError::host_bits(&text(), Self { network: first, prefix }, network));
        }
        Ok(Self { network, prefix })
    }

    /// The first address of the network.
    ///
    /// ```
    /// # use buttress_core::client_ip::Cidr;
    /// assert_eq!("10.0.0.0/8".parse::<Cidr>()?.network().to_string(), "10.0.0.0");
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn network(self) -> IpAddr {
        self.network
    }

    /// How many leading bits all its addresses share.
    ///
    /// ```
    /// # use buttress_core::client_ip::Cidr;
    /// assert_eq!("10.0.0.0/8".parse::<Cidr>()?.prefix(), 8);
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the address is of this network. IPv4 inside IPv6 is looked up as IPv4.
    ///
    /// ```
    /// # use buttress_core::client_ip::Cidr;
    /// let cidr: Cidr = "2001:db8::/32".parse()?;
    /// assert!(cidr.contains("2001:db8:cafe::17".parse()?));
    /// assert!(!cidr.contains("2001:db9::1".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn contains(self, ip: IpAddr) -> bool {
        let ip = unmap(ip);
        ip.is_ipv4() == self.network.is_ipv4() && first(ip, self.prefix) == self.network
    }
}

impl FromStr for Cidr {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| ConfigError::address(text))?;
        let prefix = match prefix {
            Some(prefix) => decimal(prefix).ok_or_else(|| ConfigError::prefix(text, network))?,
            None => return Ok(network.into()),
        };
        Self::new(network, prefix)
    }
}

impl TryFrom<&str> for Cidr {
    type Error = ConfigError;

    fn try_from(text: &str) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl TryFrom<&String> for Cidr {
    type Error = ConfigError;

    fn try_from(text: &String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl TryFrom<String> for Cidr {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl From<IpAddr> for Cidr {
    fn from(ip: IpAddr) -> Self {
        let network = unmap(ip);
        Self { network, prefix: if network.is_ipv4() { 32 } else { 128 } }
    }
}

impl From<Ipv4Addr> for Cidr {
    fn from(ip: Ipv4Addr) -> Self {
        IpAddr::V4(ip).into()
    }
}

impl From<Ipv6Addr> for Cidr {
    fn from(ip: Ipv6Addr) -> Self {
        IpAddr::V6(ip).into()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The IPv4 address that an IPv6 address stands for, or the address itself.
#[inline]
pub(super) fn unmap(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    // The IPv4 address is always the last 32 bits.
    let [.., a, b, c, d] = v6.octets();
    let v4 = Ipv4Addr::new(a, b, c, d);
    match v6.segments() {
        // Mapped (RFC 4291 §2.5.5.2).
        [0, 0, 0, 0, 0, 0xffff, ..] => v4.into(),
        // The well-known prefix of NAT64 (RFC 6052 §2.1). A translator drops it around an address
        // that is not global (§3.1): whoever shows up with one is no proxy of the inner network.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] if !is_internal(v4) => v4.into(),
        _ => ip,
    }
}

/// An address that networks use inside themselves, as proxies do, and that is not routed between
/// them (RFC 1918, 1122 §3.2.1.3, 3927, 6598).
fn is_internal(ip: Ipv4Addr) -> bool {
    let is_shared = matches!(ip.octets(), [100, 64..=127, ..]);
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared
}

/// The first address of the network of `ip` with this prefix.
fn first(ip: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => {
            let rest = u32::MAX.checked_shr(prefix).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & !rest).into()
        }
        IpAddr::V6(ip) => {
            let rest = u128::MAX.checked_shr(prefix).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & !rest).into()
        }
    }
}

/// A number from 0 to 255 as it is written by hand: no sign, no leading zero.
fn decimal(text: &str) -> Option<u8> {
    let plain = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain)
}
