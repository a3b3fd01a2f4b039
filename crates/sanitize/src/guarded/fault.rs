//! Why a value is not what was asked for, without the value.

use std::{borrow::Cow, error::Error, fmt};

use serde::de::{self, Expected, Unexpected};

/// What a deserialiser says, but for what was sent. A custom message is dropped: nobody knows what
/// its author has put into it.
#[derive(Debug, Default)]
// One word, since it is in every result on the way.
pub(crate) struct Fault(Option<Box<Cow<'static, str>>>);

impl Fault {
    pub(crate) fn detail(self) -> Cow<'static, str> {
        self.0.map_or(Cow::Borrowed("not a value that is taken here"), |told| *told)
    }

    fn told(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Some(Box::new(detail.into())))
    }

    /// What was expected, by a visitor's own words.
    pub(crate) fn expected(what: impl fmt::Display) -> Self {
        let what = what.to_string();
        // The names of our types are nobody's business.
        if ["struct ", "enum ", "variant "].iter().any(|word| what.contains(word)) {
            return Self::told("expected another kind of value");
        }
        Self::told(format!("expected {what}"))
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::default()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::told(format!("expected one of {}", expected.join(", ")))
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::told("the member is not known")
    }

    fn missing_field(field: &'static str) -> Self {
        Self::told(format!("the member {field} is missing"))
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self::told("the member is there twice")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().map_or("", |told| told))
    }
}

impl Error for Fault {}
