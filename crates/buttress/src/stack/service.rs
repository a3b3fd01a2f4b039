use buttress_core::context::InContext;
use buttress_headers::SecurityHeaders;
use buttress_request_id::RequestId;
use tower_http::{compression::Compression, cors::Cors, csrf::Csrf};
use tower_layer::Layer;

use super::{
    Stack,
    body_limit::BodyLimit,
    rebody::{Compressed, Plain, Rebody},
    slot::{Slot, slot},
    timeout::Timeout,
};
use crate::csrf::CsrfAnswer;

// Innermost first; each line is one slot.
type Bounded<S> = Timeout<BodyLimit<S>>;
/// What stands inside the joint.
pub(super) type Inner<S> = Slot<CsrfAnswer<Csrf<Bounded<S>>>, Bounded<S>>;

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
        let service = BodyLimit { inner: service, limit: self.body_limit };
        let service = Timeout { inner: service, limit: self.timeout };
        let service = match &self.csrf {
            Some((_, layer)) => Slot::Filled(CsrfAnswer(layer.layer(service))),
            None => Slot::Empty(service),
        };

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
