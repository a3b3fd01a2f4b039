use std::error::Error;

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::probe::{ProbeBody, ProbeService};

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A layer that the laws can be checked of. Every layer is one whose service is `Clone`, takes a
/// `Request<ProbeBody>` over a [`ProbeService`] and answers a `Response` of any body; there is
/// nothing to implement.
///
/// ```
/// use buttress_conformance::{Finding, Law, Laws, Subject};
///
/// /// For layers that compress or encrypt.
/// fn findings_of_a_transformation<L: Subject>(layer: L) -> Vec<Finding> {
///     Laws::of(layer).except(Law::Frames).except(Law::Sizes).findings()
/// }
/// assert!(findings_of_a_transformation(tower_layer::Identity::new()).is_empty());
/// ```
#[diagnostic::on_unimplemented(
    message = "the laws cannot be checked of `{Self}`",
    label = "not a layer over `ProbeService`",
    note = "a layer's service must be `Clone + Service<Request<ProbeBody>, Response = Response<B>>`, where `B: Body` and both error types are `Into<Box<dyn Error + Send + Sync>>`"
)]
pub trait Subject: Layer<ProbeService, Service = <Self as Subject>::Wrapped> {
    /// The layer's service over a [`ProbeService`].
    type Wrapped: Service<
            Request<ProbeBody>,
            Response = Response<Self::Body>,
            Error = <Self as Subject>::Error,
        > + Clone;
    /// The body of its responses.
    type Body: Body<Error = Self::BodyError> + 'static;
    /// The service's error.
    type Error: Into<BoxError> + 'static;
    /// The body's error.
    type BodyError: Into<BoxError>;
}

impl<L, S, B> Subject for L
where
    L: Layer<ProbeService, Service = S>,
    S: Service<Request<ProbeBody>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError> + 'static,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    type Wrapped = S;
    type Body = B;
    type Error = S::Error;
    type BodyError = B::Error;
}
