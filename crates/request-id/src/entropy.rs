//! Random bytes of the operating system, drawn in blocks.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    process,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

/// One system call (300 to 460 ns) serves 32 to 64 ids.
const BLOCK: usize = 512;

/// Where the bytes come from. A type of our own, so that a test can take the source away.
pub(crate) type Source = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// A block of random bytes, refilled when it is used up.
pub(crate) struct Entropy {
    block: [u8; BLOCK],
    used: usize,
    source: Source,
}

impl Entropy {
    pub(crate) const fn new(source: Source) -> Self {
        Self { block: [0; BLOCK], used: BLOCK, source }
    }

    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= BLOCK, "one draw is at most one block") }
        if self.used + N > BLOCK {
            self.refill();
        }
        let bytes = self.block.get(self.used..).and_then(|rest| rest.first_chunk());
        self.used += N;
        bytes.copied().unwrap_or([0; N])
    }

    #[cold]
    fn refill(&mut self) {
        if (self.source)(&mut self.block).is_err() {
            hashed(&mut self.block);
        }
        self.used = 0;
    }
}

/// What is left without the system's generator: a hash of the time, the process and a count of
/// such blocks. Good enough to tell two requests apart, which is all that an id must do; a request
/// is never refused for want of random bytes.
///
/// Not std's `RandomState`: its keys come from the same system, and it panics where there are none.
fn hashed(block: &mut [u8; BLOCK]) {
    static BLOCKS: AtomicU64 = AtomicU64::new(0);
    let origin = (SystemTime::now(), process::id(), BLOCKS.fetch_add(1, Relaxed));
    for (count, chunk) in block.as_chunks_mut().0.iter_mut().enumerate() {
        let mut hasher = DefaultHasher::new();
        (origin, count).hash(&mut hasher);
        *chunk = hasher.finish().to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BLOCK, Entropy};

    #[test]
    fn every_draw_is_new_across_blocks() {
        let mut entropy = Entropy::new(getrandom::fill);
        let drawn: HashSet<[u8; 16]> = (0..BLOCK).map(|_| entropy.take()).collect();
        assert_eq!(drawn.len(), BLOCK);
    }

    #[test]
    fn draws_stay_new_when_the_system_gives_nothing() {
        let mut entropy = Entropy::new(|_| Err(getrandom::Error::UNSUPPORTED));
        let drawn: HashSet<[u8; 16]> = (0..BLOCK).map(|_| entropy.take()).collect();
        assert_eq!(drawn.len(), BLOCK);
    }

    #[test]
    fn two_threads_draw_different_bytes_when_the_system_gives_nothing() {
        let first = || {
            let mut entropy = Entropy::new(|_| Err(getrandom::Error::UNSUPPORTED));
            entropy.take::<BLOCK>()
        };
        assert_ne!(first(), first());
        assert_ne!(std::thread::spawn(first).join().unwrap(), first());
    }

    #[test]
    fn uneven_draws_never_run_past_the_block() {
        let mut entropy = Entropy::new(getrandom::fill);
        let drawn: HashSet<[u8; 7]> = (0..3 * BLOCK).map(|_| entropy.take()).collect();
        assert_eq!(drawn.len(), 3 * BLOCK);
    }
}
