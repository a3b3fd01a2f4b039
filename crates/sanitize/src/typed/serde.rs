use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Unexpected, Visitor},
};

use super::{CURSOR, Cursor, ID, Id, Page};
use crate::number::{Number, de::number};

impl<'de, T: Number + Default + Ord> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        number(from, ID, |id| Self::new(id).is_some()).map(Self)
    }
}

impl<T: Serialize> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(|_| D::Error::invalid_value(Unexpected::Other("another"), &CURSOR))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de, const MAX: u32, const DEFAULT: u32> Deserialize<'de> for Page<MAX, DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_struct("Page", &["page", "limit"], Pages(PhantomData))
    }
}

struct Pages<const MAX: u32, const DEFAULT: u32>(PhantomData<Page<MAX, DEFAULT>>);

impl<'de, const MAX: u32, const DEFAULT: u32> Visitor<'de> for Pages<MAX, DEFAULT> {
    type Value = Page<MAX, DEFAULT>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page and a limit")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Page { mut number, mut limit } = Page::<MAX, DEFAULT>::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "page" => number = map.next_value_seed(Within { most: u32::MAX })?,
                "limit" => limit = map.next_value_seed(Within { most: MAX })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Page { number, limit })
    }
}

/// A number from 1 to this: told while its parameter is read, so that the error names it.
#[derive(Clone, Copy)]
struct Within {
    most: u32,
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<u32, D::Error> {
        number(from, self, |number| (1..=self.most).contains(&number))
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most {
            u32::MAX => f.write_str("an integer from 1"),
            most => write!(f, "an integer from 1 to {most}"),
        }
    }
}
