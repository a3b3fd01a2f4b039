//! Structs, maps and lists, entry by entry.

use serde::{
    Serialize, Serializer,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{
    Scope,
    entry::{Censored, Entry},
    serializer::Redactor,
};
use crate::Verdict;

/// Lists and tuples.
pub(super) struct Elements<'r, C> {
    inner: C,
    scope: Scope<'r>,
    index: usize,
}

/// Named fields.
pub(super) struct Fields<'r, C> {
    inner: C,
    scope: Scope<'r>,
}

pub(super) enum Struct<'r, S: Serializer> {
    Fields(Fields<'r, S::SerializeStruct>),
    /// A number whose digits are still to come.
    Number(Option<Redactor<'r, S>>),
    /// A clear number: its digits, as they are.
    Digits(S::SerializeStruct),
    /// A number that was censored.
    Written(S::Ok),
    /// JSON that nobody has looked into: nothing of it is written.
    Raw {
        inner: S,
        scope: Scope<'r>,
    },
}

pub(super) struct Map<'r, C> {
    inner: C,
    scope: Scope<'r>,
    // By the key that came last.
    entry: Option<Entry<'r>>,
}

// === impl Elements ===

impl<'r, C> Elements<'r, C> {
    pub(super) const fn new(inner: C, scope: Scope<'r>) -> Self {
        Self { inner, scope, index: 0 }
    }

    /// The next element, through `write`. One that is to be removed leaves an empty text: those
    /// after it keep their places.
    fn next<T: Serialize + ?Sized, E>(
        &mut self,
        value: &T,
        write: impl FnOnce(&mut C, &Either<'_, 'r, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (below, censor) = self.scope.index(self.index);
        self.index += 1;
        let value = match censor {
            None => Either::Below(below, value),
            Some(censor) => {
                Either::Censored(Censored { value, censor: self.scope.rules.censor_at(censor) })
            }
        };
        write(&mut self.inner, &value)
    }
}

/// An element as it is written.
enum Either<'a, 'r, T: ?Sized> {
    Below(Scope<'r>, &'a T),
    Censored(Censored<'a, T>),
}

impl<T: Serialize + ?Sized> Serialize for Either<'_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Below(scope, value) => scope.below(*value).serialize(serializer),
            Self::Censored(censored) => censored.serialize(serializer),
        }
    }
}

macro_rules! elements {
    ($($serialize:ident::$method:ident,)*) => {
        $(impl<C: $serialize> $serialize for Elements<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.next(value, |inner, value| inner.$method(value))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

// === impl Fields ===

impl<'r, C> Fields<'r, C> {
    pub(super) const fn new(inner: C, scope: Scope<'r>) -> Self {
        Self { inner, scope }
    }
}

macro_rules! fields {
    ($($serialize:ident,)*) => {
        $(impl<C: $serialize> $serialize for Fields<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let Entry { below, verdict, .. } = Entry::field(self.scope, key);
                match verdict {
                    Verdict::Clear => self.inner.serialize_field(key, &below.below(value)),
                    Verdict::Remove => self.inner.skip_field(key),
                    Verdict::Censor(censor) => {
                        self.inner.serialize_field(key, &Censored { value, censor })
                    }
                }
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant, }

// === impl Struct ===

impl<S: Serializer> SerializeStruct for Struct<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        match self {
            Self::Fields(fields) => fields.serialize_field(key, value),
            Self::Number(redactor) => {
                if let Some(redactor) = redactor.take() {
                    *self = redactor.digits(key, value)?;
                }
                Ok(())
            }
            Self::Digits(digits) => digits.serialize_field(key, value),
            Self::Written(_) | Self::Raw { .. } => Ok(()),
        }
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
        match self {
            Self::Fields(fields) => fields.skip_field(key),
            Self::Number(_) | Self::Digits(_) | Self::Written(_) | Self::Raw { .. } => Ok(()),
        }
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fields(fields) => fields.end(),
            Self::Number(_) => Err(ser::Error::custom("a number without digits")),
            Self::Digits(digits) => digits.end(),
            Self::Written(written) => Ok(written),
            Self::Raw { inner, scope } => inner.serialize_str(scope.rules.default_censor().whole()),
        }
    }
}

// === impl Map ===

impl<'r, C> Map<'r, C> {
    pub(super) const fn new(inner: C, scope: Scope<'r>) -> Self {
        Self { inner, scope, entry: None }
    }
}

impl<C: SerializeMap> SerializeMap for Map<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        let entry = Entry::of(self.scope, key);
        self.entry = Some(entry);
        match entry.verdict {
            Verdict::Remove => Ok(()),
            _ if entry.hides_key => self.inner.serialize_key(&self.scope.below(key)),
            _ => self.inner.serialize_key(key),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        // A value without a key is the format's to refuse.
        let entry = self.entry.take().unwrap_or_else(|| Entry::field(self.scope, ""));
        match entry.verdict {
            Verdict::Clear => self.inner.serialize_value(&entry.below.below(value)),
            Verdict::Remove => Ok(()),
            Verdict::Censor(censor) => self.inner.serialize_value(&Censored { value, censor }),
        }
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
