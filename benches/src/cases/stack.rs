use axum::body::Body;
use buttress::{
    Stack,
    client_ip::ClientIp,
    context::ContextLayer,
    headers::SecurityHeadersLayer,
    limit::{Key, LimitLayer},
    observe::ObserveLayer,
    request_id::RequestIdLayer,
};
use http::{Request, Response};
use tower::util::option_layer;
use tower_http::timeout::TimeoutLayer;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Headers,
    event::{heard_by_fmt, heard_by_ours},
};
use crate::{
    Case, Failure, Side,
    case::bare,
    drive::{Answer, Bare, BareOf, Nothing, serve, with_timer},
    limits, peers,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![empty(), eight_layers()];
    cases.extend(Headers::BOTH.map(production));
    cases.extend(Headers::BOTH.map(whole));
    cases
}

fn empty() -> Case {
    Case::new("stack, every slot empty", Headers::None.bare(), || {
        Ok(serve(Stack::new().layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// What a layer costs that is there and has nothing to do.
fn eight_layers() -> Case {
    Case::new("8 layers that pass through", Headers::None.bare(), || {
        let four = || {
            (
                ContextLayer::disabled(),
                RequestIdLayer::disabled(),
                ObserveLayer::<()>::disabled(),
                SecurityHeadersLayer::none(),
            )
        };
        Ok(serve((four(), four()).layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower option_layer", || {
        let none = || option_layer(None::<TimeoutLayer>);
        let four = || (none(), none(), none(), none());
        Ok(serve((four(), four()).layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// As it comes: context with the client's address, id, trace, JSON line, metrics, 9 headers,
/// problem documents, CSRF, timeout, body limit.
fn production(headers: Headers) -> Case {
    let ours = || Ok(stack(SecurityHeadersLayer::api()));
    let peers = || peers::stack(&SecurityHeadersLayer::api(), ());
    case(format!("stack, production, {headers}"), headers, ours, peers)
}

/// All that is asked of a whole stack.
fn whole(headers: Headers) -> Case {
    let ours = || {
        let limit = LimitLayer::new(Key::client(), limits::rules()?)?;
        Ok(stack(SecurityHeadersLayer::web()).limit(limit))
    };
    let peers = || peers::stack(&SecurityHeadersLayer::web(), limits::tower_governors::<Body>()?);
    let name = format!("stack, production with limits and the 12 of web, {headers}");
    case(name, headers, ours, peers).asked(10_000, 12)
}

fn stack(headers: SecurityHeadersLayer) -> Stack {
    Stack::production(ClientIp::peer().peer_from(limits::peer)).headers(headers)
}

fn case<L, S, B>(
    name: String,
    headers: Headers,
    ours: impl Fn() -> Result<Stack, Failure> + Send + Sync + 'static,
    peers: impl Fn() -> Result<L, Failure> + Send + Sync + 'static,
) -> Case
where
    L: Layer<BareOf<Body>, Service = S>,
    S: Service<Request<Nothing>, Response = Response<B>> + 'static,
    B: http_body::Body,
{
    Case::new(name, from_peer(headers), move || {
        let service = ours()?.layer(BareOf::<Body>::new());
        heard_by_ours(with_timer(serve(service, headers.request_from_peer()))?)
    })
    .peer("tower-http and others", move || {
        let service = peers()?.layer(BareOf::new());
        Ok(heard_by_fmt(with_timer(serve(service, headers.request_from_peer()))?))
    })
    .peers_calibrate()
}

/// The bodies are axum's, which `tower_governor` asks for.
fn from_peer(headers: Headers) -> Side {
    let name = match headers {
        Headers::None => "a request with its peer",
        Headers::Eight => "a request with its peer and 8 headers",
    };
    bare(name, move || with_timer(serve(BareOf::<Body>::new(), headers.request_from_peer())))
}
