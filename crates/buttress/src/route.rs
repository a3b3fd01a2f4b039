use std::fmt;

use buttress_core::context::{ContextLayer, InContext};
use http::{Extensions, Uri};
use tower_layer::Layer;

/// By which route a request is served: the template (`/users/{id}`) that logs, metrics and spans
/// show in the place of the path.
///
/// A request that no route matches has none. A path that anybody could invent must not become
/// one: each would be a series of its own in the metrics.
///
/// It fills the slot [`Stack::route`](crate::Stack::route) of a stack that is laid by
/// `Router::layer`, where the router has matched before. A stack around a whole router comes
/// before that; there it stands inside of the router too, as a layer of its own, and what it finds
/// out is known around it:
///
/// ```
/// use axum::{Router, extract::MatchedPath, routing::get};
/// use buttress::{Route, Stack, client_ip::ClientIp};
/// use tower::Layer;
///
/// let route = Route::from_fn(|_, extensions| {
///     extensions.get::<MatchedPath>().map(MatchedPath::as_str)
/// });
/// let router: Router = Router::new().route("/users/{id}", get(|| async { "a user" }));
///
/// let by_the_router = router.clone().layer(Stack::production(ClientIp::peer()).route(route.clone()));
/// let around_it_all = Stack::production(ClientIp::peer()).layer(router.route_layer(route));
/// # let _ = (by_the_router, around_it_all);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Route {
    layer: ContextLayer,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    #[cfg(feature = "axum")]
    MatchedPath,
    OneOf(usize),
    Function,
}

impl Route {
    /// The route that axum's router has matched, its `MatchedPath`.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use buttress::{Route, Stack};
    ///
    /// // `Stack::production` has it of itself.
    /// let stack = Stack::new().route(Route::matched_path());
    /// let app: Router = Router::new().route("/users/{id}", get(|| async { "a user" })).layer(stack);
    /// # let _ = app;
    /// ```
    #[cfg(feature = "axum")]
    pub fn matched_path() -> Self {
        use axum::extract::MatchedPath;

        Self {
            source: Source::MatchedPath,
            ..Self::from_fn(|_, extensions| {
                extensions.get::<MatchedPath>().map(MatchedPath::as_str)
            })
        }
    }

    /// The request's path, where it is one of these: for gRPC, whose methods are a closed list,
    /// and for services of a few fixed paths.
    ///
    /// ```
    /// use buttress::{Route, Stack, client_ip::ClientIp};
    ///
    /// let methods = ["/helloworld.Greeter/SayHello", "/helloworld.Greeter/SayHelloAgain"];
    /// let stack = Stack::production(ClientIp::peer()).route(Route::one_of(methods));
    /// let server = tonic::transport::Server::builder().layer(stack);
    /// # let _ = server;
    /// ```
    pub fn one_of<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        let mut paths: Vec<String> = paths.into_iter().map(Into::into).collect();
        paths.sort_unstable();
        paths.dedup();
        Self {
            source: Source::OneOf(paths.len()),
            ..Self::from_fn(move |uri, _| {
                let path = uri.path();
                paths.binary_search_by(|known| known.as_str().cmp(path)).is_ok().then_some(path)
            })
        }
    }

    /// What `find` makes of a request: its URI, and the extensions where a router leaves what it
    /// has matched.
    pub fn from_fn<F>(find: F) -> Self
    where
        F: for<'a> Fn(&'a Uri, &'a Extensions) -> Option<&'a str> + Send + Sync + 'static,
    {
        Self { layer: ContextLayer::new().route_from(find), source: Source::Function }
    }

    /// The layer that knows the route, and nothing else.
    pub(crate) fn context(&self) -> ContextLayer {
        self.layer.clone()
    }
}

/// Where it comes from, in one line.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            #[cfg(feature = "axum")]
            Source::MatchedPath => f.write_str("axum's matched path"),
            Source::OneOf(1) => f.write_str("the path, if it is the known one"),
            Source::OneOf(count) => write!(f, "the path, if it is one of {count}"),
            Source::Function => f.write_str("by a function"),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Route").field(&format_args!("{self}")).finish()
    }
}

impl<S> Layer<S> for Route {
    type Service = InContext<S>;

    fn layer(&self, inner: S) -> InContext<S> {
        self.layer.layer(inner)
    }
}
