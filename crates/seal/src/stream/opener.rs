//! Opening a stream without doing any input or output.

use zeroize::Zeroize;

use crate::{
    chunked::{Cipher, HEADER, SEALED_CHUNK},
    context::{Context, Purpose, Scope},
    envelope::{BINARY_FIXED, BinaryHead, SUITE},
    error::{SealError, SealErrorKind},
    ring::KeyRing,
};

/// Sealed bytes go in at [`space`](Self::space), plain text comes out at [`plain`](Self::plain):
/// never a byte of a chunk that is not authentic. What has failed once fails for ever.
pub(crate) struct Opener {
    ring: KeyRing,
    context: Context,
    /// Of the head, once it is authentic, and how long the head was.
    message: Option<(Cipher, usize)>,
    /// The number of the chunk that is being filled.
    number: u64,
    /// How many bytes of the next chunk nobody wants.
    skip: usize,
    // Overwritten on drop.
    buffer: Vec<u8>,
    phase: Phase,
    chunks_opened: u64,
}

/// By hand: as the drop of a `Zeroizing` field it would be compiled by each user, in a debug build
/// without optimisation, at ten times the cost.
impl Drop for Opener {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

enum Phase {
    /// The head, or a chunk, of which `filled` bytes are there, and `wanted` make it whole.
    Filling {
        filled: usize,
        wanted: usize,
    },
    /// An open chunk of which nobody has read `start..end`.
    Open {
        start: usize,
        end: usize,
        is_last: bool,
    },
    Ended,
    Failed(SealError),
}

impl Opener {
    pub(crate) fn new(ring: &KeyRing, context: Context) -> Self {
        Self {
            ring: ring.clone(),
            context,
            message: None,
            number: 0,
            skip: 0,
            buffer: vec![0; SEALED_CHUNK],
            phase: Phase::Filling { filled: 0, wanted: BINARY_FIXED },
            chunks_opened: 0,
        }
    }

    /// The failure there has been.
    pub(crate) fn check(&self) -> Result<(), SealError> {
        match &self.phase {
            Phase::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Whether all was read and authentic.
    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// How long the head was, once it is known to be authentic.
    pub(crate) fn head_len(&self) -> Option<usize> {
        self.message.as_ref().map(|(_, length)| *length)
    }

    pub(crate) const fn chunks_opened(&self) -> u64 {
        self.chunks_opened
    }

    /// Where the next sealed bytes go. It is empty while there is plain text to read, and at the
    /// end.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        match self.phase {
            Phase::Filling { filled, wanted } => {
                self.buffer.get_mut(filled..wanted).unwrap_or_default()
            }
            _ => &mut [],
        }
    }

    /// So many bytes were put into the space.
    pub(crate) fn fill(&mut self, length: usize) -> Result<(), SealError> {
        self.check()?;
        if let Phase::Filling { filled, wanted } = &mut self.phase {
            *filled = (*filled + length).min(*wanted);
            if *filled == *wanted {
                let filled = *filled;
                return self.step(filled, false);
            }
        }
        Ok(())
    }

    /// No more bytes come.
    pub(crate) fn end(&mut self) -> Result<(), SealError> {
        self.check()?;
        match self.phase {
            Phase::Filling { filled, .. } => self.step(filled, true),
            _ => Ok(()),
        }
    }

    /// Plain text that nobody has read.
    pub(crate) fn plain(&self) -> &[u8] {
        match self.phase {
            Phase::Open { start, end, .. } => self.buffer.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// How many bytes are in it, sealed or not, that nobody has read.
    #[cfg(feature = "http-body")]
    pub(crate) fn held(&self) -> usize {
        match self.phase {
            Phase::Filling { filled, .. } => filled,
            Phase::Open { start, end, .. } => end.saturating_sub(start),
            Phase::Ended | Phase::Failed(_) => 0,
        }
    }

    /// Reads as much of the plain text as there is room for.
    pub(crate) fn give(&mut self, out: &mut [u8]) -> usize {
        let plain = self.plain();
        let length = plain.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..length), plain.get(..length)) {
            to.copy_from_slice(from);
        }
        self.read(length);
        length
    }

    /// So many bytes of the plain text were read.
    pub(crate) fn read(&mut self, length: usize) {
        if let Phase::Open { start, end, is_last } = &mut self.phase {
            *start += length;
            if *start >= *end {
                self.phase = if *is_last { Phase::Ended } else { Self::next_chunk() };
            }
        }
    }

    /// Goes on with another chunk, `skip` bytes into it. Only with an authentic head.
    pub(crate) fn jump(&mut self, number: u64, skip: usize) -> Result<(), SealError> {
        self.check()?;
        self.number = number;
        self.skip = skip;
        self.phase = Self::next_chunk();
        Ok(())
    }

    /// As if all had been read. Only where the last chunk was opened.
    pub(crate) fn jump_to_end(&mut self) -> Result<(), SealError> {
        self.check()?;
        self.phase = Phase::Ended;
        Ok(())
    }

    /// Remembers a failure that was seen from outside.
    pub(crate) fn fail(&mut self, error: SealErrorKind) -> SealError {
        let error = SealError::from(error);
        self.phase = Phase::Failed(error.clone());
        error
    }

    const fn next_chunk() -> Phase {
        Phase::Filling { filled: 0, wanted: SEALED_CHUNK }
    }

    /// The head or a chunk is there, as whole as it will be.
    fn step(&mut self, filled: usize, is_end: bool) -> Result<(), SealError> {
        let next = match &self.message {
            None => self.head(filled, is_end),
            Some((cipher, _)) => {
                let chunk = self.buffer.get_mut(..filled).unwrap_or_default();
                cipher.open(self.number, chunk, 0).map(|end| {
                    self.number += 1;
                    self.chunks_opened += 1;
                    let start = self.skip.min(end);
                    self.skip = 0;
                    Phase::Open { start, end, is_last: is_end }
                })
            }
        };
        match next {
            Ok(phase) => {
                self.phase = phase;
                // A chunk of which nothing is to be read is read.
                self.read(0);
                Ok(())
            }
            Err(error) => {
                self.phase = Phase::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn head(&mut self, filled: usize, is_end: bool) -> Result<Phase, SealError> {
        let bytes = self.buffer.get(..filled).unwrap_or_default();
        let (suite, id_length) = BinaryHead::fixed(bytes)?;
        if is_end {
            return Err(SealErrorKind::Truncated.into());
        }
        let wanted = BINARY_FIXED + id_length + HEADER;
        if filled < wanted {
            return Ok(Phase::Filling { filled, wanted });
        }
        let (id, header) = bytes.get(BINARY_FIXED..).unwrap_or_default().split_at(id_length);
        let key = self.ring.key(BinaryHead::id(id)?)?;
        if suite != SUITE {
            return Err(SealErrorKind::Authentication.into());
        }
        let context = self.context.as_bytes();
        let scope = Scope { suite, key_id: key.id(), purpose: Purpose::Stream, context };
        self.message = Some((scope.resume(key.prk(), header)?, wanted));
        Ok(Self::next_chunk())
    }
}
