//! The laws of a correct layer.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_conformance::{
    Law, Laws, ProbeBody, assert_any_body, assert_auto_traits, assert_error_type,
};
use buttress_sanitize::{
    Action, BodyError, GuardedBody, Kind, Policy, Rule, Sanitize, SanitizeHandle, SanitizeLayer,
};
use http::{Request, header::CONTENT_TYPE};
use tower::Layer;

/// Each way in which a layer can be put together.
fn shapes() -> Vec<(&'static str, SanitizeLayer)> {
    let layer = || SanitizeLayer::new(Policy::strict_json());
    let strip = Policy::mongo().on(Rule::OperatorKey, Action::Strip).unwrap();
    vec![
        ("plain", layer()),
        ("all kinds", layer().accept([Kind::Json, Kind::Form, Kind::Multipart, Kind::Other])),
        ("never first", layer().check_first(0)),
        ("stripping", SanitizeLayer::new(strip)),
        ("reporting", layer().report_only()),
        ("skipping", layer().skip_if(|_| true)),
        ("with gRPC", layer().accept([Kind::Json, Kind::Grpc])),
    ]
}

/// It changes the request's body: that is what it is for.
#[test]
fn the_layer_keeps_the_laws_in_every_shape() {
    for (shape, layer) in shapes() {
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        assert_error_type(&layer);
        let findings = Laws::of(layer).except(Law::RequestBody).allocates(0).findings();
        assert!(findings.is_empty(), "{shape}: {findings:?}");
    }
}

fn post(body: fn() -> ProbeBody) -> impl Fn() -> Request<ProbeBody> {
    move || Request::post("/a?b=c").header(CONTENT_TYPE, "application/json").body(body()).unwrap()
}

#[test]
fn the_layer_keeps_the_laws_when_the_body_is_judged_first() {
    for (shape, layer) in shapes() {
        let laws = Laws::of(layer).request(post(|| ProbeBody::new().data("{}").exact()));
        let findings = laws.except(Law::RequestBody).findings();
        assert!(findings.is_empty(), "{shape}: {findings:?}");
    }
}

#[test]
fn the_layer_keeps_the_laws_when_the_body_is_judged_as_it_is_read() {
    for (shape, layer) in shapes() {
        let laws = Laws::of(layer).request(post(|| ProbeBody::new().data("{").data("}")));
        let findings = laws.except(Law::RequestBody).findings();
        assert!(findings.is_empty(), "{shape}: {findings:?}");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn the_layer_keeps_the_laws_with_a_limit_of_time() {
    let layer =
        SanitizeLayer::new(Policy::strict_json()).body_timeout(std::time::Duration::from_secs(30));
    Laws::of(layer.clone()).except(Law::RequestBody).allocates(0).check();
    let first = post(|| ProbeBody::new().data("{}").exact());
    Laws::of(layer).request(first).except(Law::RequestBody).check();
}

/// What the guard and its layer tell each other, the guard, and, where the body is judged first,
/// the future and what the guard keeps of the document.
#[test]
fn a_body_costs_few_allocations() {
    for (check_first, allocations) in [(0, 2), (64 * 1024, 6)] {
        let layer = SanitizeLayer::new(Policy::strict_json()).check_first(check_first);
        let request = || {
            let request = Request::post("/").header(CONTENT_TYPE, "application/json");
            request.body(ProbeBody::new().data("{}").exact()).unwrap()
        };
        let laws = Laws::of(layer).request(request).only(Law::Allocations);
        let findings = laws.allocates(allocations).findings();
        assert!(findings.is_empty(), "{check_first}: {findings:?}");
    }
}

#[test]
fn the_layer_keeps_the_laws_when_it_shares_its_policy() {
    let layer = SanitizeLayer::new(Policy::strict_json()).share_policy();
    Laws::of(layer).except(Law::RequestBody).except(Law::Request).check();
}

#[test]
fn what_is_refused_is_counted_by_the_layer_and_not_by_its_services() {
    let layer = SanitizeLayer::new(Policy::strict_json()).report_only();
    let handle = layer.handle();
    let request = || Request::get("/a/../b").body(ProbeBody::new()).unwrap();
    Laws::of(layer)
        .request(request)
        .except(Law::RequestBody)
        .counts_calls(move || handle.reported(Rule::Traversal))
        .check();
}

#[test]
fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: Sanitize<Plain> = SanitizeLayer::new(Policy::strict_json()).layer(Plain);
    let _: Sanitize<Plain> = Sanitize::unguarded(Plain);
}

#[test]
fn what_is_held_is_send_sync_and_debug() {
    fn assert_held<T: Send + Sync + std::fmt::Debug + 'static>() {}
    assert_held::<SanitizeHandle>();
    assert_held::<Policy>();
    assert_held::<BodyError>();
    assert_held::<GuardedBody<http_body_util::Full<bytes::Bytes>>>();
}
