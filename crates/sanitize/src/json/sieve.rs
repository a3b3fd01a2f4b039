//! What passes of a document from which members are stripped, as slices of its chunks.

use bytes::Bytes;

/// What a guard tells of the bytes that it walks. Positions are those within the chunk.
pub(crate) trait Sink {
    /// Whether members can be left out.
    const STRIPS: bool;
    /// What comes from here on may be left out: a comma, or the first key of an object.
    fn hold(&mut self, at: usize);
    /// What was held passes; without its comma when no member has passed before it.
    fn release(&mut self, has_passed: bool);
    /// What was held is left out, and what follows too.
    fn drop_held(&mut self);
    /// From here on all passes again.
    fn resume(&mut self, at: usize);
}

/// Nothing is left out.
#[derive(Debug)]
pub(crate) struct Judge;

impl Sink for Judge {
    const STRIPS: bool = false;
    #[inline(always)]
    fn hold(&mut self, _: usize) {}
    #[inline(always)]
    fn release(&mut self, _: bool) {}
    #[inline(always)]
    fn drop_held(&mut self) {}
    #[inline(always)]
    fn resume(&mut self, _: usize) {}
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flow {
    #[default]
    Pass,
    Hold,
    Drop,
}

/// What lasts from chunk to chunk.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    flow: Flow,
    // What was held at the end of a chunk: a comma, blanks and a key. It is never more than was
    // sent, and so bounded by the limit of the body.
    held: Vec<u8>,
}

impl Sieve {
    pub(crate) fn strain<'a>(
        &'a mut self,
        chunk: &'a Bytes,
        out: &'a mut Vec<Bytes>,
    ) -> Strain<'a> {
        Strain { sieve: self, chunk, out, from: 0, hold_at: 0 }
    }
}

/// A chunk as it is walked.
#[derive(Debug)]
pub(crate) struct Strain<'a> {
    sieve: &'a mut Sieve,
    chunk: &'a Bytes,
    out: &'a mut Vec<Bytes>,
    // What passes from here on has not been put out yet.
    from: usize,
    hold_at: usize,
}

impl Strain<'_> {
    fn put(&mut self, to: usize) {
        if self.from < to {
            self.out.push(self.chunk.slice(self.from..to));
        }
    }

    /// The chunk is at its end.
    pub(crate) fn end(mut self) {
        let end = self.chunk.len();
        match self.sieve.flow {
            Flow::Pass => self.put(end),
            Flow::Hold => {
                self.put(self.hold_at);
                self.sieve.held.extend(self.chunk.iter().skip(self.hold_at));
            }
            Flow::Drop => {}
        }
    }
}

impl Sink for Strain<'_> {
    const STRIPS: bool = true;

    fn hold(&mut self, at: usize) {
        // A key after its comma is held already.
        if self.sieve.flow == Flow::Pass {
            self.sieve.flow = Flow::Hold;
            self.hold_at = at;
        }
    }

    fn release(&mut self, has_passed: bool) {
        self.sieve.flow = Flow::Pass;
        let without_comma = |held: &[u8]| !has_passed && held.first() == Some(&b',');
        if self.sieve.held.is_empty() {
            if self.chunk.get(self.hold_at..).is_some_and(without_comma) {
                self.put(self.hold_at);
                self.from = self.hold_at + 1;
            }
            return;
        }
        let mut held = Bytes::from(std::mem::take(&mut self.sieve.held));
        if without_comma(&held) {
            held = held.slice(1..);
        }
        if !held.is_empty() {
            self.out.push(held);
        }
    }

    fn drop_held(&mut self) {
        self.sieve.flow = Flow::Drop;
        self.sieve.held.clear();
        self.put(self.hold_at);
        self.from = self.hold_at;
    }

    fn resume(&mut self, at: usize) {
        self.sieve.flow = Flow::Pass;
        self.from = at;
    }
}
