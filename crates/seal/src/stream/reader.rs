//! Opening what is read.

use std::{
    borrow::Borrow,
    fmt,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use buttress_core::Secret;
use zeroize::Zeroizing;

use super::opener::Opener;
use crate::{
    chunked::{CHUNK, SEALED_CHUNK, TAG},
    context::Context,
    error::{SealError, SealErrorKind},
    ring::KeyRing,
};

/// Reads a sealed stream from `R`, and opens it.
///
/// It keeps one chunk of 16 KiB, and gives out nothing that is not authentic. What it has given
/// out before the end is the beginning of what was sealed; only its end (`Ok(0)`) says that this
/// was all. Key and context are checked before the first chunk. Once it has failed it keeps
/// failing; errors of `R` itself are passed on, and it may be read from again (after a seek that
/// `R` has failed, when another has succeeded).
///
/// The errors are [`io::Error`]s with a [`SealError`] inside.
///
/// # Ranges
/// Over a reader that can [`Seek`], it is one too, and opens the chunks that are read and no more.
/// Seeking to a place before the end opens nothing; seeking from the end, or beyond it, opens the
/// last chunk, and so makes sure of the length. `R` may stand anywhere at first: the stream begins
/// there, and ends where `R` does.
///
/// ```
/// # use std::io::{Cursor, Write};
/// use buttress_seal::{Key, KeyRing, SealReader, SealWriter, context};
///
/// # let ring = KeyRing::new(Key::generate()?);
/// # let mut writer = SealWriter::new(&ring, context!("videos", 7), Vec::new())?;
/// # writer.write_all(&[7; 100_000])?;
/// # let file = Cursor::new(writer.finish()?);
/// let mut reader = SealReader::new(&ring, context!("videos", 7), file);
/// let part = reader.read_range(50_000..50_100)?;
/// assert_eq!(part.expose().len(), 100);
/// assert_eq!(reader.chunks_opened(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SealReader<R> {
    pub(super) opener: Opener,
    pub(super) inner: R,
    /// How far behind the stream's beginning `inner` stands.
    pub(super) offset: u64,
    /// How far in the plain text the next byte is.
    pub(super) position: u64,
    /// Whether `inner` stands elsewhere, where a seek has left it half-way.
    is_lost: bool,
}

impl<R> SealReader<R> {
    /// A stream that was sealed for this place. Nothing is read yet.
    pub fn new(ring: &KeyRing, context: impl Borrow<Context>, inner: R) -> Self {
        let opener = Opener::new(ring, context.borrow().clone());
        Self { opener, inner, offset: 0, position: 0, is_lost: false }
    }

    /// Whether the next byte can be read.
    pub(super) fn check(&self) -> io::Result<()> {
        self.opener.check()?;
        if self.is_lost {
            return Err(io::Error::other("the seek before this has failed: seek again"));
        }
        Ok(())
    }

    /// How many chunks were opened so far.
    pub const fn chunks_opened(&self) -> u64 {
        self.opener.chunks_opened()
    }

    /// What is read from.
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// What is read from; it stands at the end of a chunk, if all that was opened was read.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Gives out what there is of the chunk that is open.
    pub(super) fn give(&mut self, out: &mut [u8]) -> usize {
        let length = self.opener.give(out);
        self.position += length as u64;
        length
    }

    /// So much of the chunk that is open was read.
    fn skip(&mut self, length: usize) {
        self.opener.read(length);
        self.position += length as u64;
    }

    /// What came from the inner reader: so many bytes, or its end.
    pub(super) fn came(&mut self, length: usize) -> Result<(), SealError> {
        self.offset += length as u64;
        if length == 0 { self.opener.end() } else { self.opener.fill(length) }
    }
}

impl<R: Read> SealReader<R> {
    /// Reads the head, so that a wrong key or context is seen at once and not with the first read.
    ///
    /// # Errors
    /// As [`KeyRing::open`], and those of `R`.
    pub fn read_head(&mut self) -> io::Result<()> {
        self.opener.check()?;
        while self.opener.head_len().is_none() {
            self.pull()?;
        }
        Ok(())
    }

    fn pull(&mut self) -> io::Result<()> {
        loop {
            match self.inner.read(self.opener.space()) {
                Ok(length) => return Ok(self.came(length)?),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> Read for SealReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        if out.is_empty() {
            return Ok(0);
        }
        while self.opener.plain().is_empty() && !self.opener.is_ended() {
            self.pull()?;
        }
        Ok(self.give(out))
    }
}

/// How the chunks of a stream lie, by its length alone.
struct Layout {
    /// The number of the last chunk.
    last: u64,
    /// All the plain text there is, if the last chunk is what it looks like.
    plain: u64,
}

impl Layout {
    fn of(chunks: u64) -> Option<Self> {
        let (sealed, tag) = (SEALED_CHUNK as u64, TAG as u64);
        let last = chunks / sealed;
        let rest = (chunks % sealed).checked_sub(tag)?;
        Some(Self { last, plain: last * CHUNK as u64 + rest })
    }
}

impl<R: Read + Seek> SealReader<R> {
    /// The length of the plain text. It opens the last chunk to be sure.
    ///
    /// # Errors
    /// Where the stream does not end as it was sealed; and those of `R`.
    pub fn length(&mut self) -> io::Result<u64> {
        let position = self.position;
        let length = self.seek(SeekFrom::End(0))?;
        self.seek(SeekFrom::Start(position))?;
        Ok(length)
    }

    /// A part of the plain text, as much of it as there is before the end. It opens the chunks
    /// that it touches, and the last one where it reaches beyond the end.
    ///
    /// # Errors
    /// Where one of these chunks is not authentic; and those of `R`.
    pub fn read_range(&mut self, range: Range<u64>) -> io::Result<Secret<Vec<u8>>> {
        let layout = self.layout()?;
        let start = self.seek(SeekFrom::Start(range.start))?;
        if range.end > layout.plain && start < layout.plain {
            self.seek(SeekFrom::End(0))?;
            self.seek(SeekFrom::Start(start))?;
        }
        let length = range.end.min(layout.plain).saturating_sub(start);
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // Of its full length from the start: a vector that grows leaves copies behind. But it is
        // touched only as far as there is something authentic to put there.
        let mut part = Zeroizing::new(Vec::new());
        part.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        while part.len() < length {
            let plain = self.opener.plain();
            let plain = plain.get(..length - part.len()).unwrap_or(plain);
            part.extend_from_slice(plain);
            match plain.len() {
                0 if self.opener.is_ended() => {
                    return Err(SealError::from(SealErrorKind::Truncated).into());
                }
                0 => self.pull()?,
                taken => self.skip(taken),
            }
        }
        Ok(Secret::new(std::mem::take(&mut *part)))
    }

    /// Where the chunks lie; `inner` stands somewhere else then.
    fn layout(&mut self) -> io::Result<Layout> {
        self.read_head()?;
        self.is_lost = true;
        let base = self.inner.stream_position()?.saturating_sub(self.offset);
        let end = self.inner.seek(SeekFrom::End(0))?.saturating_sub(base);
        self.offset = end;
        let chunks = end.saturating_sub(self.head_len());
        match Layout::of(chunks) {
            Some(layout) => Ok(layout),
            None => Err(self.opener.fail(SealErrorKind::Truncated).into()),
        }
    }

    fn head_len(&self) -> u64 {
        self.opener.head_len().unwrap_or_default() as u64
    }

    /// Stands where the next byte is this one. To know that it is at the end, it opens the last
    /// chunk.
    fn stand(&mut self, layout: &Layout, target: u64) -> io::Result<()> {
        if target >= layout.plain {
            self.open_last(layout)?;
            self.opener.jump_to_end()?;
        } else {
            let skip = usize::try_from(target % CHUNK as u64).unwrap_or_default();
            self.jump(target / CHUNK as u64, skip)?;
        }
        self.position = target;
        self.is_lost = false;
        Ok(())
    }

    fn open_last(&mut self, layout: &Layout) -> io::Result<()> {
        self.jump(layout.last, 0)?;
        while self.opener.plain().is_empty() && !self.opener.is_ended() {
            self.pull()?;
        }
        Ok(())
    }

    /// Stands before a chunk, with so much of it to be left out.
    fn jump(&mut self, number: u64, skip: usize) -> io::Result<()> {
        let offset = self.head_len() + number * SEALED_CHUNK as u64;
        let base = self.inner.stream_position()?.saturating_sub(self.offset);
        self.inner.seek(SeekFrom::Start(base + offset))?;
        self.offset = offset;
        Ok(self.opener.jump(number, skip)?)
    }
}

impl<R: Read + Seek> Seek for SealReader<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.opener.check()?;
        if matches!(to, SeekFrom::Current(0)) && !self.is_lost {
            return Ok(self.position);
        }
        let layout = self.layout()?;
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => layout.plain.checked_add_signed(by),
        };
        let Some(target) = target else {
            self.stand(&layout, self.position)?;
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"));
        };
        if matches!(to, SeekFrom::End(_)) && target < layout.plain {
            self.open_last(&layout)?;
        }
        self.stand(&layout, target)?;
        Ok(target)
    }
}

impl<R> fmt::Debug for SealReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealReader")
            .field("chunks_opened", &self.chunks_opened())
            .finish_non_exhaustive()
    }
}
