//! Extractors whose value is valid.

use axum_core::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;

use super::{Form, Json, Query};
use crate::{guarded::GuardedJson, input::InputError, violation::Place};

/// An extractor whose value can be validated: [`Json`], [`Query`], [`Form`], [`GuardedJson`].
pub trait Input {
    /// What was read.
    type Value;
    /// Where it was read.
    const PLACE: Place;
    /// What was read.
    fn value(&self) -> &Self::Value;
}

macro_rules! inputs {
    ($($name:ident $field:tt $place:ident),*) => {$(
        impl<T> Input for $name<T> {
            type Value = T;
            const PLACE: Place = Place::$place;

            fn value(&self) -> &T {
                &self.$field
            }
        }
    )*};
}

inputs!(Json 0 Body, Query 0 Query, Form 0 Body, GuardedJson value Body);

macro_rules! extractor {
    ($name:ident, $check:path, $($bound:tt)+) => {
        impl<S, E> FromRequest<S> for $name<E>
        where
            S: Send + Sync,
            E: Input + FromRequest<S, Rejection = InputError>,
            $($bound)+
        {
            type Rejection = InputError;

            async fn from_request(request: Request, state: &S) -> Result<Self, InputError> {
                let input = E::from_request(request, state).await?;
                $check(input.value(), E::PLACE)?;
                Ok(Self(input))
            }
        }

        impl<S, E> FromRequestParts<S> for $name<E>
        where
            S: Send + Sync,
            E: Input + FromRequestParts<S, Rejection = InputError>,
            $($bound)+
        {
            type Rejection = InputError;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &S,
            ) -> Result<Self, InputError> {
                let input = E::from_request_parts(parts, state).await?;
                $check(input.value(), E::PLACE)?;
                Ok(Self(input))
            }
        }
    };
}

/// What an extractor has read, and garde found valid; else the answer is 422, with a pointer
/// (RFC 6901) to each thing that is wrong. The value's context is its default.
///
/// ```
/// use axum::{Router, routing::post};
/// use buttress_sanitize::{Json, Valid};
/// use garde::Validate;
///
/// #[derive(serde::Deserialize, Validate)]
/// struct Order {
///     #[garde(length(min = 1, max = 40))]
///     item: String,
///     #[garde(range(min = 1, max = 12))]
///     count: u8,
/// }
///
/// async fn order(Valid(Json(order)): Valid<Json<Order>>) -> String {
///     format!("{} {}", order.count, order.item)
/// }
/// let app: Router = Router::new().route("/orders", post(order));
/// ```
#[cfg(feature = "garde")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Valid<E>(pub E);

#[cfg(feature = "garde")]
extractor!(Valid, crate::validate::check_garde, E::Value: garde::Validate<Context: Default>);

/// As `Valid`, for types that derive the `Validate` of the crate validator.
#[cfg(feature = "validator")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validated<E>(pub E);

#[cfg(feature = "validator")]
extractor!(Validated, crate::validate::check_validator, E::Value: validator::Validate);
