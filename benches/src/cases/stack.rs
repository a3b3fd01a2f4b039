use buttress::{
    Stack, client_ip::ClientIp, context::ContextLayer, headers::SecurityHeadersLayer,
    observe::ObserveLayer, request_id::RequestIdLayer,
};
use tower::util::option_layer;
use tower_http::timeout::TimeoutLayer;
use tower_layer::Layer;

use super::{
    Headers,
    event::{heard_by_fmt, heard_by_ours},
};
use crate::{
    Case, Side,
    case::bare,
    drive::{Answer, Bare, serve, with_timer},
    peers,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![empty(), eight_layers()];
    cases.extend(Headers::BOTH.map(production));
    cases.extend(Headers::BOTH.map(with_web_headers));
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
    whole(format!("stack, production, {headers}"), headers, SecurityHeadersLayer::api)
}

fn with_web_headers(headers: Headers) -> Case {
    let name = format!("stack, production with the 12 of web, {headers}");
    whole(name, headers, SecurityHeadersLayer::web).asked(10_000, 12)
}

fn whole(name: String, headers: Headers, preset: fn() -> SecurityHeadersLayer) -> Case {
    Case::new(name, from_peer(headers), move || {
        let stack = Stack::production(ClientIp::peer()).headers(preset());
        let service = stack.layer(Bare(Answer::Empty));
        heard_by_ours(with_timer(serve(service, headers.request_from_peer()))?)
    })
    .peer("tower-http and others", move || {
        let service = peers::stack(&preset())?.layer(Bare(Answer::Empty));
        Ok(heard_by_fmt(with_timer(serve(service, headers.request_from_peer()))?))
    })
}

fn from_peer(headers: Headers) -> Side {
    let name = match headers {
        Headers::None => "a request with its peer",
        Headers::Eight => "a request with its peer and 8 headers",
    };
    bare(name, move || with_timer(serve(Bare(Answer::Empty), headers.request_from_peer())))
}
