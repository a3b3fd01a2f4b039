//! What a variable may hold.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use buttress_core::Secret;
use zeroize::Zeroize;

use crate::unit::Unit;

/// A type that a variable can be read into.
///
/// | type | is written | |
/// |---|---|---|
/// | `bool` | `true`, `false`; also `1`, `0`, `yes`, `no`, `on`, `off`, in any case | |
/// | integers, `NonZero*` | `42`, `1_000` | out of range is refused |
/// | `f64` | `0.25` | finite |
/// | `String` | as it is | not empty |
/// | [`Secret<T>`](Secret) | as `T` | never printed; a text may not begin or end in white space |
/// | [`Duration`](std::time::Duration) | `500ms`, `30s`, `1h30m`, `1h 30m`; units `us`, `ms`, `s`, `m`, `h`, `d`, the larger first | a bare number only where the unit is known ([`Unit`]) |
/// | [`Size`](crate::Size) | `10MiB`, `512kB`, `4096` | |
/// | [`Rate`](crate::Rate) | `100/15m`, `10/s` | |
/// | [`Url`](crate::Url) | `https://example.com` | printed without its password |
/// | `SocketAddr`, `IpAddr`, `Ipv4Addr`, `Ipv6Addr` | `127.0.0.1:3000`, `[::1]:3000`, `::1` | |
/// | `PathBuf` | a path | not looked at |
/// | `Vec<T>` | `a,b,c`; white space around a part does not count | an empty variable is an empty list |
///
/// One of your own, here a choice between words:
///
/// ```
/// use buttress_config::{Environment, Invalid, Value, choice, config};
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Cache { Memory, Redis }
///
/// impl Value for Cache {
///     fn expects() -> String {
///         String::from("memory or redis")
///     }
///     fn parse(text: &str) -> Result<Self, Invalid> {
///         choice(text, &[("memory", Self::Memory), ("redis", Self::Redis)])
///     }
/// }
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// Where pages are kept.
///         cache: Cache = var("CACHE").default("memory"),
///     }
/// }
///
/// let report = Environment::of([("CACHE", "disk")]).load::<Settings>().unwrap_err();
/// assert!(report.to_string().contains("memory or redis"));
/// ```
///
/// What only has a `FromStr`, or is another crate's, is read by
/// [`parsed`](crate::Vars::parsed).
#[diagnostic::on_unimplemented(
    message = "a variable cannot be read into `{Self}`",
    label = "it is no `Value`",
    note = "`parsed(\"NAME\", function)` reads any type, `group()` a configuration"
)]
pub trait Value: Sized + 'static {
    /// Whether it is never printed.
    const IS_SECRET: bool = false;

    /// Whether it is free text, which a variable with the name of a secret does not show
    /// ([`Var::public`](crate::Var::public) makes an exception). What cannot hold one, such as a
    /// number, is shown.
    const IS_TEXT: bool = false;

    /// Whether an empty variable is a value, and not a mistake.
    const MAY_BE_EMPTY: bool = false;

    /// What would be right, for the report and the documentation: `a port, such as 3000`.
    fn expects() -> String;

    /// Reads it.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn parse(text: &str) -> Result<Self, Invalid>;

    /// Reads it, where a bare number is one of these.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn parse_bare(text: &str, unit: Unit) -> Result<Self, Invalid> {
        let _ = unit;
        Self::parse(text)
    }
}

/// Why a text is none of its type: what follows the variable's name in the report, such as
/// `is no number`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    reason: Cow<'static, str>,
    by: By,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A reason of one's own, which follows the variable's name.
    Own,
    /// An error of somebody else's, which may quote the value.
    Quoting,
    /// An error of what takes the value, which quotes nothing of it.
    Taker,
}

impl Invalid {
    /// A reason that is fixed in the program, and so cannot quote the value.
    #[must_use]
    pub const fn new(reason: &'static str) -> Self {
        Self { reason: Cow::Borrowed(reason), by: By::Own }
    }

    /// A reason that may have the value, or parts of it, in it. Of a secret it is not shown.
    #[must_use]
    pub fn quoting(reason: impl fmt::Display) -> Self {
        Self { reason: Cow::Owned(reason.to_string()), by: By::Quoting }
    }

    pub(crate) fn of_taker(reason: impl fmt::Display) -> Self {
        Self { reason: Cow::Owned(reason.to_string()), by: By::Taker }
    }

    /// The same of one who turns out to quote the value.
    pub(crate) fn into_quoting(self) -> Self {
        Self { by: By::Quoting, ..self }
    }

    pub(crate) const fn by(&self) -> By {
        self.by
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Invalid {}

/// The value of this word, in any case, for a [`Value`] of one's own.
///
/// # Errors
/// When it is none of the words.
pub fn choice<T: Clone>(text: &str, words: &[(&str, T)]) -> Result<T, Invalid> {
    let text = text.trim();
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| value.clone()).ok_or(Invalid::new("is none of them"))
}

/// Digits, which may be grouped by `_`.
pub(crate) fn whole(text: &str) -> Result<u64, Invalid> {
    integer(text)
}

fn integer<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> Result<T, Invalid> {
    use std::num::IntErrorKind;

    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !is_number {
        return Err(Invalid::new("is no whole number"));
    }
    text.replace('_', "").parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => Invalid::new("is too large"),
        // An unsigned type takes its minus sign for no digit.
        IntErrorKind::NegOverflow | IntErrorKind::InvalidDigit => Invalid::new("is too small"),
        IntErrorKind::Zero => Invalid::new("is 0"),
        _ => Invalid::new("is no whole number"),
    })
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn expects() -> String {
                format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX)
            }

            fn parse(text: &str) -> Result<Self, Invalid> {
                integer(text)
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize NonZeroU16 NonZeroU32 NonZeroU64 NonZeroUsize }

impl Value for bool {
    fn expects() -> String {
        String::from("true or false")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let words = [
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("yes", true),
            ("no", false),
            ("on", true),
            ("off", false),
        ];
        choice(text, &words).map_err(|_| Invalid::new("is neither"))
    }
}

impl Value for f64 {
    fn expects() -> String {
        String::from("a number, such as 0.25")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let number: Self = text.trim().parse().map_err(|_| Invalid::new("is no number"))?;
        number.is_finite().then_some(number).ok_or(Invalid::new("is not finite"))
    }
}

impl Value for String {
    const IS_TEXT: bool = true;

    fn expects() -> String {
        Self::from("a text")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(text.to_owned())
    }
}

impl Value for PathBuf {
    const IS_TEXT: bool = true;

    fn expects() -> String {
        String::from("a path")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(Self::from(text))
    }
}

impl<T: Value + Zeroize> Value for Secret<T> {
    const IS_SECRET: bool = true;
    const IS_TEXT: bool = true;

    fn expects() -> String {
        T::expects()
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        // What an `echo` or an editor leaves at the end of a secret is found hours later.
        if text.trim().len() != text.len() {
            return Err(Invalid::new("begins or ends in white space"));
        }
        T::parse(text).map(Self::new)
    }
}

macro_rules! addresses {
    ($($type:ty, $expects:literal, $reason:literal;)*) => {$(
        impl Value for $type {
            fn expects() -> String {
                String::from($expects)
            }

            fn parse(text: &str) -> Result<Self, Invalid> {
                text.trim().parse().map_err(|_| Invalid::new($reason))
            }
        }
    )*};
}

addresses! {
    SocketAddr, "an address and a port, such as 127.0.0.1:3000, [::1]:3000 or, for a free port, 127.0.0.1:0", "is no address and port";
    IpAddr, "an IP address, such as 127.0.0.1 or ::1", "is no IP address";
    Ipv4Addr, "an IPv4 address, such as 127.0.0.1", "is no IPv4 address";
    Ipv6Addr, "an IPv6 address, such as ::1", "is no IPv6 address";
}

impl<T: Value> Value for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;
    const IS_TEXT: bool = T::IS_TEXT;
    const MAY_BE_EMPTY: bool = true;

    fn expects() -> String {
        format!("a list with commas, each part {}", T::expects())
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        list(text, T::parse)
    }

    fn parse_bare(text: &str, unit: Unit) -> Result<Self, Invalid> {
        list(text, |part| T::parse_bare(part, unit))
    }
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, Invalid>) -> Result<Vec<T>, Invalid> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let part = |(at, part): (usize, &str)| match part.trim() {
        "" => {
            Err(Invalid { reason: format!("has nothing in part {}", at + 1).into(), by: By::Own })
        }
        part => parse(part).map_err(|error| Invalid {
            reason: format!("{error}, in part {}", at + 1).into(),
            by: error.by,
        }),
    };
    text.split(',').enumerate().map(part).collect()
}
