//! A deserialiser around `serde_json`'s that sees all keys and texts that pass through.
//!
//! It need not be exact, only never too kind: where it is not sure, the guard is asked. So an
//! enum, which may be a text or an object, is counted as an object.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{
    fault::Fault,
    walk::{Stop, Walk},
};

/// What `serde_json` calls a value that it does not look into.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// What a value is to the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Value,
    Key,
    /// The name of an enum's variant: a key of an object, or a text.
    Variant,
}

/// Stands between `serde_json` and what is read: as the one's deserialiser and the other's seed.
pub(super) struct Guard<'a, T> {
    inner: T,
    walk: &'a mut Walk,
    role: Role,
}

impl<'a, T> Guard<'a, T> {
    pub(super) const fn value(inner: T, walk: &'a mut Walk) -> Self {
        Self { inner, walk, role: Role::Value }
    }

    const fn key(inner: T, walk: &'a mut Walk) -> Self {
        Self { inner, walk, role: Role::Key }
    }
}

macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Fault> {
            let Self { inner, walk, role } = self;
            let watch = Guard { inner: visitor, walk: &mut *walk, role };
            inner.$method($($name,)* watch).map_err(|_| walk.fault())
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guard<'_, D> {
    type Error = Fault;

    forward! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_identifier()
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { inner, walk, role } = self;
        if name == RAW_VALUE {
            walk.is_unsure = true;
            return inner.deserialize_newtype_struct(name, visitor).map_err(|_| walk.fault());
        }
        let watch = Guard { inner: visitor, walk: &mut *walk, role };
        inner.deserialize_newtype_struct(name, watch).map_err(|_| walk.fault())
    }

    /// What nobody asks for is looked at all the same: `serde_json` would pass over it, and over
    /// bytes that are no UTF-8.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.walk.judges {
            return self.deserialize_any(visitor);
        }
        let Self { inner, walk, role } = self;
        let watch = Guard { inner: visitor, walk: &mut *walk, role };
        inner.deserialize_ignored_any(watch).map_err(|_| walk.fault())
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit_scalars {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            if self.role != Role::Value {
                self.walk.scalar_key(value);
            }
            let Self { inner, walk, .. } = self;
            inner.$method(value).map_err(|fault| walk.keep(fault))
        }
    )*};
}

macro_rules! visit_texts {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            let Self { inner, walk, role } = self;
            let judged = match role {
                Role::Value => walk.text(&value),
                Role::Key => walk.key(&value),
                Role::Variant => walk.variant(&value),
            };
            judged.map_err(|Stop| E::custom(""))?;
            inner.$method(value).map_err(|fault| walk.keep(fault))
        }
    )*};
}

macro_rules! visit_bytes {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            let Self { inner, walk, role } = self;
            walk.is_unsure |= role != Role::Value;
            // It may be no UTF-8, which serde_json lets pass as bytes.
            let judged = std::str::from_utf8(&value).map_err(|_| Stop).and_then(|text| walk.text(text));
            judged.map_err(|Stop| E::custom(""))?;
            inner.$method(value).map_err(|fault| walk.keep(fault))
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guard<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.walk.expected.replace(Some(Fault::expected(Expecting(&self.inner))));
        self.inner.expecting(f)
    }

    visit_scalars! {
        visit_bool(bool) visit_char(char)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64)
    }

    visit_texts! { visit_str(&str) visit_borrowed_str(&'de str) visit_string(String) }

    visit_bytes! { visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>) }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        let Self { inner, walk, .. } = self;
        inner.visit_none().map_err(|fault| walk.keep(fault))
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        let Self { inner, walk, .. } = self;
        inner.visit_unit().map_err(|fault| walk.keep(fault))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let Self { inner, walk, role } = self;
        let guard = Guard { inner: deserializer, walk: &mut *walk, role };
        inner.visit_some(guard).map_err(|fault| walk.keep(fault))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let Self { inner, walk, role } = self;
        let guard = Guard { inner: deserializer, walk: &mut *walk, role };
        inner.visit_newtype_struct(guard).map_err(|fault| walk.keep(fault))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        let Self { inner, walk, .. } = self;
        walk.tree.open(false).map_err(|_| de::Error::custom(""))?;
        let read = inner.visit_seq(Guard::value(items, walk)).map_err(|fault| walk.keep(fault))?;
        walk.tree.close();
        Ok(read)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        let Self { inner, walk, .. } = self;
        walk.tree.open(true).map_err(|_| de::Error::custom(""))?;
        let read =
            inner.visit_map(Guard::value(members, walk)).map_err(|fault| walk.keep(fault))?;
        walk.tree.close();
        Ok(read)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        let Self { inner, walk, role } = self;
        walk.is_unsure |= role != Role::Value;
        walk.tree.open(true).map_err(|_| de::Error::custom(""))?;
        let read =
            inner.visit_enum(Guard::value(variant, walk)).map_err(|fault| walk.keep(fault))?;
        walk.tree.close();
        Ok(read)
    }
}

struct Expecting<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expecting<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guard<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let Self { inner, walk, role } = self;
        if role == Role::Value {
            walk.tree.value().map_err(|_| de::Error::custom(""))?;
        }
        let guard = Guard { inner: deserializer, walk: &mut *walk, role };
        inner.deserialize(guard).map_err(|fault| walk.keep(fault))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guard<'_, A> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let next = self.inner.next_element_seed(Guard::value(seed, self.walk));
        let next = next.map_err(|_| self.walk.fault())?;
        if next.is_none() {
            self.walk.tree.set_ended(true);
        }
        Ok(next)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guard<'_, A> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let next = self.inner.next_key_seed(Guard::key(seed, self.walk));
        let next = next.map_err(|_| self.walk.fault())?;
        if next.is_none() {
            self.walk.tree.set_ended(true);
        }
        Ok(next)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let value = self.inner.next_value_seed(Guard::value(seed, self.walk));
        value.map_err(|_| self.walk.fault())
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Guard<'a, A> {
    type Error = Fault;
    type Variant = Guard<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), Fault> {
        let Self { inner, walk, .. } = self;
        match inner.variant_seed(Guard { inner: seed, walk: &mut *walk, role: Role::Variant }) {
            Ok((value, variant)) => Ok((value, Guard::value(variant, walk))),
            Err(_) => Err(walk.fault()),
        }
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guard<'_, A> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let Self { inner, walk, .. } = self;
        inner.unit_variant().map_err(|_| walk.fault())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let Self { inner, walk, .. } = self;
        walk.tree.set_ended(false);
        inner.newtype_variant_seed(Guard::value(seed, walk)).map_err(|_| walk.fault())
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, walk, .. } = self;
        walk.tree.set_ended(false);
        inner.tuple_variant(length, Guard::value(visitor, walk)).map_err(|_| walk.fault())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { inner, walk, .. } = self;
        walk.tree.set_ended(false);
        inner.struct_variant(fields, Guard::value(visitor, walk)).map_err(|_| walk.fault())
    }
}
