use buttress::problem::ProblemLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_layer::Layer;

use super::Headers;
use crate::{
    Case,
    case::bare,
    drive::{Answer, Bare, serve},
};

pub(super) fn cases() -> Vec<Case> {
    vec![passes(), masked()]
}

/// An answer with nothing wrong; panics would be caught.
fn passes() -> Case {
    Case::new("problem, an answer that passes", Headers::None.bare(), || {
        Ok(serve(ProblemLayer::new().layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower-http catch-panic", || {
        Ok(serve(CatchPanicLayer::new().layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// A bare 500 that becomes a document. Nobody listens to the line that tells of it; the peer does
/// nothing to such an answer.
fn masked() -> Case {
    let failed = bare("an answer that is a 500", || {
        Ok(serve(Bare(Answer::Failed), Headers::None.request()))
    });
    Case::new("problem, a bare 500", failed, || {
        Ok(serve(ProblemLayer::new().layer(Bare(Answer::Failed)), Headers::None.request()))
    })
    .peer("tower-http catch-panic", || {
        Ok(serve(CatchPanicLayer::new().layer(Bare(Answer::Failed)), Headers::None.request()))
    })
}
