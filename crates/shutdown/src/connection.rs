//! A connection that is counted and can be closed.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use buttress_core::lifecycle::Reached;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

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
        // Until the peer has said something. Boxed, as servers ask for a stream that is `Unpin`.
        silence: Option<Pin<Box<Sleep>>>,
        shared: Arc<Shared>,
        counted: Counted,
    }
}

impl<T> Connection<T> {
    pub(crate) fn new(io: T, shared: Arc<Shared>) -> Self {
        Self {
            io,
            reader: Killed::new(&shared),
            writer: Killed::new(&shared),
            silence: None,
            counted: shared.connections.enter(),
            shared,
        }
    }

    /// To be heard of by then.
    pub(crate) fn first_byte_until(self, deadline: Instant) -> Self {
        Self { silence: Some(Box::pin(sleep_until(deadline))), ..self }
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

/// Wakes who has one half when the connection is to be closed.
struct Killed {
    wait: Reached,
    // Who is woken.
    waker: Option<Waker>,
}

impl Killed {
    fn new(shared: &Shared) -> Self {
        Self { wait: shared.killed.wait(), waker: None }
    }

    /// Fails once the time is over.
    ///
    /// Who polls is woken then, whatever comes of the poll: a server that has read all it wants,
    /// and waits for a handler that hangs, is not waiting for the stream.
    fn or<R>(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if shared.killed.is_set() {
            return Poll::Ready(Err(aborted()));
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            if Pin::new(&mut self.wait).poll(cx).is_ready() {
                return Poll::Ready(Err(aborted()));
            }
        }
        poll(cx)
    }
}

fn aborted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the service has shut down")
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer has connected and said nothing")
}

impl<T: AsyncRead> AsyncRead for Connection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (this, before) = (self.project(), buf.filled().len());
        let read = this.reader.or(this.shared, cx, |cx| this.io.poll_read(cx, buf));
        if let Some(silence) = this.silence {
            if buf.filled().len() > before {
                *this.silence = None;
            } else if read.is_pending() && silence.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(silent()));
            }
        }
        read
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
