//! The same over tokio.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    reader::SealReader,
    writer::{SealWriter, refuse_after_end},
};

impl<R: AsyncRead + Unpin> AsyncRead for SealReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.check()?;
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while this.opener.plain().is_empty() && !this.opener.is_ended() {
            let mut space = ReadBuf::new(this.opener.space());
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut space))?;
            let length = space.filled().len();
            this.came(length)?;
        }
        let length = this.give(out.initialize_unfilled());
        out.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> SealWriter<W> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealer.pending().is_empty() {
            let pending = self.sealer.pending();
            match ready!(Pin::new(&mut self.inner).poll_write(cx, pending))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => self.sealer.take(length),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for SealWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        refuse_after_end(&self.sealer)?;
        ready!(self.poll_drain(cx))?;
        Poll::Ready(Ok(self.sealer.absorb(plain)?))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Seals and writes the last chunk, and shuts down what is written to.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        self.sealer.finish()?;
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
