use std::hint::black_box;

use buttress::trace::{Trace, TraceLayer, extract, inject};
use http::{HeaderMap, HeaderValue, Request};
use opentelemetry::{Context, propagation::TextMapPropagator, trace::TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tower_layer::Layer;

use super::{Headers, nothing};
use crate::{
    Case,
    case::bare,
    drive::{Answer, Bare, Nothing, repeat, serve},
    peers::Carrier,
};

pub(super) fn cases() -> Vec<Case> {
    vec![begun(), continued(), sent_on()]
}

const PARENT: HeaderValue =
    HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

fn traced() -> Request<Nothing> {
    let mut request = Headers::None.request();
    request.headers_mut().insert("traceparent", PARENT);
    request
}

/// The request has no trace: ids are made.
fn begun() -> Case {
    Case::new("trace begun, ids only", Headers::None.bare(), || {
        let layer = TraceLayer::new(Trace::propagate());
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// The request has a trace: it is read and checked, and a span id is made. The peer reads it, and
/// keeps it in a span that nobody listens to.
fn continued() -> Case {
    let bare = bare("a request with a traceparent", || Ok(serve(Bare(Answer::Empty), traced())));
    Case::new("trace continued, ids only", bare, || {
        Ok(serve(TraceLayer::new(Trace::propagate()).layer(Bare(Answer::Empty)), traced()))
    })
    .peer("tower-http trace + opentelemetry", || {
        let propagator = TraceContextPropagator::new();
        let layer = tower_http::trace::TraceLayer::new_for_http().make_span_with(
            move |request: &Request<Nothing>| {
                let parent = propagator.extract(&Carrier(request.headers()));
                let trace = parent.span().span_context().trace_id();
                drop(black_box(parent));
                tracing::debug_span!("request", trace_id = %trace)
            },
        );
        Ok(serve(layer.layer(Bare(Answer::Empty)), traced()))
    })
}

/// Into the headers of a call.
fn sent_on() -> Case {
    let headers = || HeaderMap::from_iter([(buttress::trace::TRACEPARENT, PARENT)]);
    Case::new("trace sent on", nothing(), move || {
        let trace = extract(&headers()).ok_or("no trace")?;
        Ok(repeat(move || {
            let mut call = HeaderMap::new();
            inject(&trace, &mut call);
            call
        }))
    })
    .peer("opentelemetry", move || {
        let propagator = TraceContextPropagator::new();
        let parent = propagator.extract_with_context(&Context::new(), &Carrier(&headers()));
        Ok(repeat(move || {
            let mut call = HeaderMap::new();
            propagator.inject_context(&parent, &mut Carrier(&mut call));
            call
        }))
    })
}
