//! The checks inside the one parse of `serde_json`.

use std::{borrow::Cow, error::Error, fmt};

use buttress_core::{problem::Problem, value::Value};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use self::{fault::Fault, guard::Guard, walk::Walk};
use crate::{
    json::JsonGuard,
    policy::Policy,
    violation::{self, Place, Violation},
};

pub(crate) mod fault;
mod guard;
mod walk;

/// A value that was read from JSON under a [`Policy`].
///
/// The rules are judged while `serde_json` parses, in one pass over the bytes. Only where something
/// is wrong, reported, stripped or out of sight (a `RawValue`, a key that is a number) a
/// [`JsonGuard`] goes over them too, and its verdict counts: so both say the same, pointer and
/// offset included.
///
/// ```
/// use buttress_sanitize::{GuardedJson, Policy, ReadError, Rule};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Order {
///     item: String,
///     count: u8,
/// }
///
/// let policy = Policy::strict_json();
/// let read = |text: &str| GuardedJson::<Order>::from_slice(text.as_bytes(), &policy);
///
/// assert_eq!(read(r#"{"item":"tea","count":2}"#)?.value.count, 2);
///
/// // A refusal is 400, though nobody asked for that member.
/// let Err(ReadError::Refused(violation)) = read(r#"{"item":"tea","count":2,"x":{"__proto__":1}}"#)
/// else { panic!("it has a prototype") };
/// assert_eq!((violation.rule(), violation.status().as_u16()), (Rule::PrototypeKey, 400));
///
/// // What is well-formed and does not fit is 422, and says nothing of what was sent.
/// let Err(ReadError::Data(error)) = read(r#"{"item":"tea","count":"s3cret"}"#)
/// else { panic!("it is no number") };
/// assert_eq!((error.to_string(), error.status().as_u16()), ("/count: expected u8".to_owned(), 422));
/// # Ok::<(), ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardedJson<T> {
    /// What was read.
    pub value: T,
    /// The first place of each rule that is broken and only reported.
    pub reports: Vec<Violation>,
}

/// Why a value was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// A rule is broken, the grammar among them.
    Refused(Violation),
    /// It is JSON, but not such a value.
    Data(DataError),
}

/// JSON that is not the value that was asked for: where, and what was expected. It never has a
/// value that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    pointer: Box<str>,
    detail: Cow<'static, str>,
}

impl<T: DeserializeOwned> GuardedJson<T> {
    /// Reads a whole JSON text.
    ///
    /// # Errors
    ///
    /// [`ReadError::Refused`] where a rule is broken, whatever `T` makes of it;
    /// [`ReadError::Data`] where none is and it is no `T`.
    pub fn from_slice(bytes: &[u8], policy: &Policy) -> Result<Self, ReadError> {
        let mut walk = Walk::judging(policy);
        if !walk.is_out_of_sight(bytes)
            && let Ok(value) = parse(bytes, &mut walk)
        {
            if walk.is_clean() {
                return Ok(Self { value, reports: Vec::new() });
            }
            if !policy.strips() {
                let reports = policy.check_json(bytes).map_err(ReadError::Refused)?;
                return Ok(Self { value, reports });
            }
        }
        let (passed, reports) = sift(bytes, policy).map_err(ReadError::Refused)?;
        let mut walk = Walk::following();
        match parse(&passed, &mut walk) {
            Ok(value) => Ok(Self { value, reports }),
            Err(fault) => Err(ReadError::Data(DataError::new(walk.tree.pointer(), fault))),
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], walk: &mut Walk) -> Result<T, Fault> {
    let mut inner = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Guard::value(&mut inner, walk))?;
    match inner.end() {
        Ok(()) => Ok(value),
        Err(_) => Err(Fault::default()),
    }
}

/// What the guard lets pass.
fn sift(bytes: &[u8], policy: &Policy) -> Result<(Vec<u8>, Vec<Violation>), Violation> {
    let mut guard = JsonGuard::new(policy);
    let mut parts = Vec::new();
    guard.strip(&Bytes::copy_from_slice(bytes), &mut parts)?;
    guard.finish()?;
    Ok((parts.concat(), guard.into_reports()))
}

impl ReadError {
    /// 422 where it is JSON but not such a value, else the status of the violation.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(violation) => violation.status(),
            Self::Data(error) => error.status(),
        }
    }

    /// The problem document (RFC 9457) of a refusal; the rule of data that does not fit is `data`.
    ///
    /// ```
    /// use buttress_sanitize::{GuardedJson, Policy};
    ///
    /// let error = GuardedJson::<Vec<u8>>::from_slice(b"[1, 300]", &Policy::strict_json()).unwrap_err();
    /// assert_eq!(
    ///     error.to_problem().to_json(),
    ///     r#"{"title":"Unprocessable Entity","status":422,"errors":[{"detail":"expected u8","pointer":"/1","in":"body","rule":"data"}]}"#
    /// );
    /// ```
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        match self {
            Self::Refused(violation) => violation.to_problem(),
            Self::Data(error) => Problem::new(error.status())
                .with_member("errors", vec![error.to_value(Place::Body)]),
        }
    }

    /// The JSON pointer (RFC 6901) of the value or member.
    #[must_use]
    pub const fn pointer(&self) -> &str {
        match self {
            Self::Refused(violation) => violation.pointer(),
            Self::Data(error) => error.pointer(),
        }
    }
}

impl DataError {
    pub(crate) fn new(pointer: impl Into<Box<str>>, fault: Fault) -> Self {
        Self { pointer: pointer.into(), detail: fault.detail() }
    }

    /// A member of a problem document's `errors`.
    pub(crate) fn to_value(&self, place: Place) -> Value {
        violation::error(self.detail.clone(), &self.pointer, place, "data")
    }

    /// The JSON pointer (RFC 6901) of the value or member.
    #[must_use]
    pub const fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What was expected.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// 422.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(violation) => violation.fmt(f),
            Self::Data(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer() {
            "" => f.write_str(&self.detail),
            pointer => write!(f, "{pointer}: {}", self.detail),
        }
    }
}

impl Error for ReadError {}
impl Error for DataError {}
