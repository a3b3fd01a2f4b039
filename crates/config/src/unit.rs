//! What a bare number counts.

use std::time::Duration;

/// What a bare number counts, in a variable whose name says so (`RATE_LIMIT_WINDOW_MS`), or of
/// which [`Var::bare`](crate::Var::bare) does.
///
/// ```
/// use buttress_config::Unit;
///
/// assert_eq!(Unit::of_name("RATE_LIMIT_WINDOW_MS"), Some(Unit::Milliseconds));
/// assert_eq!(Unit::of_name("CACHE_TTL_SECONDS"), Some(Unit::Seconds));
/// assert_eq!(Unit::of_name("BODY_LIMIT_MB"), Some(Unit::Megabytes));
/// assert_eq!(Unit::of_name("SESSION_MAX_AGE"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// `_US`, `_MICROS`, `_MICROSECONDS`.
    Microseconds,
    /// `_MS`, `_MILLIS`, `_MILLISECONDS`.
    Milliseconds,
    /// `_S`, `_SEC`, `_SECS`, `_SECONDS`.
    Seconds,
    /// `_MIN`, `_MINS`, `_MINUTES`.
    Minutes,
    /// `_H`, `_HOURS`.
    Hours,
    /// `_DAYS`.
    Days,
    /// `_BYTES`.
    Bytes,
    /// `_KB`: 1,000 bytes.
    Kilobytes,
    /// `_MB`: 1,000,000 bytes.
    Megabytes,
    /// `_GB`: 1,000,000,000 bytes.
    Gigabytes,
    /// `_KIB`: 1,024 bytes.
    Kibibytes,
    /// `_MIB`: 1,048,576 bytes.
    Mebibytes,
    /// `_GIB`: 1,073,741,824 bytes.
    Gibibytes,
}

impl Unit {
    /// The unit that a variable's name ends in.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, last) = name.rsplit_once('_')?;
        match last.to_ascii_uppercase().as_str() {
            "US" | "MICROS" | "MICROSECONDS" => Some(Self::Microseconds),
            "MS" | "MILLIS" | "MILLISECONDS" => Some(Self::Milliseconds),
            "S" | "SEC" | "SECS" | "SECONDS" => Some(Self::Seconds),
            "MIN" | "MINS" | "MINUTES" => Some(Self::Minutes),
            "H" | "HOURS" => Some(Self::Hours),
            "DAYS" => Some(Self::Days),
            "BYTES" => Some(Self::Bytes),
            "KB" => Some(Self::Kilobytes),
            "MB" => Some(Self::Megabytes),
            "GB" => Some(Self::Gigabytes),
            "KIB" => Some(Self::Kibibytes),
            "MIB" => Some(Self::Mebibytes),
            "GIB" => Some(Self::Gibibytes),
            _ => None,
        }
    }

    /// One of it, where it is a unit of time.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Microseconds => Some(Duration::from_micros(1)),
            Self::Milliseconds => Some(Duration::from_millis(1)),
            Self::Seconds => Some(Duration::from_secs(1)),
            Self::Minutes => Some(Duration::from_secs(60)),
            Self::Hours => Some(Duration::from_secs(3_600)),
            Self::Days => Some(Duration::from_secs(86_400)),
            Self::Bytes
            | Self::Kilobytes
            | Self::Megabytes
            | Self::Gigabytes
            | Self::Kibibytes
            | Self::Mebibytes
            | Self::Gibibytes => None,
        }
    }

    /// How many bytes it is, where it is a unit of size.
    #[must_use]
    pub const fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes => Some(1),
            Self::Kilobytes => Some(1_000),
            Self::Megabytes => Some(1_000_000),
            Self::Gigabytes => Some(1_000_000_000),
            Self::Kibibytes => Some(1 << 10),
            Self::Mebibytes => Some(1 << 20),
            Self::Gibibytes => Some(1 << 30),
            Self::Microseconds
            | Self::Milliseconds
            | Self::Seconds
            | Self::Minutes
            | Self::Hours
            | Self::Days => None,
        }
    }
}
