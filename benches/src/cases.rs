//! The cases.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
};

use axum::extract::ConnectInfo;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, HOST, USER_AGENT,
    },
};

use crate::{
    Case, Side,
    case::bare,
    drive::{Answer, Bare, Nothing, repeat, serve},
};

mod breaker;
mod config;
mod context;
mod event;
mod headers;
mod health;
mod limit;
mod log;
mod metrics;
mod pool;
mod problem;
mod redact;
mod reject;
mod request_id;
mod retry;
mod sanitize;
mod seal;
mod stack;
mod trace;

/// All cases whose name contains each of the words, in the order of the table.
pub fn cases<W: AsRef<str>>(words: &[W]) -> Vec<Case> {
    let all = [
        scale(),
        request_id::cases(),
        headers::cases(),
        stack::cases(),
        context::cases(),
        reject::cases(),
        problem::cases(),
        redact::cases(),
        metrics::cases(),
        trace::cases(),
        log::cases(),
        limit::cases(),
        breaker::cases(),
        retry::cases(),
        health::cases(),
        seal::cases(),
        sanitize::cases(),
        config::cases(),
        pool::cases(),
    ];
    let chosen = |case: &Case| words.iter().all(|word| case.name.contains(word.as_ref()));
    all.into_iter().flatten().filter(chosen).collect()
}

/// The bare service itself, for scale: nothing is taken off, and it has no peer.
fn scale() -> Vec<Case> {
    Headers::BOTH
        .map(|headers| {
            Case::new(format!("bare service, {headers}"), nothing(), move || {
                Ok(serve(Bare(Answer::Empty), headers.request()))
            })
        })
        .into()
}

/// The bare side of what is no service.
fn nothing() -> Side {
    bare("nothing", || Ok(repeat(|| ())))
}

/// How many headers a request has.
#[derive(Clone, Copy, Debug)]
enum Headers {
    None,
    Eight,
}

impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no headers",
            Self::Eight => "8 headers",
        })
    }
}

impl Headers {
    const BOTH: [Self; 2] = [Self::None, Self::Eight];

    fn request(self) -> Request<Nothing> {
        let mut request = Request::new(Nothing::new());
        *request.uri_mut() = Uri::from_static("/users/42");
        if matches!(self, Self::Eight) {
            *request.headers_mut() = eight();
        }
        request
    }

    /// The same with the peer's address, as axum's server leaves it.
    fn request_from_peer(self) -> Request<Nothing> {
        let mut request = self.request();
        let peer = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 40_001));
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    }

    /// The bare service, asked with such a request.
    fn bare(self) -> Side {
        let name = match self {
            Self::None => "a request",
            Self::Eight => "a request with 8 headers",
        };
        bare(name, move || Ok(serve(Bare(Answer::Empty), self.request())))
    }
}

/// What a client of an API sends.
fn eight() -> HeaderMap {
    let traceparent = HeaderName::from_static("traceparent");
    let headers = [
        (HOST, "api.example.com"),
        (USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        (ACCEPT, "application/json"),
        (ACCEPT_LANGUAGE, "en-GB,en;q=0.5"),
        (ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
        (AUTHORIZATION, "Bearer 4f7c2f0d9a1e4b0c8d3e5f6a7b8c9d0e"),
        (CACHE_CONTROL, "no-cache"),
        (traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect()
}
