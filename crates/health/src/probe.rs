//! A client for one probe.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use http::Uri;

/// What a container's health check is given as a rule.
const PATIENCE: Duration = Duration::from_secs(3);
/// `HTTP/1.1 200`
const STATUS_LINE: usize = 12;

/// Asks a probe and blocks until its answer, for 3 s at most: for a container's `HEALTHCHECK`
/// where there is no curl. The service's own binary asks itself:
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     if std::env::args().nth(1).as_deref() == Some("probe") {
///         return buttress_health::probe("http://127.0.0.1:3000/readyz"); // an error exits with 1
///     }
///     // … serve
///     Ok(())
/// }
/// ```
///
/// # Errors
/// If the URL is no `http://` URL, nobody answers in time, or the answer is no 200.
pub fn probe(url: &str) -> io::Result<()> {
    let uri: Uri = url.parse().map_err(|_| invalid("no URL"))?;
    let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(invalid("no http:// URL"));
    };
    let deadline = Instant::now() + PATIENCE;
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    // The brackets of an IPv6 address belong to the URL.
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = (address, uri.port_u16().unwrap_or(80))
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| invalid("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::with_capacity(STATUS_LINE);
    let mut byte = [0];
    while line.len() < STATUS_LINE {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut byte)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => line.extend_from_slice(&byte),
        }
    }
    if line.starts_with(b"HTTP/1.") && line.ends_with(b" 200") {
        Ok(())
    } else {
        Err(io::Error::other("not healthy"))
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
