//! How a layer asks the store.

use std::{sync::Arc, time::Duration};

use buttress_core::reject::Rejection;
use http::{Extensions, StatusCode};

use super::{
    RedisStore,
    ask::{Begin, Hear, Question, Ruling},
};
use crate::{
    key::Keys,
    meter::Nanos,
    plan::Claims,
    shared::{Asked, Decided, LAYER, Pass, Refusal, Shared},
};

/// When to come again, where nobody passes.
pub(super) const CLOSED: Duration = Duration::from_secs(1);

struct Layer<'a> {
    shared: &'a Shared,
    index: usize,
}

impl<'a> Hear<'a> for Layer<'_> {
    type Heard = Result<Asked, Box<Refusal>>;

    fn hear<const N: usize>(&self, claims: &Claims<'a, N>, now: Nanos, all: bool) -> Self::Heard {
        self.shared.told(self.index, claims, now, all).map_err(Box::new)
    }
}

impl RedisStore {
    /// What becomes of a request.
    pub(crate) fn decide(
        &self,
        shared: &Arc<Shared>,
        index: usize,
        keys: Keys,
        cost: u64,
        extensions: Option<&mut Extensions>,
    ) -> Decided {
        let Some((_, plan)) = shared.plans.get(index) else { return Decided::Now(Pass::Nothing) };
        let layer = Layer { shared, index };
        let asking = match self.begin(Question { plan, keys, cost }, &layer) {
            Begin::Ruled(ruling) => {
                return conclude(shared, index, (&keys, cost), ruling, extensions);
            }
            Begin::Ask(asking) => asking,
        };
        let shared = Arc::clone(shared);
        Decided::Later(Box::pin(async move {
            let (store, plan) = (shared.store.remote(), shared.plans.get(index));
            let (Some(store), Some((_, plan))) = (store, plan) else { return Ok(Pass::Nothing) };
            let layer = Layer { shared: &shared, index };
            let ruling = store.ask(Question { plan, keys, cost }, *asking, &layer).await;
            match conclude(&shared, index, (&keys, cost), ruling, None) {
                Decided::Now(pass) => Ok(pass),
                Decided::Refused(refusal) => Err(Box::new(refusal)),
                Decided::Later(later) => later.await,
            }
        }))
    }
}

fn conclude(
    shared: &Arc<Shared>,
    index: usize,
    (keys, cost): (&Keys, u64),
    ruling: Ruling<Result<Asked, Box<Refusal>>>,
    extensions: Option<&mut Extensions>,
) -> Decided {
    match ruling {
        Ruling::Heard(Ok(mut asked), by) => {
            asked.charged |= by.flag();
            asked.at = by.at.unwrap_or(asked.at);
            shared.conclude(index, keys, cost, asked, extensions)
        }
        Ruling::Heard(Err(refusal), _) => Decided::Refused(*refusal),
        Ruling::Open => Decided::Now(Pass::Nothing),
        Ruling::Closed => {
            let no = Rejection::new(LAYER, "store_down", StatusCode::SERVICE_UNAVAILABLE);
            Decided::Refused(no.with_retry_after(CLOSED).into())
        }
    }
}
