use buttress::request_id::{Generator, RequestIdLayer, X_REQUEST_ID};
use http::{HeaderValue, Request};
use tower_layer::Layer;
use uuid::Uuid;

use super::{Headers, nothing};
use crate::{
    Case,
    case::bare,
    drive::{Answer, Bare, Nothing, repeat, serve},
    peers,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(Headers::BOTH.map(minted));
    cases.extend(Headers::BOTH.map(taken));
    cases.push(alone());
    cases
}

/// The request has no id: one is made, the context has it, the answer echoes it.
fn minted(headers: Headers) -> Case {
    let request = move || headers.request();
    case(format!("request id minted, {headers}"), headers.bare(), request).asked(2_000, 6)
}

/// The request has an id, and it is good.
fn taken(headers: Headers) -> Case {
    let request = move || {
        let mut request = headers.request();
        let id = HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057");
        request.headers_mut().insert(X_REQUEST_ID, id);
        request
    };
    let (name, asked_with) = match headers {
        Headers::None => ("request id taken, no other headers", "a request with an id"),
        Headers::Eight => {
            ("request id taken, 8 other headers", "a request with 8 headers and an id")
        }
    };
    let bare = bare(asked_with, move || Ok(serve(Bare(Answer::Empty), request())));
    case(name.to_owned(), bare, request).asked(1_000, 2)
}

fn case(
    name: String,
    bare: crate::Side,
    request: impl Fn() -> Request<Nothing> + Copy + Send + Sync + 'static,
) -> Case {
    Case::new(name, bare, move || {
        Ok(serve(RequestIdLayer::new().layer(Bare(Answer::Empty)), request()))
    })
    .peer("tower-http", move || Ok(serve(peers::id().layer(Bare(Answer::Empty)), request())))
}

/// The id itself, as it goes into a header.
fn alone() -> Case {
    Case::new("id into a header value", nothing(), || Ok(repeat(|| Generator::Uuid7.generate())))
        .peer("uuid", || {
            Ok(repeat(|| {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                HeaderValue::from_str(Uuid::now_v7().hyphenated().encode_lower(&mut text))
            }))
        })
        .asked(450, 1)
}
