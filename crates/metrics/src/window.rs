//! The sliding window: time in slices, and where the newest ones begin.

use std::time::Duration;

/// How many slices a window has. It slides by one at a time, so it covers between five sixths of
/// its length and all of it.
pub(crate) const SLICES: usize = 6;

/// A slice of time, counted from 1; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slice(pub(crate) u64);

impl Slice {
    /// Its place in a ring of [`SLICES`].
    pub(crate) fn place(self) -> usize {
        usize::try_from(self.0 % SLICES as u64).unwrap_or(0)
    }
}

/// How long a window is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    slice_nanos: u64,
}

impl Window {
    pub(crate) fn new(length: Duration) -> Self {
        let slice = length.as_nanos() / SLICES as u128;
        Self { slice_nanos: u64::try_from(slice).unwrap_or(u64::MAX).max(1) }
    }

    /// `now` is the recorder's time in nanoseconds.
    #[inline]
    pub(crate) const fn slice(self, now: u64) -> Slice {
        Slice(now / self.slice_nanos + 1)
    }

    /// The oldest slice that is in the window now.
    pub(crate) fn first(self, now: u64) -> Slice {
        Slice(self.slice(now).0.saturating_sub(SLICES as u64 - 1).max(1))
    }

    /// How much time the window covers now.
    pub(crate) fn covered(self, now: u64) -> Duration {
        let begun = (self.first(now).0 - 1).saturating_mul(self.slice_nanos);
        Duration::from_nanos(now.saturating_sub(begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_covers_five_to_six_slices_once_it_is_full() {
        let window = Window::new(Duration::from_secs(60));
        for (now, slice, first, covered) in [
            (0, 1, 1, 0),
            (5, 1, 1, 5),
            (59, 6, 1, 59),
            (60, 7, 2, 50),
            (65, 7, 2, 55),
            (70, 8, 3, 50),
        ] {
            let nanos = now * 1_000_000_000;
            assert_eq!(window.slice(nanos), Slice(slice), "{now}");
            assert_eq!(window.first(nanos), Slice(first), "{now}");
            assert_eq!(window.covered(nanos), Duration::from_secs(covered), "{now}");
        }
    }
}
