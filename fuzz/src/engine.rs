//! A small mutational fuzzer: no coverage, no compiler flags, the same inputs for the same seed.

use std::{
    fs, io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use crate::Target;

/// No input is longer than this many bytes.
pub const MAX_INPUT: usize = 4096;

/// How many mutants are kept beside the seeds, to be mutated further.
const KEPT: usize = 64;

/// One mutant in so many is kept.
const KEEP_ONE_IN: usize = 8;

/// One input has at most so many mutations.
const MAX_MUTATIONS: usize = 8;

/// Where the inputs of a target come from: its seeds as they are, then mutants without end.
#[derive(Debug)]
pub struct Engine {
    // Its first `seeds` are the files of the corpus.
    pool: Vec<Vec<u8>>,
    seeds: usize,
    given: usize,
    dictionary: &'static [&'static str],
    random: Random,
}

impl Engine {
    /// Reads the target's seeds, in the order of their names.
    ///
    /// # Errors
    /// When they cannot be read, or there are none.
    pub fn new(target: &Target, seed: u64) -> io::Result<Self> {
        let folder = corpus(target);
        let mut files = fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|error| because(&folder, &error))?;
        let files: &mut Vec<PathBuf> = &mut files;
        files.sort();
        let pool = files
            .iter()
            .map(|file| fs::read(file).map_err(|error| because(file, &error)))
            .collect::<io::Result<Vec<_>>>()?;
        if pool.is_empty() {
            return Err(because(&folder, &io::Error::from(io::ErrorKind::NotFound)));
        }
        let seeds = pool.len();
        let dictionary = target.dictionary;
        Ok(Self { pool, seeds, given: 0, dictionary, random: Random(seed) })
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        if self.given < self.seeds {
            self.given += 1;
            return self.pool.get(self.given - 1).cloned().unwrap_or_default();
        }
        let mut input = self.any();
        for _ in 0..=self.random.below(MAX_MUTATIONS) {
            self.mutate(&mut input);
        }
        input.truncate(MAX_INPUT);
        if self.random.below(KEEP_ONE_IN) == 0 {
            self.keep(input.clone());
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let rest = input.len() - at;
        let some = self.random.below(rest.min(32) + 1);
        match self.random.below(8) {
            0 => {
                let bit = 1 << self.random.below(8);
                input.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = self.random.byte();
                input.get_mut(at).into_iter().for_each(|old| *old = byte);
            }
            2 => input.insert(at, self.random.byte()),
            3 => drop(input.drain(at..at + some)),
            // Again, somewhere else.
            4 => {
                let piece: Vec<u8> = input.iter().skip(at).take(some).copied().collect();
                let to = self.random.below(input.len() + 1);
                drop(input.splice(to..to, piece));
            }
            // The head of one and the tail of another.
            5 => {
                let other = self.any();
                let from = self.random.below(other.len() + 1);
                input.truncate(at);
                input.extend(other.into_iter().skip(from));
            }
            // A word of the format, put in or in place of something.
            choice => {
                let word = self.random.below(self.dictionary.len().max(1));
                let word = self.dictionary.get(word).copied().unwrap_or_default();
                let over = if choice == 6 { 0 } else { some };
                drop(input.splice(at..at + over, word.bytes()));
            }
        }
    }

    fn any(&mut self) -> Vec<u8> {
        let index = self.random.below(self.pool.len());
        self.pool.get(index).cloned().unwrap_or_default()
    }

    fn keep(&mut self, input: Vec<u8>) {
        if self.pool.len() < self.seeds + KEPT {
            self.pool.push(input);
            return;
        }
        let index = self.seeds + self.random.below(KEPT);
        self.pool.get_mut(index).into_iter().for_each(|old| old.clone_from(&input));
    }
}

/// Runs one input; `false` when the target panicked. Its message is on stderr then.
#[must_use]
pub fn holds(target: &Target, input: &[u8]) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok()
}

/// The folder of a target's seeds.
#[must_use]
pub fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn because(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`, which is small and not 0: its bias does no harm here.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
