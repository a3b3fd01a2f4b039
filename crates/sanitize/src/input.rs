//! Why a value was not read from a request.

use std::{error::Error, fmt};

use buttress_core::{problem::Problem, reject::Rejection, value::Value};
use http::{HeaderValue, StatusCode};

use crate::{
    body::{BodyError, BoxError},
    content_type::Kind,
    guarded::{DataError, ReadError},
    violation::{self, Place, Violation},
};

/// An answer is not many times what was asked: of a list, each item may be wrong.
#[cfg(any(feature = "garde", feature = "validator"))]
const MOST_INVALID: usize = 64;

/// Why a value was not read. It never has a value that was sent.
///
/// It is 400 for what is not well-formed or breaks a rule (or 408, 413, 414, 415), and 422 for what
/// is well-formed and not what was asked for.
#[derive(Debug)]
pub struct InputError {
    cause: Box<Cause>,
    accept: Option<Kind>,
}

#[derive(Debug)]
enum Cause {
    Refused(Violation),
    Data(DataError, Place),
    #[cfg_attr(
        not(any(feature = "garde", feature = "validator")),
        expect(dead_code, reason = "nobody validates")
    )]
    Invalid(Vec<Invalid>, Place),
    Body(BoxError),
}

/// One thing that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) pointer: String,
    pub(crate) detail: String,
    pub(crate) rule: String,
}

impl InputError {
    const fn of(cause: Box<Cause>) -> Self {
        Self { cause, accept: None }
    }

    pub(crate) fn data(error: DataError, place: Place) -> Self {
        Self::of(Box::new(Cause::Data(error, place)))
    }

    #[cfg(any(feature = "garde", feature = "validator"))]
    pub(crate) fn invalid(mut invalid: Vec<Invalid>, place: Place) -> Self {
        invalid.truncate(MOST_INVALID);
        Self::of(Box::new(Cause::Invalid(invalid, place)))
    }

    /// Refused where only this kind is taken.
    pub(crate) fn taking(kind: Kind, violation: Violation) -> Self {
        Self { accept: Some(kind), ..Self::from(violation) }
    }

    /// What a guard further out has found is told as it was found, and a limit further out
    /// (`RequestBodyLimit` of tower-http) as ours.
    pub(crate) fn of_body(error: BodyError) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = next {
            if let Some(violation) = cause.downcast_ref::<Violation>() {
                return Self::from(violation.clone());
            }
            #[cfg(feature = "axum")]
            if cause.is::<http_body_util::LengthLimitError>() {
                return Self::from(crate::head::too_large());
            }
            next = cause.source();
        }
        Self::of(Box::new(Cause::Body(error.into())))
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match &*self.cause {
            Cause::Refused(violation) => violation.status(),
            Cause::Data(..) | Cause::Invalid(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Cause::Body(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// Why, in one of a few fixed words: the [rule](crate::Rule::name) that was broken, `data` for
    /// what is none of the type, `invalid` for what did not pass its validation, `body` for one
    /// that failed.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match &*self.cause {
            Cause::Refused(violation) => violation.rule().name(),
            Cause::Data(..) => "data",
            Cause::Invalid(..) => "invalid",
            Cause::Body(_) => "body",
        }
    }

    /// The rule that was broken, if one was.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match &*self.cause {
            Cause::Refused(violation) => Some(violation),
            Cause::Data(..) | Cause::Invalid(..) | Cause::Body(_) => None,
        }
    }

    /// The problem document (RFC 9457) of a refusal.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        self.to_rejection().problem().clone()
    }

    /// The refusal, for whoever answers.
    pub fn to_rejection(&self) -> Rejection {
        if let Cause::Refused(violation) = &*self.cause {
            let accept = self.accept.map(|kind| HeaderValue::from_static(kind.media_type()));
            return violation.to_rejection(accept.as_ref());
        }
        let rejection = Rejection::new("sanitize", self.reason(), self.status());
        match self.errors() {
            Some(errors) => rejection.with_member("errors", errors),
            None => rejection.with_detail(UNREADABLE),
        }
    }

    fn errors(&self) -> Option<Vec<Value>> {
        Some(match &*self.cause {
            Cause::Refused(violation) => vec![violation.to_value()],
            Cause::Data(error, place) => vec![error.to_value(*place)],
            Cause::Invalid(all, place) => all
                .iter()
                .map(|one| {
                    violation::error(one.detail.clone(), &one.pointer, *place, one.rule.clone())
                })
                .collect(),
            Cause::Body(_) => return None,
        })
    }
}

const UNREADABLE: &str = "the body could not be read";

impl From<Violation> for InputError {
    fn from(violation: Violation) -> Self {
        Self::of(Box::new(Cause::Refused(violation)))
    }
}

impl From<ReadError> for InputError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(violation) => violation.into(),
            ReadError::Data(error) => Self::data(error, Place::Body),
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.cause {
            Cause::Refused(violation) => violation.fmt(f),
            Cause::Data(error, place) => {
                violation::write(f, *place, error.pointer(), error.detail())
            }
            Cause::Invalid(all, place) => {
                for (i, one) in all.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "; " })?;
                    violation::write(f, *place, &one.pointer, &one.detail)?;
                }
                Ok(())
            }
            Cause::Body(_) => f.write_str(UNREADABLE),
        }
    }
}

impl Error for InputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.cause {
            Cause::Body(error) => Some(&**error),
            Cause::Refused(_) | Cause::Data(..) | Cause::Invalid(..) => None,
        }
    }
}
