//! A connection that is counted and can be closed.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{gauge::Counted, shutdown::Shared};

pin_project_lite::pin_project! {
    /// A stream that the shutdown waits for, and closes when its time is over: from then on every
    /// read and write fails with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted), and the
    /// task that has it is woken. Made by [`Shutdown::connection`](crate::Shutdown::connection).
    ///
    /// What is above it, be it HTTP/1, HTTP/2, a WebSocket, or a peer that never said a word,
    /// makes no difference.
    pub struct Connection<T> {
        #[pin]
        io: T,
        // Two, as two tasks may have the two halves of it, and both are to be woken.
        reader: Killed,
        writer: Killed,
        shared: Arc<Shared>,
        counted: Counted,
    }
}

impl<T> Connection<T> {
    pub(crate) fn new(io: T, shared: Arc<Shared>) -> Self {
        Self {
            io,
            reader: Killed::default(),
            writer: Killed::default(),
            counted: shared.connections.enter(),
            shared,
        }
    }

    /// The stream itself.
    #[must_use]
    pub const fn get_ref(&self) -> &T {
        &self.io
    }

    /// The stream itself.
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }
}

/// Wakes one half when the connection is to be closed. Made when that half first waits.
#[derive(Default)]
struct Killed(
    // Boxed, as servers ask for a stream that is `Unpin`.
    Option<Pin<Box<WaitForCancellationFutureOwned>>>,
);

impl Killed {
    /// Fails once the time is over; while the stream has nothing to do, that wakes it.
    fn or<R>(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if shared.is_killed() {
            return Poll::Ready(Err(aborted()));
        }
        if let Poll::Ready(done) = poll(cx) {
            return Poll::Ready(done);
        }
        // A child each: connections would contend for the one list of who waits.
        let killed =
            self.0.get_or_insert_with(|| Box::pin(shared.killed.child_token().cancelled_owned()));
        killed.as_mut().poll(cx).map(|()| Err(aborted()))
    }
}

fn aborted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the service has shut down")
}

impl<T: AsyncRead> AsyncRead for Connection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        this.reader.or(this.shared, cx, |cx| this.io.poll_read(cx, buf))
    }
}

impl<T: AsyncWrite> AsyncWrite for Connection<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.writer.or(this.shared, cx, |cx| this.io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.writer.or(this.shared, cx, |cx| this.io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        this.writer.or(this.shared, cx, |cx| this.io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        this.writer.or(this.shared, cx, |cx| this.io.poll_shutdown(cx))
    }
}

#[cfg(feature = "tonic")]
impl<T: tonic::transport::server::Connected> tonic::transport::server::Connected for Connection<T> {
    type ConnectInfo = T::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.io.connect_info()
    }
}

impl<T: fmt::Debug> fmt::Debug for Connection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("io", &self.io).finish_non_exhaustive()
    }
}
