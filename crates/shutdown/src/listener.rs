//! A listener whose connections are counted, and which is closed in time.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use buttress_core::lifecycle::Reached;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep},
};

use crate::{connection::Connection, error::ConfigError, plan::in_range, shutdown::Shutdown};

/// Where the process is out of file descriptors, another try at once would find none either.
const BREATH: Duration = Duration::from_millis(100);

/// As long as hyper gives a request's head, where it has a timer (hyper 1, `header_read_timeout`).
const FIRST_BYTE: Duration = Duration::from_secs(30);

/// A [`TcpListener`] that stops listening when nothing more is accepted, and hands out
/// [`Connection`]s. Made by [`Shutdown::listener`].
///
/// With the feature `axum` it goes into `axum::serve`, with `tonic` into `serve_with_incoming`.
/// For `ConnectInfo` under axum, serve `listener.tap_io(|_| {})`. With hyper it is an accept loop:
///
/// ```no_run
/// use buttress_shutdown::Shutdown;
/// use hyper_util::{
///     rt::{TokioExecutor, TokioIo},
///     server::{conn::auto, graceful::GracefulShutdown},
/// };
/// # use http::{Request, Response};
/// # async fn hello(_: Request<hyper::body::Incoming>) -> Result<Response<String>, std::io::Error> {
/// #     Ok(Response::new("hello".to_owned()))
/// # }
///
/// async fn serve(shutdown: &Shutdown, tcp: tokio::net::TcpListener) {
///     let mut listener = shutdown.listener(tcp);
///     let graceful = GracefulShutdown::new();
///     while let Some((io, _peer)) = listener.accept().await {
///         let server = auto::Builder::new(TokioExecutor::new());
///         let service = hyper::service::service_fn(hello);
///         let connection = server.serve_connection(TokioIo::new(io), service).into_owned();
///         tokio::spawn(graceful.watch(connection));
///     }
///     shutdown.serve(graceful.shutdown()).await;
/// }
/// ```
pub struct Listener {
    // None once it is closed: then a new connection is refused, and does not wait in a backlog
    // that nobody reads.
    tcp: Option<TcpListener>,
    closing: Reached,
    breath: Option<Pin<Box<Sleep>>>,
    first_byte: Duration,
    shutdown: Shutdown,
}

impl Listener {
    pub(crate) fn new(tcp: TcpListener, closing: Reached, shutdown: Shutdown) -> Self {
        Self { tcp: Some(tcp), closing, breath: None, first_byte: FIRST_BYTE, shutdown }
    }

    /// How long a client may be connected before its first byte comes: 30 s, or this, which is
    /// more than zero and at most a day. Then the connection is closed: a read of it fails with
    /// [`TimedOut`](io::ErrorKind::TimedOut). After the first byte nothing is bounded here;
    /// that is the server's, with a timer and hyper's `header_read_timeout`.
    ///
    /// Servers that speak both HTTP/1 and HTTP/2 wait for that byte without any limit, to know
    /// which it will be (hyper-util 0.1, `auto::Builder`; axum's and tonic's are built upon it).
    ///
    /// # Errors
    /// When the time is out of its range.
    pub fn first_byte(self, time: Duration) -> Result<Self, ConfigError> {
        in_range("a time for the first byte", time, false)?;
        Ok(Self { first_byte: time, ..self })
    }

    /// The next connection, or `None` once nothing more is accepted. An error of the listener is
    /// no end: it is logged, and tried again a little later. May be dropped at any time.
    pub async fn accept(&mut self) -> Option<(Connection<TcpStream>, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Connection<TcpStream>, SocketAddr)>> {
        if self.tcp.is_some() && Pin::new(&mut self.closing).poll(cx).is_ready() {
            self.tcp = None;
        }
        let Some(tcp) = &self.tcp else { return Poll::Ready(None) };
        loop {
            if let Some(breath) = &mut self.breath {
                ready!(breath.as_mut().poll(cx));
                self.breath = None;
            }
            match ready!(tcp.poll_accept(cx)) {
                Ok((io, peer)) => {
                    let until = Instant::now() + self.first_byte;
                    let connection = self.shutdown.connection(io).first_byte_until(until);
                    return Poll::Ready(Some((connection, peer)));
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.breath = Some(Box::pin(sleep(BREATH)));
                }
            }
        }
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// When it is closed, and when the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.tcp {
            Some(tcp) => tcp.local_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// It left before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

#[cfg(feature = "axum")]
impl axum::serve::Listener for Listener {
    type Io = Connection<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match Self::accept(self).await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

#[cfg(feature = "tonic")]
impl futures_core::Stream for Listener {
    type Item = io::Result<Connection<TcpStream>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(|accepted| accepted.map(|(io, _)| Ok(io)))
    }
}
