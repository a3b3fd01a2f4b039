use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use super::{Number, Strict};

/// Reads a number of which this is true, or says what was `wanted`.
pub(crate) fn number<'de, D, T>(
    from: D,
    wanted: impl fmt::Display,
    is_taken: impl Fn(T) -> bool,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Number,
{
    from.deserialize_any(Visit { wanted, is_taken, number: PhantomData })
}

struct Visit<W, F, T> {
    wanted: W,
    is_taken: F,
    number: PhantomData<T>,
}

impl<W: fmt::Display, F: Fn(T) -> bool, T: Number> Visit<W, F, T> {
    fn take<E: Error>(&self, number: Option<T>) -> Result<T, E> {
        let taken = number.filter(|number| (self.is_taken)(*number));
        taken.ok_or_else(|| E::invalid_value(Unexpected::Other("another"), self))
    }
}

impl<W: fmt::Display, F: Fn(T) -> bool, T: Number> Visitor<'_> for Visit<W, F, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wanted.fmt(f)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.take(T::from_unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.take(T::from_signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.take(T::from_float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.take(T::read(text))
    }
}

impl<'de, T: Number> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        number(from, T::WANTED, |_| true).map(Self)
    }
}

impl<T: Serialize> Serialize for Strict<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}
