//! Monitors of what the process may use up.

mod cgroup;
mod cpu;
mod descriptors;
#[cfg(feature = "disk")]
mod disk;
mod growth;
mod load;
mod memory;

use buttress_core::{
    source::{CheckError, CheckReport},
    value::Value,
};

#[cfg(feature = "disk")]
pub use self::disk::Disk;
pub use self::{cpu::Cpu, descriptors::Descriptors, growth::Growth, load::Load, memory::Memory};
use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// Shares of a resource from which on it is degraded, and has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    warn: f64,
    fail: f64,
}

impl Thresholds {
    pub(crate) const DEFAULT: Self = Self { warn: 0.8, fail: 0.95 };

    pub(crate) fn new(warn: f64, fail: f64) -> Result<Self, ConfigError> {
        if !(warn > 0.0 && warn <= fail && fail <= 1.0) {
            let message = format!(
                "a warning at {warn} and a failure at {fail}: these are shares, above 0 and at most 1, and the warning comes first"
            );
            return Err(ConfigError::new(Kind::Share, message));
        }
        Ok(Self { warn, fail })
    }

    /// Judges `used` of `limit`; without a limit there is nothing to judge.
    pub(crate) fn judge(
        self,
        used: u64,
        limit: Option<u64>,
        source: &'static str,
    ) -> Result<CheckReport, CheckError> {
        let share = limit.map(|limit| share(used, limit));
        self.judge_share(
            share,
            "nearly used up",
            "running low",
            [
                ("used", used.into()),
                ("limit", limit.into()),
                ("share", share.into()),
                ("source", source.into()),
            ],
        )
    }

    pub(crate) fn judge_share<const N: usize>(
        self,
        share: Option<f64>,
        failed: &'static str,
        degraded: &'static str,
        data: [(&'static str, Value); N],
    ) -> Result<CheckReport, CheckError> {
        let error = match share {
            Some(share) if share >= self.fail => CheckError::failed(failed),
            Some(share) if share >= self.warn => CheckError::degraded(degraded),
            _ => {
                let report = CheckReport::ok();
                return Ok(data
                    .into_iter()
                    .fold(report, |report, (name, value)| report.with(name, value)));
            }
        };
        Err(data.into_iter().fold(error, |error, (name, value)| error.with(name, value)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share to one part in 2^53 is exact enough")]
pub(crate) fn share(used: u64, limit: u64) -> f64 {
    if limit == 0 { 1.0 } else { used as f64 / limit as f64 }
}
