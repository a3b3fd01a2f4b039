use buttress::{
    health::{Entry, HealthLayer, Memory, Registry},
    lifecycle::{Lifecycle, State},
    shutdown::{Plan, Shutdown},
};
use http::{HeaderValue, Uri, header::AUTHORIZATION};
use tower_http::metrics::InFlightRequestsLayer;
use tower_layer::Layer;

use super::Headers;
use crate::{
    Case, Failure,
    drive::{Answer, Bare, serve},
};

const TOKEN: &str = "3vGf0gXkXq8mJw2b3vGf0gXkXq8mJw2b";

pub(super) fn cases() -> Vec<Case> {
    vec![
        passes(),
        asked("health, a probe", "/ready"),
        asked("health, all details", "/status"),
        drain(),
    ]
}

/// A request that is no probe.
fn passes() -> Case {
    Case::new("health, passes", Headers::None.bare(), || {
        Ok(serve(layer()?.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

fn asked(name: &'static str, path: &'static str) -> Case {
    Case::new(name, Headers::None.bare(), move || {
        let mut request = Headers::None.request();
        *request.uri_mut() = Uri::from_static(path);
        if path == "/status" {
            let bearer = HeaderValue::try_from(format!("Bearer {TOKEN}"))?;
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        Ok(serve(layer()?.layer(Bare(Answer::Empty)), request))
    })
}

fn layer() -> Result<HealthLayer, Failure> {
    let lifecycle = Lifecycle::new();
    lifecycle.advance(State::Running);
    let (health, _runner) =
        Registry::new().lifecycle(&lifecycle).check(Entry::optional(Memory::new()))?.split();
    Ok(HealthLayer::new(&health).status_token(TOKEN.into())?)
}

/// The peer counts and does no more.
fn drain() -> Case {
    Case::new("shutdown, drain layer", Headers::None.bare(), || {
        // Its course is a task, of a runtime that is never run.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let _entered = runtime.enter();
        let shutdown = Shutdown::embedded(Plan::kubernetes())?;
        Ok(serve(shutdown.layer().layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("tower-http", || {
        let (layer, _counter) = InFlightRequestsLayer::pair();
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}
