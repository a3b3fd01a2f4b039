use std::net::{IpAddr, Ipv4Addr};

use buttress::limit::{LimitLayer, Limiter, MemoryStore, Rule};
use governor::RateLimiter;
use http::{
    HeaderValue, Request,
    header::{CONTENT_TYPE, TE},
};
use tower_layer::Layer;

use super::{Headers, nothing};
use crate::{
    Case, Failure, Side,
    case::bare,
    drive::{BareOf, Nothing, repeat, serve},
    limits::{self, Quota},
};

pub(super) fn cases() -> Vec<Case> {
    let cases = [
        admits(),
        with_headers(),
        two_rules(),
        failures_only(),
        refuses(),
        refuses_grpc(),
        check(),
    ];
    // Each peer is governor, with a clock of its own.
    cases.map(Case::peers_calibrate).into()
}

/// What the peers' refusals are made of.
type Body = axum::body::Body;
type GrpcBody = tonic::body::Body;

fn request() -> Request<Nothing> {
    Headers::None.request_from_peer()
}

fn grpc() -> Request<Nothing> {
    let mut request = request();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    request
}

fn from_peer() -> Side {
    bare("a request with its peer, axum's body", || Ok(serve(BareOf::<Body>::new(), request())))
}

fn ours(rules: impl IntoIterator<Item = Rule>) -> Result<LimitLayer, Failure> {
    Ok(LimitLayer::new(limits::by_peer(), rules)?)
}

/// The key is the peer's address, of ours and of the peers. The client has come before.
fn admits() -> Case {
    Case::new("limit, admits", from_peer(), || {
        let layer = ours([Quota::Plenty.rule("general")?])?.without_headers();
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .peer("tower_governor", || {
        let layer = limits::tower_governor(Quota::Plenty)?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .asked(350, 0)
}

/// axum-governor has no way to leave them out.
fn with_headers() -> Case {
    Case::new("limit, admits, with headers", from_peer(), || {
        let layer = ours([Quota::Plenty.rule("general")?])?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .peer("tower_governor", || {
        let layer = limits::tower_governor_with_headers(Quota::Plenty)?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .peer("axum-governor", || {
        let layer = limits::axum_governor(&[Quota::Plenty])?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .asked(1_100, 3)
}

/// All or nothing; of the peers, the first rule's charge stays where the second one refuses.
fn two_rules() -> Case {
    Case::new("limit, two rules, with headers", from_peer(), || {
        let layer = ours(limits::rules()?)?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .peer("tower_governor, twice", || {
        let layers = limits::tower_governors()?;
        Ok(serve(layers.layer(BareOf::<Body>::new()), request()))
    })
    .peer("axum-governor", || {
        let layer = limits::axum_governor(&[Quota::Plenty, Quota::PlentyAtOnce])?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
}

/// Charged, and given back with the answer.
fn failures_only() -> Case {
    Case::new("limit, failures only, a success", from_peer(), || {
        let layer = ours([Quota::Plenty.rule("auth")?.failures_only()])?.without_headers();
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
}

fn refuses() -> Case {
    Case::new("limit, refuses", from_peer(), || {
        let layer = ours([Quota::UsedUp.rule("general")?])?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .peer("tower_governor", || {
        let layer = limits::tower_governor_with_headers(Quota::UsedUp)?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .peer("axum-governor", || {
        let layer = limits::axum_governor(&[Quota::UsedUp])?;
        Ok(serve(layer.layer(BareOf::<Body>::new()), request()))
    })
    .asked(1_500, 4)
}

fn refuses_grpc() -> Case {
    let bare = bare("a gRPC request with its peer, tonic's body", || {
        Ok(serve(BareOf::<GrpcBody>::new(), grpc()))
    });
    Case::new("limit, refuses gRPC", bare, || {
        let layer = ours([Quota::UsedUp.rule("general")?])?;
        Ok(serve(layer.layer(BareOf::<GrpcBody>::new()), grpc()))
    })
    .peer("tower_governor", || {
        let layer = limits::tower_governor_with_headers(Quota::UsedUp)?;
        Ok(serve(layer.layer(BareOf::<GrpcBody>::new()), grpc()))
    })
}

/// The decision alone, again and again for one key.
fn check() -> Case {
    Case::new("limit, a check of one key", nothing(), || {
        let limiter = Limiter::new(MemoryStore::new()?, [Quota::Plenty.rule("general")?])?;
        Ok(repeat(move || limiter.check(CLIENT.octets()).is_limited()))
    })
    .peer("governor", || {
        let limiter = RateLimiter::keyed(Quota::Plenty.of_governor()?);
        Ok(repeat(move || limiter.check_key(&IpAddr::V4(CLIENT)).is_err()))
    })
}

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
