use buttress_core::{
    body::ResponseBody,
    context,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::Response;

/// Answers in the service's place, in the caller's protocol.
///
/// The reason is what kind of failure it was, for logs and metrics, whether the slot further out
/// that looks for it, problem, is filled or not.
pub(super) fn refuse<B>(no: Rejection, protocol: Protocol) -> Response<ResponseBody<B>> {
    if let Some(request) = context::current() {
        request.set_error_type(no.rejected().reason());
    }
    no.respond(&DefaultResponder, protocol)
}
