//! Parameters into types.

use std::{borrow::Cow, collections::HashMap};

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _,
        IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

use crate::{
    form::name::canonical,
    guarded::{DataError, fault::Fault},
    number::{Number, Strict},
    percent::Percent,
    pointer,
};

/// Reads parameters that were judged before. Integers, floats and booleans are read strictly;
/// `tag=a&tag=b`, `tag[]=…` and `tag[0]=…` are a list.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, DataError> {
    let mut params = Params { rest: group(text).into_iter(), key: None, values: Vec::new() };
    T::deserialize(&mut params).map_err(|fault| {
        let mut pointer = String::new();
        if let Some(key) = &params.key {
            pointer::push_key(&mut pointer, key.as_bytes());
        }
        DataError::new(pointer, fault)
    })
}

type Values<'a> = Vec<Cow<'a, str>>;

/// The values by name, in the order in which the names first come.
fn group(text: &[u8]) -> Vec<(String, Values<'_>)> {
    let mut groups: Vec<(String, Values<'_>)> = Vec::new();
    let mut places = HashMap::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            None => (pair, &[][..]),
            Some(at) => {
                (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default())
            }
        };
        let mut one = Vec::new();
        canonical(decode(name).as_bytes(), &mut one);
        let name = String::from_utf8(one).unwrap_or_default();
        let value = decode(value);
        let place = *places.entry(name.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    groups
}

fn decode(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return String::from_utf8_lossy(text);
    }
    let mut percent = Percent::default();
    let decoded = text.iter().filter_map(|byte| match byte {
        b'+' => Some(b' '),
        byte => percent.step(*byte).flatten(),
    });
    let decoded: Vec<u8> = decoded.collect();
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

struct Params<'a> {
    rest: std::vec::IntoIter<(String, Values<'a>)>,
    // Which is read.
    key: Option<String>,
    values: Values<'a>,
}

impl<'de> Deserializer<'de> for &mut Params<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq bytes byte_buf map
        unit_struct tuple_struct struct identifier tuple enum ignored_any
    }
}

impl<'de> MapAccess<'de> for &mut Params<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, values)) = self.rest.next() else {
            // What is wrong from now on is wrong with the whole.
            self.key = None;
            return Ok(None);
        };
        self.values = values;
        let key = self.key.insert(key);
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(Value(std::mem::take(&mut self.values)))
    }
}

/// The values of one name.
struct Value<'a>(Values<'a>);

impl<'a> Value<'a> {
    /// The only one. Where nobody reads a list there is no telling which was meant.
    fn only(self, expected: &dyn de::Expected) -> Result<Cow<'a, str>, Fault> {
        let mut values = self.0.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(Fault::invalid_type(Unexpected::Seq, expected)),
        }
    }

    fn number<T: Number>(self, expected: &dyn de::Expected) -> Result<T, Fault> {
        let text = self.only(expected)?;
        let number: Result<Strict<T>, _> = text.parse();
        number.map(|number| number.0).map_err(|error| Fault::expected(Wanted(error)))
    }
}

/// A number's own words, without their "expected".
struct Wanted(crate::number::NumberError);

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.wanted())
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = self.number::<$type>(&visitor)?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.only(&visitor)? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.only(&visitor)?;
        match &*text {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Fault::expected("true or false")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Items(self.0.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let name = self.only(&visitor)?;
        visitor.visit_enum(Variant(name))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple_struct map struct identifier
    }
}

struct Items<'a>(std::vec::IntoIter<Cow<'a, str>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|value| seed.deserialize(Value(vec![value]))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Variant<'a>(Cow<'a, str>);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Unit;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Unit), Fault> {
        seed.deserialize(self.0.into_deserializer()).map(|name| (name, Unit))
    }
}

/// A variant without content: a parameter has no room for any.
struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(Fault::default())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::default())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::default())
    }
}
