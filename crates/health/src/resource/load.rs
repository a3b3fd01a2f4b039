//! The host's load.

use std::{fs, io, path::PathBuf};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};

use super::{Thresholds, cpu::processors_of};
use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// The load of the last five minutes for each processor: tasks that run, wait for a processor, or
/// wait for a device. Degraded from 1.5, failed from 3.
///
/// It is the host's, also inside a container: the kernel counts everybody's tasks, so they are
/// divided by all the host's processors and not by a quota. What the quota of a cgroup does is
/// [`Cpu`](crate::Cpu)'s to say.
///
/// Linux; elsewhere each look is degraded as `unreadable`.
///
/// ```
/// use buttress_health::{Entry, Load};
///
/// let entry = Entry::optional(Load::new().thresholds(1.0, 2.0)?);
/// # let _ = entry;
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Load {
    root: PathBuf,
    thresholds: Thresholds,
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

impl Load {
    /// Of this host.
    pub fn new() -> Self {
        Self::below("/")
    }

    /// Reads `proc` below another root: where the host's is mounted.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), thresholds: Thresholds { warn: 1.5, fail: 3.0 } }
    }

    /// The load of each processor from which on it is degraded, and has failed.
    ///
    /// # Errors
    /// If one is not above 0, or is no number, or the warning is above the failure.
    pub fn thresholds(self, warn: f64, fail: f64) -> Result<Self, ConfigError> {
        if !(warn > 0.0 && warn <= fail && fail.is_finite()) {
            let message = format!(
                "a warning at {warn} and a failure at {fail}: these are loads, above 0, and the warning comes first"
            );
            return Err(ConfigError::new(Kind::Share, message));
        }
        Ok(Self { thresholds: Thresholds { warn, fail }, ..self })
    }

    fn look(&self) -> Result<CheckReport, CheckError> {
        let ([one, five, fifteen], processors) =
            self.read().map_err(|error| CheckError::degraded("unreadable").because(error))?;
        let each = five / processors;
        self.thresholds.judge_share(
            Some(each),
            "overloaded",
            "loaded",
            [
                ("load1", one.into()),
                ("load5", five.into()),
                ("load15", fifteen.into()),
                ("processors", processors.into()),
                ("perProcessor", each.into()),
            ],
        )
    }

    fn read(&self) -> io::Result<([f64; 3], f64)> {
        let text = fs::read_to_string(self.root.join("proc/loadavg"))?;
        let mut loads = text.split(' ').map_while(|load| load.parse::<f64>().ok());
        let processors = processors_of(&fs::read_to_string(self.root.join("proc/stat"))?);
        match (loads.next(), loads.next(), loads.next()) {
            (Some(one), Some(five), Some(fifteen)) if processors > 0.0 => {
                Ok(([one, five, fifteen], processors))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Check for Load {
    fn name(&self) -> &str {
        "load"
    }

    /// The files are the kernel's memory: reading them waits for no device.
    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async { self.look() })
    }
}
