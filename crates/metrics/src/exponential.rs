//! Percentiles of durations from 512 counts.
//!
//! Buckets grow by 2^(1/16), from 1 µs to 73 minutes: scale 4 of OpenTelemetry's exponential
//! histogram. A value is taken for the harmonic middle of its bucket's bounds, which is off by
//! (γ - 1) / (γ + 1) = 2.17 % at most. What lies outside counts in the first or the last bucket,
//! and is read as the least or the greatest value seen.

/// How many buckets a doubling has.
const PER_OCTAVE: usize = 16;

/// The first bucket's lower bound is 2¹⁰ ns, 1.024 µs.
const FIRST_OCTAVE: u32 = 10;

/// The last bucket's upper bound is 2⁴² ns.
const OCTAVES: usize = 32;

/// How many buckets there are.
pub(crate) const BUCKETS: usize = PER_OCTAVE * OCTAVES;

/// 2^(63 + i/16), rounded up: where the parts of an octave begin, with the value's highest bit
/// shifted to bit 63.
const PARTS: [u64; PER_OCTAVE] = [
    0x8000_0000_0000_0000,
    0x85aa_c367_cc48_7b15,
    0x8b95_c1e3_ea8b_d6e7,
    0x91c3_d373_ab11_c337,
    0x9837_f051_8db8_a970,
    0x9ef5_3260_91a1_11ae,
    0xa5fe_d6a9_b151_38eb,
    0xad58_3eea_42a1_4ac7,
    0xb504_f333_f9de_6485,
    0xbd08_a39f_580c_36bf,
    0xc567_2a11_5506_dade,
    0xce24_8c15_1f84_80e4,
    0xd744_fcca_d69d_6af5,
    0xe0cc_deec_2a94_e112,
    0xeac0_c6e7_dd24_392f,
    0xf525_7d15_2486_cc2d,
];

/// Of each 32nd of an octave: the part in which it begins, and where the next one does. The parts
/// are wider than a 32nd, so there is never a second bound in it.
#[expect(clippy::indexing_slicing, reason = "the compiler does it, and sees to it")]
const CELLS: [(usize, u64); 32] = {
    let mut cells = [(0, u64::MAX); 32];
    let mut cell = 0;
    while cell < cells.len() {
        let start = 1 << 63 | (cell as u64) << 58;
        let mut part = 0;
        while part + 1 < PER_OCTAVE && PARTS[part + 1] <= start {
            part += 1;
        }
        cells[cell] = (part, if part + 1 < PER_OCTAVE { PARTS[part + 1] } else { u64::MAX });
        cell += 1;
    }
    cells
};

/// The bucket of a duration in nanoseconds.
#[inline]
pub(crate) fn bucket(nanos: u64) -> usize {
    let Some(octave) = nanos.checked_ilog2().and_then(|log| log.checked_sub(FIRST_OCTAVE)) else {
        return 0;
    };
    let mantissa = nanos << nanos.leading_zeros();
    let (part, next) =
        CELLS.get((mantissa >> 58) as usize % CELLS.len()).copied().unwrap_or((0, 0));
    (octave as usize * PER_OCTAVE + part + usize::from(mantissa >= next)).min(BUCKETS - 1)
}

/// What a value in this bucket is taken for, in nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index below 512, and a value from 2¹⁰ to 2⁴²"
)]
fn middle(bucket: usize) -> u64 {
    let step = 1.0 / PER_OCTAVE as f64;
    let low = (f64::from(FIRST_OCTAVE) + bucket as f64 * step).exp2();
    let growth = step.exp2();
    (2.0 * low * growth / (1.0 + growth)) as u64
}

/// The counts of a span of time, and the exact extremes where they are known.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    counts: Box<[u64]>,
    sum: u128,
    min: u64,
    max: u64,
}

impl Distribution {
    pub(crate) fn empty() -> Self {
        Self { counts: Box::new([0; BUCKETS]), sum: 0, min: u64::MAX, max: 0 }
    }

    /// Of counts in the order of their buckets.
    pub(crate) fn add_counts(&mut self, counts: impl IntoIterator<Item = u64>) {
        for (sum, count) in self.counts.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    pub(crate) fn add_sum(&mut self, nanos: u128) {
        self.sum += nanos;
    }

    pub(crate) fn add_extremes(&mut self, min: u64, max: u64) {
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }

    /// A request that is being counted at this moment may be among the counts already, and its
    /// duration not yet among the extremes: its bucket says what it is about.
    pub(crate) fn settle(&mut self) {
        let mut filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let Some((lowest, _)) = filled.next() else { return };
        let highest = filled.next_back().map_or(lowest, |(bucket, _)| bucket);
        if bucket(self.min) > lowest {
            self.min = middle(lowest);
        }
        if bucket(self.max) < highest {
            self.max = middle(highest);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.add_counts(other.counts.iter().copied());
        self.add_sum(other.sum);
        self.add_extremes(other.min, other.max);
    }

    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(crate) const fn sum(&self) -> u128 {
        self.sum
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn min(&self) -> u64 {
        self.min.min(self.max)
    }

    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    pub(crate) fn mean(&self) -> u64 {
        self.sum
            .checked_div(u128::from(self.count()))
            .map_or(0, |mean| u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The value that `percent` of all are not greater than, by nearest rank; 0 of none.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let count = self.count();
        let rank = (u128::from(count) * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (bucket, &here) in self.counts.iter().enumerate() {
            seen += u128::from(here);
            if seen < rank {
                continue;
            }
            let taken_for = match bucket {
                0 => self.min(),
                last if last == BUCKETS - 1 => self.max,
                _ => middle(bucket),
            };
            return taken_for.clamp(self.min(), self.max);
        }
        0
    }
}

#[cfg(test)]
mod tests;
