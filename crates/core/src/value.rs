//! Values that a problem document or an access line carries, and their JSON.

use std::{borrow::Cow, io::Write};

/// A JSON value of an extension member or a log field.
///
/// ```
/// use buttress_core::value::Value;
///
/// let errors = Value::from(vec![Value::object([("pointer", "/email"), ("detail", "no @ in it")])]);
/// assert_eq!(errors.to_json(), r#"[{"pointer":"/email","detail":"no @ in it"}]"#);
/// assert_eq!(Value::from(u64::MAX).to_json(), "18446744073709551615");
/// assert_eq!(Value::from(f64::NAN).to_json(), "null");
/// assert_eq!(Value::from(errors.to_json().find(' ')).to_json(), "33");
/// assert_eq!(Value::from(None::<u64>).to_json(), "null");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer, exact to its last digit.
    Unsigned(u64),
    /// A number; NaN and the infinities, which JSON does not know, are written as `null`.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
    /// An array.
    List(Vec<Self>),
    /// An object; its keys are written in this order and are the caller's to keep unique.
    Object(Vec<(Cow<'static, str>, Self)>),
}

impl Value {
    /// An object of these members.
    #[must_use]
    pub fn object<K, V>(members: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        V: Into<Self>,
    {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The value as JSON on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        // The writer puts out nothing but whole `str`s and ASCII.
        String::from_utf8(out).unwrap_or_default()
    }

    /// Appends the value as JSON on one line.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        // Writing into a `Vec` cannot fail.
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Integer(number) => drop(write!(out, "{number}")),
            Self::Unsigned(number) => drop(write!(out, "{number}")),
            Self::Float(number) if number.is_finite() => drop(write!(out, "{number}")),
            Self::Float(_) => out.extend_from_slice(b"null"),
            Self::Text(text) => write_json_str(out, text),
            Self::List(values) => {
                out.push(b'[');
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    value.write_json(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (i, (key, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_json_str(out, key);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Values by name, each name once, in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Members(Vec<(Cow<'static, str>, Value)>);

impl Members {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes the place of one of the same name.
    pub(crate) fn set(&mut self, name: Cow<'static, str>, value: Value) {
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, value));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|(other, value)| (other == name).then_some(value))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

/// Appends `text` as a JSON string (RFC 8259 §7).
///
/// Beyond what JSON asks, DEL and the line separators U+0085, U+2028 and U+2029 are escaped, so
/// that no reader sees more than one line or a terminal's control code.
pub fn write_json_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let (mut clean, mut at) = (0, 0);
    while let Some(clear) = text.as_bytes().get(at..).and_then(first_stop) {
        at += clear;
        // No byte that stops continues a character.
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let before = at;
        at += c.len_utf8();
        let short = match c {
            '"' => Some(br#"\""#),
            '\\' => Some(br"\\"),
            '\n' => Some(br"\n"),
            '\r' => Some(br"\r"),
            '\t' => Some(br"\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => None,
            _ => continue,
        };
        out.extend_from_slice(text.get(clean..before).unwrap_or_default().as_bytes());
        match short {
            Some(escape) => out.extend_from_slice(escape),
            None => drop(write!(out, "\\u{:04x}", u32::from(c))),
        }
        clean = at;
    }
    out.extend_from_slice(text.get(clean..).unwrap_or_default().as_bytes());
    out.push(b'"');
}

/// Eight bytes are looked up before one branch: a third of the instructions of one after the other.
fn first_stop(bytes: &[u8]) -> Option<usize> {
    let stops = |byte: &u8| STOPS.get(usize::from(*byte)).is_some_and(|stops| *stops);
    let (eights, _) = bytes.as_chunks::<8>();
    let clear =
        eights.iter().take_while(|eight| !eight.iter().fold(false, |any, byte| any | stops(byte)));
    let clear = clear.count() * 8;
    bytes.get(clear..)?.iter().position(stops).map(|at| clear + at)
}

/// The bytes with which a character begins that may need an escape: 0xC2 leads U+0080 to U+00BF,
/// 0xE2 U+2000 to U+2FFF.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut rest: &mut [bool] = &mut stops;
    let mut byte = 0_u8;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = matches!(byte, ..b' ' | b'"' | b'\\' | 0x7f | 0xc2 | 0xe2);
        byte = byte.wrapping_add(1);
        rest = others;
    }
    stops
};

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool,
    i8 => Integer,
    i16 => Integer,
    i32 => Integer,
    i64 => Integer,
    u8 => Unsigned,
    u16 => Unsigned,
    u32 => Unsigned,
    u64 => Unsigned,
    f32 => Float,
    f64 => Float,
    &'static str => Text,
    String => Text,
    Cow<'static, str> => Text,
    Vec<Value> => List,
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Unsigned(value as u64)
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        Self::Integer(value as i64)
    }
}

/// Nothing is `null`.
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_one_line_of_json_that_reads_back(text in any::<String>()) {
            let json = Value::from(text.clone()).to_json();
            let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!json.contains(breaks));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    /// The rule of [`write_json_str`], one character after the other.
    fn written_slowly(text: &str) -> String {
        let escaped = text.chars().map(|c| match c {
            '"' => String::from(r#"\""#),
            '\\' => String::from(r"\\"),
            '\n' => String::from(r"\n"),
            '\r' => String::from(r"\r"),
            '\t' => String::from(r"\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                format!("\\u{:04x}", u32::from(c))
            }
            c => String::from(c),
        });
        format!("\"{}\"", escaped.collect::<String>())
    }

    #[test]
    fn every_character_is_escaped_by_the_rule() {
        let every = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
        for c in every {
            let text = format!("a{c}b");
            assert_eq!(Value::from(text.clone()).to_json(), written_slowly(&text), "{c:?}");
        }
    }

    #[test]
    fn numbers_of_every_width_keep_their_value() {
        for (value, json) in [
            (Value::from(u8::MAX), "255"),
            (Value::from(i8::MIN), "-128"),
            (Value::from(i16::MIN), "-32768"),
            (Value::from(7_usize), "7"),
            (Value::from(-7_isize), "-7"),
            (Value::from(0.25_f32), "0.25"),
        ] {
            assert_eq!(value.to_json(), json);
        }
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(Value::from(None::<String>), Value::Null);
        assert_eq!(Value::from(Some("a")), Value::from("a"));
    }

    #[test]
    fn an_object_keeps_its_order() {
        let value = Value::object([
            ("z", Value::Null),
            ("a", Value::from(vec![Value::from(-1), Value::from(true), Value::from(0.5)])),
        ]);
        assert_eq!(value.to_json(), r#"{"z":null,"a":[-1,true,0.5]}"#);
    }
}
