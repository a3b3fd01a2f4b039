//! What a row of results says: pure, and without a clock.

use crate::status::Status;

/// One look at a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Pass,
    Degraded,
    Failure,
}

/// Falls after so many failures in a row, rises after so many passes.
#[derive(Debug)]
pub(crate) struct Judge {
    fall: u32,
    rise: u32,
    failures: u32,
    passes: u32,
    status: Option<Status>,
}

impl Judge {
    pub(crate) const fn new(fall: u32, rise: u32) -> Self {
        Self { fall, rise, failures: 0, passes: 0, status: None }
    }

    /// Failures in a row, up to the present.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Where nothing was known, a failure decides at once: a service that starts beside a dead
    /// dependency, or of which nothing was heard for long, is not to be given requests for the
    /// length of `fall` intervals.
    pub(crate) fn record(&mut self, seen: Seen, was_known: bool) -> Status {
        let status = match seen {
            Seen::Failure => self.fail(was_known),
            Seen::Pass => self.pass(Status::Healthy),
            Seen::Degraded => self.pass(Status::Degraded),
        };
        self.status = Some(status);
        status
    }

    fn fail(&mut self, was_known: bool) -> Status {
        self.passes = 0;
        self.failures = self.failures.saturating_add(1);
        match self.status {
            _ if !was_known => Status::Unhealthy,
            None | Some(Status::Unhealthy) => Status::Unhealthy,
            Some(_) if self.failures >= self.fall => Status::Unhealthy,
            Some(_) => Status::Degraded,
        }
    }

    fn pass(&mut self, up: Status) -> Status {
        self.failures = 0;
        self.passes = self.passes.saturating_add(1);
        match self.status {
            Some(Status::Unhealthy) if self.passes < self.rise => Status::Unhealthy,
            _ => up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_results_is_judged_by_fall_and_rise() {
        for (fall, rise, row, expected) in [
            (2, 1, "F", "U"),
            (2, 1, "P", "H"),
            (2, 1, "D", "D"),
            (2, 1, "PF", "HD"),
            (2, 1, "PFF", "HDU"),
            (2, 1, "PFPF", "HDHD"),
            (2, 1, "PFDF", "HDDD"),
            (1, 1, "PFP", "HUH"),
            (3, 1, "PFFPFFF", "HDDHDDU"),
            (2, 2, "FPP", "UUH"),
            (2, 2, "FPFPP", "UUUUH"),
            (2, 3, "PFFPDP", "HDUUUH"),
            // After a gap.
            (3, 1, "PfFP", "HUUH"),
            (3, 1, "PpFFF", "HHDDU"),
            (2, 2, "PFFpP", "HDUUH"),
        ] {
            let mut judge = Judge::new(fall, rise);
            let seen = |c: char| match c.to_ascii_uppercase() {
                'P' => Seen::Pass,
                'D' => Seen::Degraded,
                _ => Seen::Failure,
            };
            let shown: String = row
                .chars()
                .map(|c| match judge.record(seen(c), c.is_ascii_uppercase()) {
                    Status::Healthy => 'H',
                    Status::Degraded => 'D',
                    Status::Unavailable => '-',
                    Status::Unhealthy => 'U',
                })
                .collect();
            assert_eq!(shown, expected, "fall {fall}, rise {rise}: {row}");
        }
    }
}
