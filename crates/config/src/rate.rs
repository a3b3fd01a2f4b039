//! So many in such a time.

use std::{fmt, num::NonZeroU64, str::FromStr, time::Duration};

use crate::{
    duration,
    value::{self, Invalid, Value},
};

/// So many in such a time: `100/15m`.
///
/// The period is a duration (`15m`, `1h30m`) or a unit alone (`10/s`), and neither number is 0.
///
/// ```
/// use std::time::Duration;
/// use buttress_config::Rate;
///
/// let rate: Rate = "100/15m".parse()?;
/// assert_eq!((rate.count().get(), rate.period()), (100, Duration::from_secs(900)));
/// assert_eq!("10/s".parse::<Rate>()?.to_string(), "10/1s");
/// # Ok::<(), buttress_config::Invalid>(())
/// ```
///
/// For a limit of `buttress-limit` read its `Quota` by
/// [`parsed`](crate::Vars::parsed): the same form, and its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU64,
    period: Duration,
}

impl Rate {
    /// How many.
    #[must_use]
    pub const fn count(self) -> NonZeroU64 {
        self.count
    }

    /// In how long; more than 0.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl FromStr for Rate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((count, period)) = text.split_once('/') else {
            return Err(Invalid::new("has no slash"));
        };
        let count = value::whole(count.trim())?;
        let Some(count) = NonZeroU64::new(count) else {
            return Err(Invalid::new("is none at all"));
        };
        let period = period.trim();
        let period = if period.starts_with(|c: char| c.is_ascii_digit()) {
            duration::parse(period, None)?
        } else {
            duration::parse(&format!("1{period}"), None)?
        };
        if period.is_zero() {
            return Err(Invalid::new("has a period of no length"));
        }
        Ok(Self { count, period })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, duration::Written(self.period))
    }
}

impl Value for Rate {
    fn expects() -> String {
        String::from("a number per time, such as 100/15m or 10/s")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.trim().parse()
    }
}
