//! Who called, also from behind proxies.
//!
//! A limit that counts by client, a log line and a problem report must agree on the address, so it
//! is worked out here alone. Behind a proxy the connection is the proxy's, and the client is named
//! in a header that anyone can send. [`ClientIp`] believes it only as far as your own proxies
//! wrote it:
//!
//! * The header is read only when the connection comes from a proxy that you named.
//! * Each proxy appends the address that connected to it, so the list is walked from its right end.
//!   The first address that is no proxy of yours is the client; whatever stands left of it was
//!   there when the request arrived, and is the client's own invention.
//! * Several lines of the header are one list (RFC 9110 §5.3), the last line its right end.
//! * What cannot be read as an address ends the walk, and the last good one stands: also `unknown`
//!   and `_hidden` (RFC 7239 §6), an empty entry, an address with a zone. At most [`MAX_HOPS`]
//!   entries are read.
//! * An IPv4 address inside IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2; `64:ff9b::192.0.2.1`,
//!   RFC 6052 §2.1) counts as the IPv4 address, wherever it stands: the same client has one
//!   address whichever way it came. A translator never sends a private one as `64:ff9b::10.0.0.1`
//!   (RFC 6052 §3.1), so that is no proxy in `10.0.0.0/8`; it stays what it is.
//!
//! ```
//! use buttress_core::client_ip::{ClientIp, Peer};
//! use http::Request;
//!
//! let client_ip = ClientIp::behind(["10.0.0.0/8"])?;
//!
//! let request = Request::get("/")
//!     .header("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.2")
//!     .extension(Peer("10.0.0.1".parse()?))
//!     .body(())?;
//! // 10.0.0.2 is a proxy and says that 198.51.100.7 connected to it. That it came with
//! // "203.0.113.9" is its own word.
//! assert_eq!(client_ip.of(&request), Some("198.51.100.7".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, header::FORWARDED};

pub use self::{
    cidr::Cidr,
    error::{ConfigError, ConfigErrorKind},
};

mod cidr;
mod error;
mod hops;

/// The header that most proxies write: addresses, parted by commas.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many entries of the header are read, counted from the right.
///
/// A chain of one's own proxies is a few hops long; a longer list is somebody's attempt to keep
/// the service busy.
pub const MAX_HOPS: usize = 32;

/// The address at the other end of the connection, in the extensions of its requests.
///
/// The server puts it there, or a layer next to the server: it alone sees the socket.
///
/// ```
/// use buttress_core::client_ip::{ClientIp, Peer};
/// use http::Request;
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// // What `TcpListener::accept` gives.
/// let accepted = SocketAddr::from(([192, 0, 2, 1], 50_123));
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(Peer::from(accepted));
/// assert_eq!(ClientIp::peer().of(&request), Some(Ipv4Addr::new(192, 0, 2, 1).into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

impl From<IpAddr> for Peer {
    fn from(ip: IpAddr) -> Self {
        Self(ip)
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self(address.ip())
    }
}

/// How to tell the client's address; see the [module](self) for the rules.
///
/// There is no default: which proxies to believe must be said. To believe too many lets clients
/// choose their own address, and to believe too few makes one client of all that come through a
/// proxy.
///
/// A clone is cheap, and finding an address allocates nothing. `Display` says in one line what is
/// in force.
///
/// ```
/// use buttress_core::client_ip::{ClientIp, X_FORWARDED_FOR};
/// use http::{HeaderMap, HeaderValue};
/// use std::net::IpAddr;
///
/// let client_ip = ClientIp::behind(["10.0.0.0/8"])?;
/// let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
///
/// let mut headers = HeaderMap::new();
/// headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.7"));
/// assert_eq!(client_ip.resolve(proxy, &headers), IpAddr::from([198, 51, 100, 7]));
/// assert_eq!(client_ip.resolve(stranger, &headers), stranger);
/// # Ok::<(), buttress_core::client_ip::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientIp {
    peer: fn(&Extensions) -> Option<IpAddr>,
    header: HeaderName,
    // `None` trusts nobody; it is there to make `peer` a `const fn`.
    proxies: Option<Arc<[Cidr]>>,
}

impl ClientIp {
    /// The client is who connected; no header is read. For a service without a proxy before it.
    ///
    /// ```
    /// use buttress_core::client_ip::{ClientIp, Peer};
    /// use http::Request;
    ///
    /// static CLIENT_IP: ClientIp = ClientIp::peer();
    ///
    /// let request = Request::get("/")
    ///     .header("x-forwarded-for", "203.0.113.9")
    ///     .extension(Peer("192.0.2.1".parse()?))
    ///     .body(())?;
    /// assert_eq!(CLIENT_IP.of(&request), Some("192.0.2.1".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn peer() -> Self {
        Self { peer: from_peer, header: X_FORWARDED_FOR, proxies: None }
    }

    /// The client is whom these proxies name in [`X_FORWARDED_FOR`].
    ///
    /// A proxy is a [`Cidr`] or what can become one: a network or a single address, as text or as
    /// a typed address. Name every proxy of the chain, and no network in which clients live.
    ///
    /// ```
    /// use buttress_core::client_ip::ClientIp;
    ///
    /// let client_ip = ClientIp::behind(["10.0.0.0/8", "2001:db8::1"])?;
    /// assert_eq!(client_ip.to_string(), "x-forwarded-for behind 10.0.0.0/8, 2001:db8::1/128");
    ///
    /// // From a configuration's one line:
    /// let client_ip = ClientIp::behind("10.0.0.0/8, 192.0.2.1".split(','))?;
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When the list is empty ([`peer`](Self::peer) is what that means), when one of it is no
    /// network, or a network of length 0: that would believe everyone.
    pub fn behind<I>(proxies: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: TryInto<Cidr, Error: Into<ConfigError>>>,
    {
        let proxies = proxies
            .into_iter()
            .map(|proxy| {
                let proxy = proxy.try_into().map_err(Into::into)?;
                if proxy.prefix() == 0 { Err(ConfigError::everyone(proxy)) } else { Ok(proxy) }
            })
            .collect::<Result<Arc<[Cidr]>, ConfigError>>()?;
        if proxies.is_empty() {
            return Err(ConfigError::empty());
        }
        Ok(Self { proxies: Some(proxies), ..Self::peer() })
    }

    /// Reads this header, and no other, in place of [`X_FORWARDED_FOR`].
    ///
    /// [`FORWARDED`] is read as RFC 7239 has it; any other as addresses parted by commas, of which
    /// one alone is a case (`x-real-ip`, `cf-connecting-ip`). Take the header that your proxies
    /// set or append to on every request: one that they pass through untouched is the client's.
    /// It has no meaning after [`peer`](Self::peer).
    ///
    /// ```
    /// use buttress_core::client_ip::ClientIp;
    /// use http::{HeaderMap, HeaderValue, header::FORWARDED};
    /// use std::net::IpAddr;
    ///
    /// let client_ip = ClientIp::behind(["10.0.0.0/8"])?.header(FORWARDED);
    ///
    /// let mut headers = HeaderMap::new();
    /// let line = r#"for="[2001:db8:cafe::17]:4711";proto=https, for=10.0.0.2"#;
    /// headers.insert(FORWARDED, HeaderValue::from_static(line));
    /// let client = client_ip.resolve(IpAddr::from([10, 0, 0, 1]), &headers);
    /// assert_eq!(client.to_string(), "2001:db8:cafe::17");
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    pub fn header(mut self, header: HeaderName) -> Self {
        self.header = header;
        self
    }

    /// Finds the peer's address by `peer`, in place of the [`Peer`] extension.
    ///
    /// ```
    /// use axum::extract::ConnectInfo;
    /// use buttress_core::client_ip::ClientIp;
    /// use std::net::SocketAddr;
    ///
    /// // What `into_make_service_with_connect_info::<SocketAddr>()` leaves.
    /// let client_ip = ClientIp::peer().peer_from(|extensions| {
    ///     extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
    /// });
    /// ```
    ///
    /// A Unix socket's peer has no address. Where only your proxy can open it, give it one, and
    /// trust that:
    ///
    /// ```
    /// use buttress_core::client_ip::ClientIp;
    /// use std::net::{IpAddr, Ipv4Addr};
    ///
    /// let client_ip = ClientIp::behind([IpAddr::V4(Ipv4Addr::LOCALHOST)])?
    ///     .peer_from(|_| Some(Ipv4Addr::LOCALHOST.into()));
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    pub fn peer_from(mut self, peer: fn(&Extensions) -> Option<IpAddr>) -> Self {
        self.peer = peer;
        self
    }

    /// The client of this request, or `None` when nobody said who the peer is.
    #[must_use]
    pub fn of<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let peer = (self.peer)(request.extensions())?;
        Some(self.resolve(peer, request.headers()))
    }

    /// The client of a request with these headers that came from this peer.
    ///
    /// The answer is the peer or an address out of the header, IPv4 where it is an IPv4 address
    /// inside IPv6. It takes time linear in the header's length.
    #[inline]
    #[must_use]
    pub fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = cidr::unmap(peer);
        if !self.is_proxy(peer) {
            return peer;
        }
        self.resolve_behind(peer, headers)
    }

    /// Whether the peer is one of the trusted proxies, so that what it says in other headers, a
    /// request id say, may be believed too.
    ///
    /// ```
    /// use buttress_core::client_ip::{ClientIp, Peer};
    /// use http::Extensions;
    ///
    /// let client_ip = ClientIp::behind(["10.0.0.0/8"])?;
    ///
    /// let mut extensions = Extensions::new();
    /// assert!(!client_ip.trusts(&extensions));
    /// extensions.insert(Peer("10.0.0.1".parse()?));
    /// assert!(client_ip.trusts(&extensions));
    /// assert!(!ClientIp::peer().trusts(&extensions));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn trusts(&self, extensions: &Extensions) -> bool {
        (self.peer)(extensions).is_some_and(|peer| self.is_proxy(peer))
    }

    /// The proxies that are trusted: none after [`peer`](Self::peer).
    ///
    /// ```
    /// use buttress_core::client_ip::ClientIp;
    ///
    /// assert_eq!(ClientIp::behind(["10.0.0.0/8"])?.proxies(), ["10.0.0.0/8".parse()?]);
    /// assert!(ClientIp::peer().proxies().is_empty());
    /// # Ok::<(), buttress_core::client_ip::ConfigError>(())
    /// ```
    #[must_use]
    pub fn proxies(&self) -> &[Cidr] {
        self.proxies.as_deref().unwrap_or_default()
    }

    fn resolve_behind(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(&self.header).iter().rev().map(HeaderValue::as_bytes);
        if self.header == FORWARDED {
            self.walk(proxy, lines.flat_map(hops::forwarded))
        } else {
            self.walk(proxy, lines.flat_map(hops::listed))
        }
    }

    /// From hop to hop, nearest first, for as long as the one who tells is trusted.
    fn walk(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops.take(MAX_HOPS) {
            let Some(hop) = hop else { break };
            client = hop;
            if !self.is_proxy(hop) {
                break;
            }
        }
        client
    }

    #[inline]
    fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies().iter().any(|proxy| proxy.contains(ip))
    }
}

impl fmt::Debug for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIp")
            .field("peer", &format_args!("<fn>"))
            .field("header", &self.header)
            .field("proxies", &self.proxies())
            .finish()
    }
}

impl fmt::Display for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(proxies) = &self.proxies else {
            return f.write_str("the peer");
        };
        write!(f, "{} behind", self.header)?;
        for (i, proxy) in proxies.iter().enumerate() {
            write!(f, "{} {proxy}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

fn from_peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.0)
}
