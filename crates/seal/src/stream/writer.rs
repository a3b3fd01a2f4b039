//! Sealing what is written.

use std::{
    borrow::Borrow,
    fmt,
    io::{self, Write},
};

use super::sealer::Sealer;
use crate::{context::Context, error::SealError, ring::KeyRing};

/// Seals all that is written to it, and writes the sealed stream to `W`.
///
/// It keeps one chunk of 16 KiB, and writes it when it is full. The stream is whole only with
/// [`finish`](Self::finish) (tokio: `shutdown`): without it, whoever reads gets
/// [`Truncated`](crate::SealErrorKind::Truncated), which is what a writer that died half-way
/// should leave behind. `flush` writes what is sealed; it seals no chunk that is not full.
///
/// A stream has 16 bytes more for each 16 KiB begun, and up to 95 once.
///
/// After an error of `W` it may be written to again: nothing is sealed twice, and nothing lost.
///
/// ```
/// use std::io::{Read, Write};
///
/// use buttress_seal::{Key, KeyRing, SealReader, SealWriter, context};
///
/// let ring = KeyRing::new(Key::generate()?);
/// let mut writer = SealWriter::new(&ring, context!("backups", "2026-11-21"), Vec::new())?;
/// writer.write_all(b"all there is")?;
/// let sealed: Vec<u8> = writer.finish()?;
///
/// let mut text = String::new();
/// SealReader::new(&ring, context!("backups", "2026-11-21"), sealed.as_slice())
///     .read_to_string(&mut text)?;
/// assert_eq!(text, "all there is");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a stream is whole only when it is finished"]
pub struct SealWriter<W> {
    pub(super) sealer: Sealer,
    pub(super) inner: W,
}

impl<W> SealWriter<W> {
    /// A stream under the ring's primary key, bound to its place. Nothing is written yet.
    ///
    /// # Errors
    /// Where the operating system has no random bytes.
    pub fn new(ring: &KeyRing, context: impl Borrow<Context>, inner: W) -> Result<Self, SealError> {
        Ok(Self { sealer: Sealer::new(ring, context.borrow())?, inner })
    }

    /// What the sealed stream is written to.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }

    /// What the sealed stream is written to. Whatever is written to it directly is in the stream,
    /// and breaks it.
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }
}

impl<W: Write> SealWriter<W> {
    /// Seals and writes the last chunk, flushes, and gives back what was written to.
    ///
    /// # Errors
    /// Those of `W`; or [`TooLarge`](crate::SealErrorKind::TooLarge) after 4 PiB.
    pub fn finish(mut self) -> io::Result<W> {
        self.try_finish()?;
        Ok(self.inner)
    }

    /// As [`finish`](Self::finish), and may be called again after an error of `W`. What is written
    /// after it is refused.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn try_finish(&mut self) -> io::Result<()> {
        self.drain()?;
        self.sealer.finish()?;
        self.drain()?;
        self.inner.flush()
    }

    fn drain(&mut self) -> io::Result<()> {
        while !self.sealer.pending().is_empty() {
            match self.inner.write(self.sealer.pending()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.sealer.take(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        refuse_after_end(&self.sealer)?;
        self.drain()?;
        Ok(self.sealer.absorb(plain)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.inner.flush()
    }
}

pub(super) fn refuse_after_end(sealer: &Sealer) -> io::Result<()> {
    if sealer.is_finished() {
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the sealed stream is finished"));
    }
    Ok(())
}

impl<W> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").finish_non_exhaustive()
    }
}
