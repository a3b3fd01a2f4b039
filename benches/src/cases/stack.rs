use buttress::{
    Stack, client_ip::ClientIp, context::ContextLayer, headers::SecurityHeadersLayer,
    observe::ObserveLayer, request_id::RequestIdLayer,
};
use tower::util::option_layer;
use tower_layer::Layer;

use super::Headers;
use crate::{
    Case, Side,
    case::bare,
    drive::{Answer, Bare, serve, with_timer},
    peers::{self, SetHeader},
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
        let none = || option_layer(None::<SetHeader>);
        let four = || (none(), none(), none(), none());
        Ok(serve((four(), four()).layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// As it comes: context with the client's address, id, 9 headers, CSRF, timeout, body limit.
fn production(headers: Headers) -> Case {
    Case::new(format!("stack, production, {headers}"), from_peer(headers), move || {
        let stack = Stack::production(ClientIp::peer());
        with_timer(serve(stack.layer(Bare(Answer::Empty)), headers.request_from_peer()))
    })
    .peer("tower-http", move || {
        let layers = (peers::id(), peers::nine_headers()?, peers::guards());
        with_timer(serve(layers.layer(Bare(Answer::Empty)), headers.request_from_peer()))
    })
}

fn with_web_headers(headers: Headers) -> Case {
    let name = format!("stack, production with the 12 of web, {headers}");
    Case::new(name, from_peer(headers), move || {
        let stack = Stack::production(ClientIp::peer()).headers(SecurityHeadersLayer::web());
        with_timer(serve(stack.layer(Bare(Answer::Empty)), headers.request_from_peer()))
    })
    .peer("tower-http", move || {
        let layers = (peers::id(), peers::twelve_headers()?, peers::guards());
        with_timer(serve(layers.layer(Bare(Answer::Empty)), headers.request_from_peer()))
    })
}

fn from_peer(headers: Headers) -> Side {
    let name = match headers {
        Headers::None => "a request with its peer",
        Headers::Eight => "a request with its peer and 8 headers",
    };
    bare(name, move || with_timer(serve(Bare(Answer::Empty), headers.request_from_peer())))
}
