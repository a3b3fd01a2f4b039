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
            .default(requests(100).per(minutes(15))),
        /// And how often at once. What one of the two refuses, the other does not count.
        pub burst: Quota = parsed("LIMIT_BURST", str::parse)
            .expects("N/period, such as 10/s")
            .default(requests(10).per(seconds(1))),
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
