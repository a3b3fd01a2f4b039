//! A client for one probe.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use crate::url::{STATUS_LINE, Url, status};

/// What a container's health check is given as a rule.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks a probe and blocks until its answer, for 3 s at most beyond the look-up of a name: for a
/// container's `HEALTHCHECK` where there is no curl. The service's own binary asks itself:
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
    let url = Url::parse(url)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no http:// URL"))?;
    let deadline = Instant::now() + PATIENCE;
    let addresses = (url.host.as_str(), url.port).to_socket_addrs()?;
    let mut stream = connect(addresses, deadline)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(url.request.as_bytes())?;
    let mut line = [0; STATUS_LINE];
    let mut rest = line.as_mut_slice();
    while !rest.is_empty() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(rest)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest = rest.get_mut(read..).unwrap_or_default();
    }
    match status(&line) {
        Some(200) => Ok(()),
        Some(status) => Err(io::Error::other(format!("not healthy: {status}"))),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The first address that takes the connection: `localhost` is often `::1` first, and the server
/// on `127.0.0.1` alone.
fn connect(
    addresses: impl Iterator<Item = SocketAddr>,
    deadline: Instant,
) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_that_refuses_is_not_the_last_word() {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = free().local_addr().unwrap();
        let open = free();
        let both = [closed, open.local_addr().unwrap()].into_iter();
        let deadline = Instant::now() + PATIENCE;
        assert!(connect(both, deadline).is_ok());
        let error = connect([closed].into_iter(), deadline).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect([].into_iter(), deadline).is_err());
    }
}
