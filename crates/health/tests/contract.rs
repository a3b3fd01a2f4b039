//! The laws of a correct layer.

use buttress_conformance::{Laws, assert_any_body, assert_auto_traits, assert_error_type};
use buttress_health::{
    BlockingCheck, Cpu, Descriptors, Disk, Growth, GrpcHealth, Health, HealthLayer, HealthService,
    Heartbeat, HttpCheck, Load, Memory, Registry, Runner, TcpCheck,
};
use tower::Layer;

fn layer() -> HealthLayer {
    let (health, _) = Registry::new().split();
    HealthLayer::new(&health)
}

#[test]
fn the_layer_keeps_the_laws() {
    assert_auto_traits(&layer());
    assert_any_body(&layer());
    assert_error_type(&layer());
    Laws::of(layer()).check();
}

#[test]
fn a_service_that_answers_no_probe_keeps_the_laws() {
    #[derive(Clone, Debug)]
    struct PassThrough;
    impl<S> Layer<S> for PassThrough {
        type Service = HealthService<S>;
        fn layer(&self, inner: S) -> HealthService<S> {
            HealthService::pass_through(inner)
        }
    }
    Laws::of(PassThrough).check();
}

#[test]
fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: HealthService<Plain> = layer().layer(Plain);
}

#[test]
fn what_is_held_is_send_sync_and_debug() {
    fn assert_all<T: Send + Sync + std::fmt::Debug + 'static>() {}
    assert_all::<Health>();
    assert_all::<Heartbeat>();
    assert_all::<Registry>();
    assert_all::<Runner>();
    assert_all::<GrpcHealth>();
    assert_all::<BlockingCheck>();
    assert_all::<HttpCheck>();
    assert_all::<TcpCheck>();
    assert_all::<Memory>();
    assert_all::<Cpu>();
    assert_all::<Load>();
    assert_all::<Growth>();
    assert_all::<Descriptors>();
    assert_all::<Disk>();
}
