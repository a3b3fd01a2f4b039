//! `100/15m`: a quota as it stands in a configuration.

use std::{fmt, str::FromStr, time::Duration};

use super::{Quota, requests};
use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// The units of a period, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `N/period`, the period being a number of `ms`, `s`, `m`, `h` or `d`; 1 where there is none.
///
/// ```
/// use buttress_limit::{Quota, hours, requests, seconds};
///
/// assert_eq!("10/s".parse::<Quota>()?, requests(10).per(seconds(1)));
/// assert_eq!("5/1h".parse::<Quota>()?, requests(5).per(hours(1)));
///
/// let error = "100/15x".parse::<Quota>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""100/15x": the period's unit must be one of ms, s, m, h, d"#
/// );
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
impl FromStr for Quota {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        parse(text).map_err(|error| error.about(format_args!("{text:?}")))
    }
}

impl Quota {
    /// Parses what stands in a variable of the environment, or under a key of a file, whose name
    /// the error tells.
    ///
    /// ```
    /// use buttress_limit::Quota;
    ///
    /// let error = Quota::from_var("LIMIT_GENERAL", "0/15m").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"LIMIT_GENERAL="0/15m": the quota must be at least 1 request"#
    /// );
    /// ```
    ///
    /// # Errors
    /// When the text is no `N/period`, or the quota one that cannot be kept.
    pub fn from_var(name: &str, text: &str) -> Result<Self, ConfigError> {
        parse(text).map_err(|error| error.about(format_args!("{name}={text:?}")))
    }
}

fn parse(text: &str) -> Result<Quota, ConfigError> {
    let Some((number, period)) = text.trim().split_once('/') else {
        let message = "a quota is written as N/period, such as 100/15m or 10/s";
        return Err(ConfigError::new(Kind::Syntax, message));
    };
    let quota = requests(parse_number(number)?).per(parse_period(period.trim())?);
    quota.check()?;
    Ok(quota)
}

fn parse_number(text: &str) -> Result<u64, ConfigError> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        let message = "the requests must be a whole number, such as the 100 of 100/15m";
        return Err(ConfigError::new(Kind::Syntax, message));
    }
    text.parse().map_err(|_| ConfigError::new(Kind::Requests, "the number is too large"))
}

fn parse_period(text: &str) -> Result<Duration, ConfigError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let message = "the period's unit must be one of ms, s, m, h, d";
        return Err(ConfigError::new(Kind::Syntax, message));
    };
    let number: u64 = if number.is_empty() {
        1
    } else {
        number
            .parse()
            .map_err(|_| ConfigError::new(Kind::Period, "the period must be at most 366d"))?
    };
    Ok(Duration::from_millis(number.saturating_mul(*millis)))
}

/// A period in the largest unit that it is a whole number of.
pub(super) struct Period(pub(super) Duration);

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let whole = UNITS.iter().find_map(|(unit, millis)| {
            let of_unit = u128::from(*millis) * 1_000_000;
            (nanos.is_multiple_of(of_unit)).then(|| (nanos / of_unit, unit))
        });
        match whole {
            Some((number, unit)) => write!(f, "{number}{unit}"),
            None => write!(f, "{:?}", self.0),
        }
    }
}
