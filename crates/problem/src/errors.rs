use std::borrow::Cow;

use buttress_core::value::Value;
use http::StatusCode;

use crate::Failure;

/// How many errors one document lists. A caller that sends ten thousand bad items is told of the
/// first ones.
pub const MAX_ERRORS: usize = 64;

/// What is wrong with which part of a request: the member `errors` of a problem document, in the
/// shape of the example of RFC 9457 §3.
///
/// ```
/// use buttress_problem::Errors;
///
/// let mut errors = Errors::new();
/// errors.push("#/age", "must be a positive integer");
/// let failure = errors.into_result().unwrap_err();
///
/// assert_eq!(failure.status(), 422);
/// assert_eq!(
///     failure.problem().to_json(),
///     r##"{"title":"Unprocessable Entity","status":422,"errors":[{"detail":"must be a positive integer","pointer":"#/age"}]}"##,
/// );
/// ```
///
/// At most [`MAX_ERRORS`] are kept. As a value it is also a member of any
/// [`Problem`](crate::Problem): `problem.with_member("errors", errors)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors {
    kept: Vec<Value>,
}

impl Errors {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { kept: Vec::new() }
    }

    /// Adds what is wrong (`detail`), and where: a JSON pointer into the request's body, as a URI
    /// fragment (`#/items/0/price`, RFC 6901 §6). The client reads both.
    pub fn push(
        &mut self,
        pointer: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) {
        if self.kept.len() < MAX_ERRORS {
            self.kept.push(Value::object([("detail", detail.into()), ("pointer", pointer.into())]));
        }
    }

    /// As [`push`](Self::push), to write it in one expression.
    #[must_use]
    pub fn at(
        mut self,
        pointer: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.push(pointer, detail);
        self
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    /// To go on, if nothing is wrong.
    ///
    /// # Errors
    /// With 422 and these errors, if there are any.
    pub fn into_result(self) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY).with_errors(self))
    }
}

impl From<Errors> for Value {
    fn from(errors: Errors) -> Self {
        Self::List(errors.kept)
    }
}
