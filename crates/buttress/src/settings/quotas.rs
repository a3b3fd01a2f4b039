//! `LIMIT_GENERAL` and `LIMIT_BURST`.

use crate::{
    config::config,
    limit::{ConfigError, Quota, Rule, minutes, requests, seconds},
};

config! {
    /// How often a client may come: `LIMIT_GENERAL` and `LIMIT_BURST`.
    #[derive(Clone, Copy, Debug)]
    pub struct Quotas {
        /// How often a client may come.
        pub general: Quota = parsed("LIMIT_GENERAL", str::parse)
            .expects("N/period, such as 100/15m or 2000/h")
            .default(Self::default().general),
        /// And how often at once. What one of the two refuses, the other does not count.
        pub burst: Quota = parsed("LIMIT_BURST", str::parse)
            .expects("N/period, such as 10/s")
            .default(Self::default().burst),
    }
}

/// What holds where nothing is said: 100 in 15 minutes, and 10 in a second of them.
impl Default for Quotas {
    fn default() -> Self {
        Self { general: requests(100).per(minutes(15)), burst: requests(10).per(seconds(1)) }
    }
}

impl Quotas {
    /// Both, for one [`LimitLayer`](crate::limit::LimitLayer): the rules `general` and `burst`.
    ///
    /// # Errors
    /// None of a quota that was read; one that was put together may be out of range.
    pub fn rules(&self) -> Result<[Rule; 2], ConfigError> {
        Ok([Rule::new("general", self.general)?, Rule::new("burst", self.burst)?])
    }
}
