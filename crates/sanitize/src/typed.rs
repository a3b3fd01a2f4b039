//! Parameters that nearly every service has.

use std::{fmt, str::FromStr};

use crate::number::{Number, NumberError, Strict};

#[cfg(feature = "serde")]
mod serde;

/// The id of a row: an integer from 1 up, in the one way in which it is written.
///
/// ```
/// use buttress_sanitize::Id;
///
/// assert_eq!("42".parse::<Id>()?.get(), 42);
/// for text in ["0", "-1", "+42", "042", "4 2", "42; drop table", "18446744073709551616"] {
///     assert!(text.parse::<Id>().is_err(), "{text}");
/// }
/// assert!("300".parse::<Id<u8>>().is_err());
/// # Ok::<(), buttress_sanitize::NumberError>(())
/// ```
///
/// A float is no id:
///
/// ```compile_fail
/// let _ = "0.5".parse::<buttress_sanitize::Id<f64>>();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<T = u64>(T);

const ID: &str = "an id, an integer from 1";

impl<T: Number + Default + Ord> Id<T> {
    /// An id; `None` for 0 and less.
    #[must_use]
    pub fn new(id: T) -> Option<Self> {
        (id > T::default()).then_some(Self(id))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> T {
        self.0
    }
}

impl<T: Number + Default + Ord> FromStr for Id<T> {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let number: Option<Strict<T>> = text.parse().ok();
        number.and_then(|number| Self::new(number.0)).ok_or(NumberError::new(ID))
    }
}

impl<T: fmt::Display> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which part of a list: the parameters `page`, from 1, and `limit`, from 1 to `MAX`; where they
/// are missing, the first page and `DEFAULT` rows. What is out of range is an error, and not bent
/// into it.
///
/// ```
/// use buttress_sanitize::Page;
///
/// let page = <Page>::default();
/// assert_eq!((page.number(), page.limit(), page.offset()), (1, 20, 0));
/// let page = <Page>::new(3, 50).unwrap();
/// assert_eq!(page.offset(), 100);
/// assert_eq!(<Page>::new(0, 20), None);
/// assert_eq!(<Page>::new(1, 101), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page<const MAX: u32 = 100, const DEFAULT: u32 = 20> {
    number: u32,
    limit: u32,
}

impl<const MAX: u32, const DEFAULT: u32> Page<MAX, DEFAULT> {
    /// A page; `None` where one of the two is out of its range.
    #[must_use]
    pub const fn new(number: u32, limit: u32) -> Option<Self> {
        if number == 0 || limit == 0 || limit > MAX {
            return None;
        }
        Some(Self { number, limit })
    }

    /// Which page, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many rows a page has at most.
    #[must_use]
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// How many rows come before it.
    #[must_use]
    pub const fn offset(self) -> u64 {
        (self.number as u64 - 1) * self.limit as u64
    }
}

impl<const MAX: u32, const DEFAULT: u32> Default for Page<MAX, DEFAULT> {
    fn default() -> Self {
        const { assert!(DEFAULT >= 1 && DEFAULT <= MAX, "the default is within the range") };
        Self { number: 1, limit: DEFAULT }
    }
}

/// Where a list goes on: what the service gave out before, 1 to 512 characters of base64url
/// (`A-Z`, `a-z`, `0-9`, `-`, `_`). Nothing is known of its content; whoever must not read or
/// change it gets it sealed.
///
/// ```
/// use buttress_sanitize::Cursor;
///
/// assert_eq!("MTIz".parse::<Cursor>()?.as_str(), "MTIz");
/// assert!("MTIz=".parse::<Cursor>().is_err());
/// assert!("' or 1=1".parse::<Cursor>().is_err());
/// # Ok::<(), buttress_sanitize::CursorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

/// A text is no [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorError(());

const CURSOR: &str = "a cursor, 1 to 512 characters of base64url";

impl Cursor {
    /// The longest.
    pub const MAX: usize = 512;

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match (1..=Self::MAX).contains(&text.len()) && text.bytes().all(is_taken) {
            true => Ok(Self(text.into())),
            false => Err(CursorError(())),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {CURSOR}")
    }
}

impl std::error::Error for CursorError {}
