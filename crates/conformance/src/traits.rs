use std::fmt::Debug;

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::Subject;
use crate::probe::{OpaqueBody, ProbeBody, ProbeService};

/// A [`Subject`] with the auto traits that a layer, its service, future and body need to go
/// wherever their inner goes: `Clone + Debug + Send + Sync + 'static` for the layer and the
/// service, `Send + 'static` for the future and the body. There is nothing to implement.
///
/// ```
/// use buttress_conformance::{Laws, Sound};
///
/// /// What each layer of a crate is held to.
/// fn keeps_the_laws<L: Sound>(layer: L) {
///     Laws::of(layer.clone()).check();
///     assert!(!format!("{layer:?}").is_empty());
/// }
/// keeps_the_laws(tower_layer::Identity::new());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}`, its service, future or body lacks an auto trait",
    note = "layer and service must be `Clone + Debug + Send + Sync + 'static`, future and body `Send + 'static`"
)]
pub trait Sound: Subject + Clone + Debug + Send + Sync + 'static {}

impl<L> Sound for L
where
    L: Subject + Clone + Debug + Send + Sync + 'static,
    L::Wrapped: Debug + Send + Sync + 'static,
    <L::Wrapped as Service<Request<ProbeBody>>>::Future: Send + 'static,
    L::Body: Send,
{
}

/// Asserts, when it is compiled, that the layer and its service are
/// `Clone + Debug + Send + Sync + 'static` and its future and body `Send + 'static`, as the inner's
/// are. [`Laws::check`](crate::Laws::check) does this also.
///
/// ```
/// #[derive(Clone, Debug)]
/// struct ShareLayer(std::sync::Arc<u32>);
/// # impl<S> tower_layer::Layer<S> for ShareLayer { type Service = S; fn layer(&self, s: S) -> S { s } }
/// buttress_conformance::assert_auto_traits(&ShareLayer(std::sync::Arc::new(1)));
/// ```
///
/// The same with an `Rc` is neither `Send` nor `Sync`:
///
/// ```compile_fail
/// #[derive(Clone, Debug)]
/// struct ShareLayer(std::rc::Rc<u32>);
/// # impl<S> tower_layer::Layer<S> for ShareLayer { type Service = S; fn layer(&self, s: S) -> S { s } }
/// buttress_conformance::assert_auto_traits(&ShareLayer(std::rc::Rc::new(1)));
/// ```
pub const fn assert_auto_traits<L: Sound>(_: &L) {}

/// Asserts, when it is compiled, that the layer's error type is its inner's.
///
/// ```
/// buttress_conformance::assert_error_type(&tower_layer::Identity::new());
/// ```
pub const fn assert_error_type<L>(_: &L)
where
    L: Subject<Error = crate::ProbeError>,
{
}

/// Asserts, when it is compiled, that the layer asks nothing of a body but `Send + 'static`, on the
/// way in and on the way out: neither `Default` nor `Clone`, `Sync`, `Unpin`. A layer that does
/// cannot stand around each other layer. Its service is then `Clone + Send + 'static`, and its future
/// and body `Send`, whatever the body is: no derive asks for a body that is `Clone`.
///
/// ```
/// buttress_conformance::assert_any_body(&tower_layer::Identity::new());
/// ```
///
/// A derived `Clone` asks for a body that is `Clone`, if only for a marker of it:
///
/// ```compile_fail
/// #[derive(Clone, Debug)]
/// struct Marked<S, B>(S, std::marker::PhantomData<fn() -> B>);
/// # use std::task::{Context, Poll};
/// # impl<S: tower_service::Service<http::Request<B>>, B> tower_service::Service<http::Request<B>> for Marked<S, B> {
/// #     type Response = S::Response;
/// #     type Error = S::Error;
/// #     type Future = S::Future;
/// #     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> { self.0.poll_ready(cx) }
/// #     fn call(&mut self, request: http::Request<B>) -> S::Future { self.0.call(request) }
/// # }
/// use buttress_conformance::{OpaqueBody, assert_any_body};
///
/// assert_any_body(&tower_layer::layer_fn(|inner| {
///     Marked::<_, OpaqueBody>(inner, std::marker::PhantomData)
/// }));
/// ```
pub const fn assert_any_body<L, B>(_: &L)
where
    L: Layer<ProbeService<OpaqueBody>>,
    L::Service: Service<Request<OpaqueBody>, Response = Response<B>, Future: Send>,
    L::Service: Clone + Send + 'static,
    B: Body + Send,
{
}

/// Whether a type implements these traits, as a `bool`: to pin what another's type lacks. The type
/// must be concrete.
///
/// ```
/// use buttress_conformance::implements;
///
/// assert!(implements!(String: Clone + Send));
/// assert!(!implements!(std::rc::Rc<u8>: Send));
/// ```
#[macro_export]
macro_rules! implements {
    ($type:ty: $($bounds:tt)+) => {{
        trait Otherwise {
            const IMPLEMENTED: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Asked<T: ?Sized>(::core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "it is used only where the type implements the traits")]
        impl<T: ?Sized + $($bounds)+> Asked<T> {
            const IMPLEMENTED: bool = true;
        }
        <Asked<$type>>::IMPLEMENTED
    }};
}
