use axum_helmet::Helmet;
use buttress::headers::SecurityHeadersLayer;
use tower_layer::Layer;

use super::Headers;
use crate::{
    Case, Failure, Side,
    case::bare,
    drive::{Answer, Bare, serve},
    peers,
};

/// The 12 headers of `web`, over an answer that has none of its own and over one that has two
/// others. The peers are given the same names and values.
pub(super) fn cases() -> Vec<Case> {
    let two = bare("an answer with 2 headers", || {
        Ok(serve(Bare(Answer::TwoHeaders), Headers::None.request()))
    });
    vec![
        case("12 headers, on an empty map", Headers::None.bare(), Answer::Empty).asked(2_000, 2),
        case("12 headers, 2 others present", two, Answer::TwoHeaders).asked(3_300, 3),
    ]
}

fn case(name: &str, bare: Side, answer: Answer) -> Case {
    let request = || Headers::None.request();
    Case::new(name, bare, move || {
        Ok(serve(SecurityHeadersLayer::web().layer(Bare(answer)), request()))
    })
    .peer("axum-helmet", move || Ok(serve(axum_helmet()?.layer(Bare(answer)), request())))
    .peer("tower-helmet", move || {
        Ok(serve(peers::helmet(&SecurityHeadersLayer::web()).layer(Bare(answer)), request()))
    })
}

fn axum_helmet() -> Result<axum_helmet::HelmetLayer, Failure> {
    let mut layer = Helmet::new();
    for (name, value) in SecurityHeadersLayer::web().headers() {
        // It takes a `&'static str`; this is done a few times in a program's life.
        let name: &'static str = name.as_str().to_owned().leak();
        layer = layer.add((name, value.to_str()?.to_owned()));
    }
    Ok(layer.into_layer()?)
}
