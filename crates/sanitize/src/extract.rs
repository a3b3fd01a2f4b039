//! axum's extractors.

use axum_core::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use buttress_core::reject::{DefaultResponder, Protocol};
use http::{Extensions, request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    guarded::GuardedJson,
    input::InputError,
    policy::Policy,
    read::{read_form, read_json, read_query},
};

#[cfg(any(feature = "garde", feature = "validator"))]
pub(crate) mod valid;

/// A JSON body, read under the request's [`Policy`] in one parse.
///
/// The policy is the one among the request's extensions (`Router::layer(Extension(policy))`), or
/// [`Policy::strict_json`]. What is refused is answered with a problem document: 400, 413, 415, or
/// 422 where it is JSON and no `T`. It is a response too, as axum's.
///
/// ```
/// use axum::{Router, routing::post};
/// use buttress_sanitize::Json;
///
/// #[derive(serde::Deserialize)]
/// struct Order { item: String }
///
/// let app: Router = Router::new().route("/orders", post(|Json(order): Json<Order>| async move {
///     order.item
/// }));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// The query of the URI, read under the request's [`Policy`] as [`read_query`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// A form in the body, read under the request's policy as [`read_form`] does. The policy is the
/// one among the extensions, or [`Policy::forms`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form<T>(pub T);

fn policy(extensions: &Extensions, default: Policy) -> Policy {
    extensions.get().cloned().unwrap_or(default)
}

impl<S, T> FromRequest<S> for GuardedJson<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = InputError;

    async fn from_request(request: Request, _: &S) -> Result<Self, InputError> {
        let policy = policy(request.extensions(), Policy::strict_json());
        read_json(request, &policy).await
    }
}

impl<S, T> FromRequest<S> for Json<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = InputError;

    async fn from_request(request: Request, state: &S) -> Result<Self, InputError> {
        GuardedJson::from_request(request, state).await.map(|json| Self(json.value))
    }
}

impl<S, T> FromRequest<S> for Form<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = InputError;

    async fn from_request(request: Request, _: &S) -> Result<Self, InputError> {
        let policy = policy(request.extensions(), Policy::forms());
        read_form(request, &policy).await.map(Self)
    }
}

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = InputError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, InputError> {
        let policy = policy(&parts.extensions, Policy::strict_json());
        read_query(&parts.uri, &policy).map(Self)
    }
}

impl IntoResponse for InputError {
    fn into_response(self) -> Response {
        // No extractor of ours reads gRPC.
        self.to_rejection().respond::<_, Body>(&DefaultResponder, Protocol::Http).map(Body::new)
    }
}
