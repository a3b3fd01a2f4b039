//! Sealing a stream without doing any input or output.

use zeroize::Zeroize;

use crate::{
    chunked::{CHUNK, Cipher, HEADER, SEALED_CHUNK},
    context::{Context, Purpose},
    envelope::{BINARY_FIXED, BinaryHead, SUITE},
    error::SealError,
    key::MAX_KEY_ID,
    ring::KeyRing,
};

/// Plain text goes in at [`absorb`](Self::absorb), sealed bytes come out at
/// [`pending`](Self::pending). A chunk is sealed once, and stays until it is taken: whoever fails
/// to write it may try again.
pub(crate) struct Sealer {
    cipher: Cipher,
    /// The number of the chunk that is being filled.
    number: u64,
    // Plain text while it is filled, sealed bytes while it is drained.
    // Overwritten on drop.
    buffer: Vec<u8>,
    phase: Phase,
    is_finished: bool,
}

/// By hand, as the other half's.
impl Drop for Sealer {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

#[derive(Clone, Copy)]
enum Phase {
    Filling,
    Draining { taken: usize },
}

const _: () = assert!(BINARY_FIXED + MAX_KEY_ID + HEADER <= SEALED_CHUNK, "a head has room");

impl Sealer {
    pub(crate) fn new(ring: &KeyRing, context: &Context) -> Result<Self, SealError> {
        let mut buffer = Vec::with_capacity(SEALED_CHUNK);
        BinaryHead { suite: SUITE, key_id: ring.primary_id() }.write(&mut buffer);
        let scope = ring.scope(Purpose::Stream, context.as_bytes());
        let cipher = scope.begin(ring.primary().prk(), &mut buffer)?;
        let phase = Phase::Draining { taken: 0 };
        Ok(Self { cipher, number: 0, buffer, phase, is_finished: false })
    }

    /// What is sealed and not yet taken.
    pub(crate) fn pending(&self) -> &[u8] {
        match self.phase {
            Phase::Filling => &[],
            Phase::Draining { taken } => self.buffer.get(taken..).unwrap_or_default(),
        }
    }

    /// So many of the pending bytes are taken.
    pub(crate) fn take(&mut self, length: usize) {
        if let Phase::Draining { taken } = &mut self.phase {
            *taken += length;
            if *taken >= self.buffer.len() {
                self.buffer.clear();
                self.phase = Phase::Filling;
            }
        }
    }

    /// Takes in what has room, if nothing is pending, and says how much that was.
    pub(crate) fn absorb(&mut self, plain: &[u8]) -> Result<usize, SealError> {
        if matches!(self.phase, Phase::Draining { .. }) {
            return Ok(0);
        }
        let room = CHUNK.saturating_sub(self.buffer.len());
        let taken = plain.get(..room).unwrap_or(plain);
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= CHUNK {
            self.seal()?;
        }
        Ok(taken.len())
    }

    /// Seals the last chunk, if nothing is pending.
    pub(crate) fn finish(&mut self) -> Result<(), SealError> {
        if !self.is_finished && matches!(self.phase, Phase::Filling) {
            self.seal()?;
            self.is_finished = true;
        }
        Ok(())
    }

    /// Whether the last chunk is sealed; it may be pending.
    pub(crate) const fn is_finished(&self) -> bool {
        self.is_finished
    }

    fn seal(&mut self) -> Result<(), SealError> {
        let tag = self.cipher.seal(self.number, &mut self.buffer)?;
        self.number += 1;
        self.buffer.extend_from_slice(tag.as_ref());
        self.phase = Phase::Draining { taken: 0 };
        Ok(())
    }
}
