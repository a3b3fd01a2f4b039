use buttress_core::context::InContext;
use buttress_headers::SecurityHeaders;
use buttress_request_id::RequestId;
use tower_http::{
    compression::Compression,
    cors::Cors,
    csrf::Csrf,
    limit::{RequestBodyLimit, RequestBodyLimitLayer},
    timeout::Timeout,
};
use tower_layer::Layer;

use super::{
    Stack,
    rebody::{Compressed, Plain, Rebody, Replaceable},
    request::Enter,
    slot::{Slot, slot},
};
use crate::csrf::ProblemAnswer;

// Innermost first; each line is one slot.
type Limited<S> = Rebody<RequestBodyLimit<Enter<S>>, Replaceable>;
type Timed<S> = Slot<Timeout<Limited<S>>, Limited<S>>;
/// What stands inside the joint.
pub(super) type Inner<S> = Slot<Csrf<Timed<S>, ProblemAnswer>, Timed<S>>;

type Packed<S> = Slot<Rebody<Compression<S>, Compressed>, Rebody<S, Plain>>;
type Shared<S> = Slot<Cors<Packed<S>>, Packed<S>>;
type Graded<S> = Slot<SecurityHeaders<Shared<S>>, Shared<S>>;
/// What stands outside of it.
type Outer<S> = InContext<RequestId<Graded<S>>>;

/// The service that [`Stack`] makes.
pub type Hardened<S, M = tower_layer::Identity> = Outer<<M as Layer<Inner<S>>>::Service>;

impl<S, M> Layer<S> for Stack<M>
where
    M: Layer<Inner<S>>,
{
    type Service = Hardened<S, M>;

    fn layer(&self, service: S) -> Self::Service {
        let limit = self.body_limit.unwrap_or(usize::MAX);
        let service = Rebody::new(RequestBodyLimitLayer::new(limit).layer(Enter(service)));
        let service = slot(self.timeout.as_ref().map(|(_, layer)| layer), service);
        let service = slot(self.csrf.as_ref().map(|(_, layer)| layer), service);

        let service = self.joint.layer(service);

        let service = match &self.compression {
            Some(layer) => Slot::Filled(Rebody::new(layer.layer(service))),
            None => Slot::Empty(Rebody::new(service)),
        };
        let service = slot(self.cors.as_ref().map(|(_, layer)| layer), service);
        let service = slot(self.headers.as_ref(), service);
        let service = self.request_id.layer(service);
        self.context.layer(service)
    }
}
