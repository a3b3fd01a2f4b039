//! Numbers as they are written in only one way.

use std::{error::Error, fmt, num, str::FromStr};

/// A number that can be read strictly: an integer of the standard library, its `NonZero`, `f32`
/// or `f64`.
pub trait Number: Sealed + Copy + fmt::Debug {}

mod sealed {
    pub trait Sealed: Sized {
        const WANTED: &'static str;
        fn read(text: &str) -> Option<Self>;
        #[cfg(feature = "serde")]
        fn from_unsigned(number: u64) -> Option<Self>;
        #[cfg(feature = "serde")]
        fn from_signed(number: i64) -> Option<Self>;
        #[cfg(feature = "serde")]
        fn from_float(number: f64) -> Option<Self>;
    }
}
pub(crate) use sealed::Sealed;

/// A number that a client wrote, read strictly.
///
/// `str::parse` takes `+1` and `01` for integers and `NaN`, `inf`, `1e999`, `.5` for floats. What is
/// taken in two notations can get past whoever compares the text. This takes what JSON does
/// (RFC 8259 §6), no negative zero, for integers digits only, and no more than fits.
///
/// In a text, as in a query or a path, and in JSON; there it is a number or, as for integers beyond
/// what JavaScript counts, a text.
///
/// ```
/// use buttress_sanitize::Strict;
///
/// assert_eq!("-12".parse::<Strict<i32>>()?.0, -12);
/// assert_eq!("2.5e3".parse::<Strict<f64>>()?.0, 2500.0);
/// for text in ["", "+1", "01", "-0", "1 ", "0x1", "1_000", "１", "256"] {
///     assert!(text.parse::<Strict<u8>>().is_err(), "{text}");
/// }
/// for text in ["NaN", "inf", "-0.0", ".5", "1.", "1e999"] {
///     assert!(text.parse::<Strict<f64>>().is_err(), "{text}");
/// }
/// # Ok::<(), buttress_sanitize::NumberError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strict<T>(pub T);

/// A text is no such number. It does not have the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberError {
    wanted: &'static str,
}

impl NumberError {
    pub(crate) const fn new(wanted: &'static str) -> Self {
        Self { wanted }
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn wanted(self) -> &'static str {
        self.wanted
    }
}

impl<T: Number> FromStr for Strict<T> {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        T::read(text).map(Self).ok_or(NumberError::new(T::WANTED))
    }
}

impl<T: fmt::Display> fmt::Display for Strict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.wanted)
    }
}

impl Error for NumberError {}

/// `0`, or digits that begin with another, and a `-` before these.
fn is_integer(text: &[u8]) -> bool {
    match text.strip_prefix(b"-").unwrap_or(text) {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The grammar of RFC 8259 §6.
fn is_float(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = rest.split_at_checked(digits(rest)).unwrap_or_default();
    if !matches!(whole, [b'0'] | [b'1'..=b'9', ..]) {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => match digits(fraction) {
            0 => return false,
            length => fraction.get(length..).unwrap_or_default(),
        },
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', power @ ..] | [b'e' | b'E', power @ ..] => {
            !power.is_empty() && power.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

macro_rules! integers {
    ($($type:ty: $wanted:literal, $non_zero:literal;)*) => {$(
        impl Number for $type {}
        impl Sealed for $type {
            const WANTED: &'static str = $wanted;
            fn read(text: &str) -> Option<Self> {
                is_integer(text.as_bytes()).then(|| text.parse().ok()).flatten()
            }
            #[cfg(feature = "serde")]
            fn from_unsigned(number: u64) -> Option<Self> {
                Self::try_from(number).ok()
            }
            #[cfg(feature = "serde")]
            fn from_signed(number: i64) -> Option<Self> {
                Self::try_from(number).ok()
            }
            #[cfg(feature = "serde")]
            fn from_float(_: f64) -> Option<Self> {
                None
            }
        }
        impl Number for num::NonZero<$type> {}
        impl Sealed for num::NonZero<$type> {
            const WANTED: &'static str = $non_zero;
            fn read(text: &str) -> Option<Self> {
                Self::new(Sealed::read(text)?)
            }
            #[cfg(feature = "serde")]
            fn from_unsigned(number: u64) -> Option<Self> {
                Self::new(Sealed::from_unsigned(number)?)
            }
            #[cfg(feature = "serde")]
            fn from_signed(number: i64) -> Option<Self> {
                Self::new(Sealed::from_signed(number)?)
            }
            #[cfg(feature = "serde")]
            fn from_float(_: f64) -> Option<Self> {
                None
            }
        }
    )*};
}

integers! {
    u8: "an integer from 0 to 255", "an integer from 1 to 255";
    u16: "an integer from 0 to 65535", "an integer from 1 to 65535";
    u32: "an integer from 0 to 2^32 - 1", "an integer from 1 to 2^32 - 1";
    u64: "an integer from 0 to 2^64 - 1", "an integer from 1 to 2^64 - 1";
    u128: "an integer from 0 to 2^128 - 1", "an integer from 1 to 2^128 - 1";
    usize: "an integer from 0", "an integer from 1";
    i8: "an integer from -128 to 127", "an integer from -128 to 127, and not 0";
    i16: "an integer from -32768 to 32767", "an integer from -32768 to 32767, and not 0";
    i32: "an integer from -2^31 to 2^31 - 1", "an integer from -2^31 to 2^31 - 1, and not 0";
    i64: "an integer from -2^63 to 2^63 - 1", "an integer from -2^63 to 2^63 - 1, and not 0";
    i128: "an integer from -2^127 to 2^127 - 1", "an integer from -2^127 to 2^127 - 1, and not 0";
    isize: "an integer", "an integer, and not 0";
}

macro_rules! floats {
    ($($type:ty: $cast:expr),*) => {$(
        impl Number for $type {}
        impl Sealed for $type {
            const WANTED: &'static str = "a number";
            fn read(text: &str) -> Option<Self> {
                let number: Self = is_float(text.as_bytes()).then(|| text.parse().ok()).flatten()?;
                (number.is_finite() && !is_negative_zero(number.into())).then_some(number)
            }
            #[cfg(feature = "serde")]
            fn from_unsigned(number: u64) -> Option<Self> {
                Some(number as Self)
            }
            #[cfg(feature = "serde")]
            fn from_signed(number: i64) -> Option<Self> {
                Some(number as Self)
            }
            #[cfg(feature = "serde")]
            fn from_float(number: f64) -> Option<Self> {
                let cast: Self = $cast(number);
                (cast.is_finite() && !is_negative_zero(cast.into())).then_some(cast)
            }
        }
    )*};
}

floats!(f32: narrow, f64: std::convert::identity);

/// What is too large becomes infinite.
#[cfg(feature = "serde")]
#[expect(clippy::cast_possible_truncation, reason = "it is the nearest, as when text is parsed")]
const fn narrow(number: f64) -> f32 {
    number as f32
}

fn is_negative_zero(number: f64) -> bool {
    number == 0.0 && number.is_sign_negative()
}

#[cfg(feature = "serde")]
pub(crate) mod de;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_integer_is_read_as_it_is_written_and_in_no_other_way(
            number in any::<i64>(), text in "[-+]?0{0,2}[0-9]{0,4}",
        ) {
            prop_assert_eq!(number.to_string().parse::<Strict<i64>>().unwrap().0, number);
            if let Ok(Strict(number)) = text.parse::<Strict<i64>>() {
                prop_assert_eq!(number.to_string(), text);
            }
        }

        #[test]
        fn every_finite_float_is_read(number in any::<f64>().prop_filter("of JSON", |n| n.is_normal())) {
            prop_assert_eq!(number.to_string().parse::<Strict<f64>>().unwrap().0, number);
        }
    }

    #[test]
    fn floats_are_those_of_json() {
        for text in ["0", "1", "-1", "0.5", "1e5", "1E+5", "-2.50e-3", "1e-999"] {
            assert!(text.parse::<Strict<f64>>().is_ok(), "{text}");
        }
        for text in [
            "", "-", "+1", "01", "-0", "-0.0", "1.", ".5", "1e", "1e+", "1e5.0", "0x1", "1_0",
            "NaN", "nan", "inf", "-inf", "infinity", "1e999", " 1", "1 ", "１", "٣", "1,5",
        ] {
            assert!(text.parse::<Strict<f64>>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_such_number() {
        assert!("255".parse::<Strict<u8>>().is_ok() && "256".parse::<Strict<u8>>().is_err());
        assert!("-128".parse::<Strict<i8>>().is_ok() && "-129".parse::<Strict<i8>>().is_err());
        let error = "0".parse::<Strict<num::NonZero<u8>>>().unwrap_err();
        assert_eq!(error.to_string(), "expected an integer from 1 to 255");
        let error = "0".parse::<Strict<num::NonZero<i8>>>().unwrap_err();
        assert_eq!(error.to_string(), "expected an integer from -128 to 127, and not 0");
        assert!("1e39".parse::<Strict<f32>>().is_err());
    }
}
