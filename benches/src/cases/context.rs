use std::{hint::black_box, sync::Arc};

use buttress::{
    context::{self, ContextLayer, RequestContext},
    observe::ObserveLayer,
};
use http::HeaderValue;
use tower_http::trace::TraceLayer;
use tower_layer::Layer;

use super::{Headers, nothing};
use crate::{
    Case, Loop,
    drive::{Answer, Bare, serve},
};

tokio::task_local! {
    static ID: Arc<HeaderValue>;
}

pub(super) fn cases() -> Vec<Case> {
    vec![current(), made(), observe()]
}

/// The handle of the request that is being served, from anywhere.
fn current() -> Case {
    let id = || HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057");
    Case::new("context::current()", nothing(), move || {
        let request = RequestContext::new();
        request.set_request_id(id());
        let run: Loop = Box::new(move |times| {
            request.scope(|| {
                for _ in 0..times {
                    drop(black_box(context::current()));
                }
            });
        });
        Ok(run)
    })
    .peer("tokio task_local", move || {
        let id = Arc::new(id());
        let run: Loop = Box::new(move |times| {
            ID.sync_scope(Arc::clone(&id), || {
                for _ in 0..times {
                    drop(black_box(ID.try_with(Arc::clone)));
                }
            });
        });
        Ok(run)
    })
}

/// A context for each request, with nothing in it: what the layers that need one share.
fn made() -> Case {
    Case::new("context made, nothing in it", Headers::None.bare(), || {
        Ok(serve(ContextLayer::new().layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// The context, two readings of the clock and the once-only end, for an observer that does
/// nothing; the peer reads the clock as well and makes a span that nobody listens to.
fn observe() -> Case {
    Case::new("observe, nobody listening", Headers::None.bare(), || {
        Ok(serve(ObserveLayer::new(()).layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower-http trace", || {
        let layer = TraceLayer::new_for_http();
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}
