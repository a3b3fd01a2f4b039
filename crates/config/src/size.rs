//! So many bytes.

use std::{fmt, str::FromStr};

use crate::{
    unit::Unit,
    value::{self, Invalid, Value},
};

/// What may stand behind the number, in lower case.
const UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// So many bytes: `10MiB`, `512kB`, `1048576`.
///
/// `kB`, `MB`, `GB` and `TB` are powers of 1,000, `KiB`, `MiB`, `GiB` and `TiB` of 1,024 (IEC
/// 80000-13), in any case. `10M` is refused: which of the two it is, nobody can tell.
///
/// ```
/// use buttress_config::Size;
///
/// assert_eq!("10MiB".parse::<Size>()?.bytes(), 10 << 20);
/// assert_eq!("10 MB".parse::<Size>()?.bytes(), 10_000_000);
/// assert_eq!("1024".parse::<Size>()?.to_string(), "1KiB");
/// assert!("10M".parse::<Size>().is_err());
/// # Ok::<(), buttress_config::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn of_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// As an index; on a machine of 32 bits, what it cannot count is as much as it can.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

fn parse(text: &str, bare: u64) -> Result<Size, Invalid> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let number = value::whole(number)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => *bytes,
        None if unit.is_empty() => bare,
        None if matches!(unit.as_str(), "k" | "m" | "g" | "t") => {
            return Err(Invalid::new("has a unit that could be of 1,000 or of 1,024"));
        }
        None => return Err(Invalid::new("has a unit that is none of size")),
    };
    number.checked_mul(unit).map(Size).ok_or(Invalid::new("is more than can be counted"))
}

impl FromStr for Size {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text, 1)
    }
}

/// In the largest power of 1,024 that it is a whole number of.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let whole = units.into_iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit));
        match whole {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Value for Size {
    fn expects() -> String {
        String::from("a size, such as 10MiB, 512kB or a number of bytes")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse()
    }

    fn parse_bare(text: &str, unit: Unit) -> Result<Self, Invalid> {
        parse(text, unit.bytes().unwrap_or(1))
    }
}
