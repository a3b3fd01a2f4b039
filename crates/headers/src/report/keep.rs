//! Reading JSON without building what is not kept.
//!
//! A tree of all the values in 64 KiB of `{"":0},{"":0},…` takes 6.4 MB and some milliseconds
//! (measured with `serde_json` 1.0.154), and anyone may send it. So only the members that a report
//! can have are kept, and the rest is skipped as it is read.

use std::{collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The members of both formats. What is not named here is skipped.
const MEMBERS: &[&str] = &[
    "blocked-uri",
    "blockedURL",
    "body",
    "column-number",
    "columnNumber",
    "csp-report",
    "disposition",
    "document-uri",
    "documentURL",
    "effective-directive",
    "effectiveDirective",
    "id",
    "line-number",
    "lineNumber",
    "source-file",
    "sourceFile",
    "type",
    "url",
    "violated-directive",
];

pub(super) type Members = BTreeMap<&'static str, Kept>;

/// What is left of a value.
pub(super) enum Kept {
    Object(Members),
    Text(String),
    Number(u64),
    /// An array, or a scalar that no member of a report is.
    Nothing,
}

impl Kept {
    pub(super) const fn as_object(&self) -> Option<&Members> {
        match self {
            Self::Object(members) => Some(members),
            Self::Text(_) | Self::Number(_) | Self::Nothing => None,
        }
    }
}

/// Keeps the members of an object, and of the objects among them.
pub(super) const REPORT: Keep = Keep { levels: 2 };

/// Keeps the members of so many levels of objects.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    levels: u8,
}

impl<'de> DeserializeSeed<'de> for Keep {
    type Value = Kept;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Kept, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Kept, E> {
        Ok(Kept::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kept, E> {
        Ok(Kept::Nothing)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kept, E> {
        Ok(Kept::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kept, E> {
        Ok(Kept::Nothing)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kept, E> {
        Ok(Kept::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kept, E> {
        Ok(Kept::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Kept, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Kept::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Kept, A::Error> {
        let inside = self.levels.checked_sub(1).map(|levels| Self { levels });
        let mut members = Members::new();
        while let Some(name) = object.next_key::<String>()? {
            match (inside, MEMBERS.iter().find(|member| **member == name)) {
                (Some(inside), Some(member)) => {
                    members.insert(member, object.next_value_seed(inside)?);
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Kept::Object(members))
    }
}
