//! The serializer that stands before the format's.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    Scope, Text,
    compound::{Elements, Fields, Map, Struct},
    entry::{Censored, Shown},
    scalar::{Scalar, WithScalar},
};
use crate::{Verdict, scratch};

/// `serde_json`'s `RawValue` comes as a struct of this name.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// And so do its numbers, with its feature `arbitrary_precision`: what is in there must stay one.
const NUMBER: &str = "$serde_json::private::Number";

pub(super) struct Redactor<'r, S> {
    inner: S,
    scope: Scope<'r>,
}

impl<'r, S: Serializer> Redactor<'r, S> {
    pub(super) const fn new(inner: S, scope: Scope<'r>) -> Self {
        Self { inner, scope }
    }

    /// A scalar: censored where everything is, else as it is.
    fn scalar(
        self,
        value: &dyn fmt::Display,
        clear: impl FnOnce(S) -> Result<S::Ok, S::Error>,
    ) -> Result<S::Ok, S::Error> {
        match self.scope.forced {
            Some(censor) => {
                let censor = self.scope.rules.censor_at(censor);
                self.inner.collect_str(&Shown { censor, value })
            }
            None => clear(self.inner),
        }
    }

    /// A scalar that the rules may know by its look.
    fn number(
        self,
        value: &dyn fmt::Display,
        verdict: Verdict<'_>,
        clear: impl FnOnce(S) -> Result<S::Ok, S::Error>,
    ) -> Result<S::Ok, S::Error> {
        match verdict {
            Verdict::Censor(censor) if self.scope.forced.is_none() => {
                self.inner.collect_str(&Shown { censor, value })
            }
            Verdict::Remove if self.scope.forced.is_none() => self.inner.serialize_str(""),
            _ => self.scalar(value, clear),
        }
    }

    /// A number that comes as the text of its digits.
    pub(super) fn digits<T: Serialize + ?Sized>(
        self,
        key: &'static str,
        value: &T,
    ) -> Result<Struct<'r, S>, S::Error> {
        let rules = self.scope.rules;
        let look = WithScalar(|scalar: Scalar<'_>| match scalar {
            Scalar::Text(digits) => rules.digits(digits),
            Scalar::Nothing | Scalar::Other(_) => Verdict::Clear,
        });
        let by_look = value.serialize(look).unwrap_or(Verdict::Clear);
        match self.scope.forced.map_or(by_look, |censor| Verdict::Censor(rules.censor_at(censor))) {
            Verdict::Clear => {
                let mut digits = self.inner.serialize_struct(NUMBER, 1)?;
                digits.serialize_field(key, value)?;
                Ok(Struct::Digits(digits))
            }
            Verdict::Remove => self.inner.serialize_str("").map(Struct::Written),
            Verdict::Censor(censor) => {
                Censored { value, censor }.serialize(self.inner).map(Struct::Written)
            }
        }
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            let rules = self.scope.rules;
            let verdict = u128::try_from(value).map_or(Verdict::Clear, |value| rules.number(value));
            self.number(&value, verdict, |inner| inner.$method(value))
        })*
    };
}

macro_rules! scalars {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.scalar(&value, |inner| inner.$method(value))
        })*
    };
}

impl<'r, S: Serializer> Serializer for Redactor<'r, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Elements<'r, S::SerializeSeq>;
    type SerializeTuple = Elements<'r, S::SerializeTuple>;
    type SerializeTupleStruct = Elements<'r, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Elements<'r, S::SerializeTupleVariant>;
    type SerializeMap = Map<'r, S::SerializeMap>;
    type SerializeStruct = Struct<'r, S>;
    type SerializeStructVariant = Fields<'r, S::SerializeStructVariant>;

    numbers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
    }

    scalars! {
        serialize_bool: bool,
        serialize_char: char,
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        // It has 7 digits and a card 13.
        self.scalar(&value, |inner| inner.serialize_f32(value))
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        let verdict = self.scope.rules.float(value);
        self.number(&value, verdict, |inner| inner.serialize_f64(value))
    }

    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        let rules = self.scope.rules;
        self.scalar(&value, |inner| match rules.is_clear(value) {
            true => inner.serialize_str(value),
            false => inner.collect_str(&Text { rules, text: value }),
        })
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        scratch::formatted(format_args!("{value}"), |text| self.serialize_str(text))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        match self.scope.rules.are_clear(value) {
            true => self.scalar(&value.escape_ascii(), |inner| inner.serialize_bytes(value)),
            false => self.serialize_str(&String::from_utf8_lossy(value)),
        }
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&self.scope.below(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.scalar(&variant, |inner| inner.serialize_unit_variant(name, index, variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &self.scope.below(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let (below, censor) = self.scope.key(variant);
        match censor {
            None => self.inner.serialize_newtype_variant(name, index, variant, &below.below(value)),
            // A variant is never left out: its enum would have none.
            Some(censor) => {
                let censor = self.scope.rules.censor_at(censor);
                let value = Censored { value, censor };
                self.inner.serialize_newtype_variant(name, index, variant, &value)
            }
        }
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.inner.serialize_seq(len).map(|inner| Elements::new(inner, self.scope))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.inner.serialize_tuple(len).map(|inner| Elements::new(inner, self.scope))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let inner = self.inner.serialize_tuple_struct(name, len)?;
        Ok(Elements::new(inner, self.scope))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let inner = self.inner.serialize_tuple_variant(name, index, variant, len)?;
        Ok(Elements::new(inner, self.scope.variant(variant)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        // An entry may be left out.
        let len = len.filter(|_| !self.scope.rules.removes());
        self.inner.serialize_map(len).map(|inner| Map::new(inner, self.scope))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        match name {
            RAW_VALUE => Ok(Struct::Raw { inner: self.inner, scope: self.scope }),
            NUMBER => Ok(Struct::Number(Some(self))),
            _ => {
                let inner = self.inner.serialize_struct(name, len)?;
                Ok(Struct::Fields(Fields::new(inner, self.scope)))
            }
        }
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let inner = self.inner.serialize_struct_variant(name, index, variant, len)?;
        Ok(Fields::new(inner, self.scope.variant(variant)))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
