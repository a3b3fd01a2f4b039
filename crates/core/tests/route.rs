//! The route in the context: where a router has matched, and there only.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    routing::{any, get},
};
use buttress_core::{
    context::{self, ContextLayer, RequestContext},
    observe::{ObserveLayer, Observer, Totals},
};
use http::Request;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

/// What the context says at the end of each exchange.
#[derive(Clone, Default)]
struct Routes(Arc<Mutex<Vec<Option<String>>>>);

impl Observer for Routes {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_end(&self, (): (), _: &Totals, context: &RequestContext) {
        self.0.lock().unwrap().push(context.route().map(str::to_owned));
    }
}

fn matched() -> ContextLayer {
    ContextLayer::new()
        .route_from(|_, extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str))
}

async fn seen() -> String {
    context::current().and_then(|request| request.route().map(str::to_owned)).unwrap_or_default()
}

fn router() -> Router {
    let nested = Router::new().route("/{post}", get(seen));
    Router::new().route("/users/{id}", get(seen)).nest("/posts", nested).fallback(any(seen))
}

#[tokio::test]
async fn a_layer_of_the_router_knows_the_route_from_the_start() {
    let app = router().layer(matched());
    for (path, route) in
        [("/users/7", "/users/{id}"), ("/posts/3", "/posts/{post}"), ("/nowhere/7", "")]
    {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), route, "{path}");
    }
}

#[tokio::test]
async fn a_layer_inside_of_the_router_tells_what_stands_around_it() {
    let routes = Routes::default();
    let around = (ContextLayer::new(), ObserveLayer::new(routes.clone()));
    let app = around.layer(router().route_layer(matched()));
    for path in ["/users/7", "/nowhere/7"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
    assert_eq!(*routes.0.lock().unwrap(), [Some("/users/{id}".to_owned()), None]);
}

#[tokio::test]
async fn the_outermost_route_stays() {
    let outer = ContextLayer::new().route_from(|uri, _| Some(uri.path()));
    let app = outer.layer(router().layer(matched()));
    let request = Request::get("/users/7").body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "/users/7");
}
