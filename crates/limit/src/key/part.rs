//! What of a request is in a key, and how it is written.

use std::{fmt, net::IpAddr, sync::Arc};

use buttress_core::{client_ip::ClientIp, context};
use http::{HeaderName, Request};

use super::{KeyHasher, Missing, RequestHead};

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) from: From,
    pub(super) missing: Missing,
}

#[derive(Clone)]
pub(super) enum From {
    ClientIp(ClientIp),
    Context,
    Header(HeaderName),
    Principal,
    Route,
    Nothing,
    Function(Arc<Function>),
}

pub(super) type Function = dyn Fn(&RequestHead<'_>, &mut KeyWriter<'_>) + Send + Sync;

/// Where a [key of one's own](crate::Key::from_fn) is written to.
#[derive(Debug)]
pub struct KeyWriter<'a> {
    bytes: &'a mut KeyHasher,
    written: bool,
}

impl KeyWriter<'_> {
    /// Adds a part. A key for which nothing is written is missing.
    pub fn write(&mut self, part: impl AsRef<[u8]>) {
        self.bytes.write(part.as_ref());
        self.written = true;
    }
}

pub(super) enum Written {
    /// Whether it is IPv6, so that the prefix matters.
    Address(bool),
    Other,
    Missing,
}

impl From {
    #[inline]
    pub(super) fn write<B>(
        &self,
        request: &Request<B>,
        prefix: u8,
        key: &mut KeyHasher,
    ) -> Written {
        let text = |text: Option<&[u8]>, key: &mut KeyHasher| match text {
            Some(text) => {
                key.write(text);
                Written::Other
            }
            None => Written::Missing,
        };
        match self {
            Self::ClientIp(rule) => write_address(rule.of(request), prefix, key),
            Self::Context => {
                let client = context::current().and_then(|context| context.client_ip());
                write_address(client, prefix, key)
            }
            Self::Header(name) => {
                // All its lines: whichever of them another layer reads, it is in the key.
                let lines = request.headers().get_all(name);
                let count = lines.iter().count();
                if count > 1 {
                    key.write_count(count);
                }
                lines.iter().for_each(|line| key.write(line.as_bytes()));
                if count > 0 { Written::Other } else { Written::Missing }
            }
            Self::Principal => {
                let context = context::current();
                let principal = context.as_ref().and_then(|context| context.principal());
                text(principal.map(str::as_bytes), key)
            }
            Self::Route => {
                let context = context::current();
                let route = context.as_ref().and_then(|context| context.route());
                text(route.map(str::as_bytes), key)
            }
            Self::Nothing => Written::Other,
            Self::Function(function) => {
                let mut writer = KeyWriter { bytes: key, written: false };
                function(&RequestHead::of(request), &mut writer);
                if !writer.written {
                    return Written::Missing;
                }
                key.write_end();
                Written::Other
            }
        }
    }
}

/// An IPv4 address in IPv6 is the IPv4 address: else all IPv4 clients of a dual-stack socket would
/// be one client of `::ffff:0:0/96` (CVE-2026-30827).
#[inline]
pub(super) fn write_address(client: Option<IpAddr>, prefix: u8, key: &mut KeyHasher) -> Written {
    match client.map(|client| client.to_canonical()) {
        Some(IpAddr::V4(v4)) => {
            key.write_word(v4.to_bits());
            Written::Address(false)
        }
        Some(IpAddr::V6(v6)) => {
            let host_bits = u128::BITS - u32::from(prefix).min(u128::BITS);
            let network = u128::MAX.checked_shl(host_bits).unwrap_or(0) & v6.to_bits();
            key.write_words(network);
            Written::Address(true)
        }
        None => Written::Missing,
    }
}

impl fmt::Debug for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientIp(rule) => write!(f, "client ip: {rule}"),
            Self::Context => f.write_str("client ip of the context"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Principal => f.write_str("principal"),
            Self::Route => f.write_str("route"),
            Self::Nothing => f.write_str("everyone"),
            Self::Function(_) => f.write_str("<fn>"),
        }
    }
}
