//! A scalar, taken out of a value that is only known to be `Serialize`.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{self, Impossible},
};

/// What a value comes down to.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    /// `None`, `()`.
    Nothing,
    Text(&'a str),
    Other(&'a dyn fmt::Display),
}

/// Calls with the scalar; for a struct, a map or a list it does not and fails.
pub(super) struct WithScalar<F>(pub(super) F);

/// A struct, a map, a list.
#[derive(Debug)]
pub(super) struct NoScalar;

impl fmt::Display for NoScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no scalar")
    }
}

impl std::error::Error for NoScalar {}

impl ser::Error for NoScalar {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! texts {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<Self::Ok, Self::Error> {
            Ok((self.0)(Scalar::Other(&value)))
        })*
    };
}

impl<R, F: FnOnce(Scalar<'_>) -> R> Serializer for WithScalar<F> {
    type Ok = R;
    type Error = NoScalar;
    type SerializeSeq = Impossible<Self::Ok, NoScalar>;
    type SerializeTuple = Impossible<Self::Ok, NoScalar>;
    type SerializeTupleStruct = Impossible<Self::Ok, NoScalar>;
    type SerializeTupleVariant = Impossible<Self::Ok, NoScalar>;
    type SerializeMap = Impossible<Self::Ok, NoScalar>;
    type SerializeStruct = Impossible<Self::Ok, NoScalar>;
    type SerializeStructVariant = Impossible<Self::Ok, NoScalar>;

    texts! {
        serialize_bool: bool,
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
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
    }

    fn serialize_str(self, value: &str) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Text(value)))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Text(&String::from_utf8_lossy(value))))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Other(&value)))
    }

    fn serialize_none(self) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Nothing))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Nothing))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Text(name)))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(Scalar::Text(variant)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Self::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, Self::Error> {
        Err(NoScalar)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        Err(NoScalar)
    }
}
