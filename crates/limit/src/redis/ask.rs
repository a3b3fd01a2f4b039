//! How a layer asks the store.

use std::{sync::Arc, time::Duration};

use buttress_core::reject::Rejection;
use http::StatusCode;

use super::{
    Fallback, RedisStore,
    script::{Call, Mode, Of, read},
};
use crate::{
    key::Keys,
    memory::table::Table,
    meter::Nanos,
    plan::{Claims, Plan, Which, with_claims},
    shared::{Decided, LAYER, Pass, Receipt, Shared},
};

/// In a receipt: it was Redis that charged. No claim has so high a number.
const BY_REDIS: u16 = 1 << 15;

/// What becomes of a request.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(crate) enum Begin {
    /// The table in memory decides, at this cost.
    Here(u64),
    Decided(Decided),
}

impl RedisStore {
    /// Asks Redis, where it answers; where it does not, nothing waits for it.
    pub(crate) fn begin(
        &self,
        shared: &Arc<Shared>,
        index: usize,
        keys: &Keys,
        cost: u64,
    ) -> Begin {
        let Some((_, plan)) = shared.plans.get(index) else { return Begin::Here(cost) };
        let Some(asking) = self.asking(Of::all(plan, keys, cost)) else {
            return self.fall_back(plan, cost);
        };
        let (shared, keys) = (Arc::clone(shared), *keys);
        Begin::Decided(Decided::Later(Box::pin(async move {
            let answer = asking.answer().await;
            let Some(store) = shared.store.remote() else { return Ok(Pass::Nothing) };
            match store.conclude(&shared, index, &keys, cost, answer) {
                Decided::Now(pass) => Ok(pass),
                Decided::Refused(refusal) => Err(Box::new(refusal)),
                Decided::Later(later) => later.await,
            }
        })))
    }

    fn conclude(
        &self,
        shared: &Arc<Shared>,
        index: usize,
        keys: &Keys,
        cost: u64,
        answer: Option<Vec<i64>>,
    ) -> Decided {
        let Some((_, plan)) = shared.plans.get(index) else { return Decided::Now(Pass::Nothing) };
        let table = self.table();
        let decided = answer.and_then(|answer| {
            let now = table.now();
            with_claims!(plan, |N| {
                let mut claims = plan.claims::<N>(keys, cost);
                let all = read(&mut claims, &answer, now)?;
                self.mirror(&claims, now);
                Some(shared.told(index, &claims, now, all))
            })
        });
        match decided {
            Some(Ok(mut asked)) => {
                asked.charged |= BY_REDIS;
                shared.conclude(index, keys, cost, asked, None)
            }
            Some(Err(refusal)) => Decided::Refused(refusal),
            None => match self.fall_back(plan, cost) {
                Begin::Decided(decided) => decided,
                Begin::Here(cost) => {
                    let now = table.now();
                    match with_claims!(plan, |N| shared.ask::<N>(index, keys, cost, now)) {
                        Ok(asked) => shared.conclude(index, keys, cost, asked, None),
                        Err(refusal) => Decided::Refused(refusal),
                    }
                }
            },
        }
    }

    /// Without an answer of Redis.
    fn fall_back(&self, plan: &Plan, cost: u64) -> Begin {
        self.count_fallback();
        match self.fallback {
            Fallback::Local { share } => Begin::Here(shared_cost(plan, cost, share)),
            Fallback::Open => Begin::Decided(Decided::Now(Pass::Nothing)),
            Fallback::Closed => {
                let no = Rejection::new(LAYER, "store_down", StatusCode::SERVICE_UNAVAILABLE)
                    .with_retry_after(Duration::from_secs(1));
                Begin::Decided(Decided::Refused(no.into()))
            }
        }
    }

    /// What Redis counts, so that an outage does not begin with a fresh burst.
    pub(super) fn mirror<const N: usize>(&self, claims: &Claims<'_, N>, now: Nanos) {
        let refused = claims.is_refused();
        for (_, claim) in claims.iter() {
            let cell = if refused { claim.cell } else { claim.next.or(claim.cell) };
            if let Some(cell) = cell {
                self.table().mirror(claim, cell, now);
            }
        }
    }

    /// Takes back what Redis has charged; the table was told already.
    pub(crate) fn refund(&self, plan: &Plan, receipt: &Receipt, which: Which, now: Nanos) {
        if receipt.charged & BY_REDIS != 0 {
            let Receipt { keys, cost, charged, at, .. } = receipt;
            let of = Of { plan, keys, cost: *cost, which, charged: *charged };
            self.later(Mode::Refund, of, now.saturating_sub(*at));
        }
    }

    pub(crate) fn force(&self, plan: &Plan, keys: &Keys, cost: u64) {
        self.later(Mode::Force, Of::all(plan, keys, cost), 0);
    }

    pub(crate) fn reset(&self, plan: &Plan, keys: &Keys) {
        self.forget(Call::new(&self.prefix, Mode::Check, Of::all(plan, keys, 0), 0, 0));
    }

    pub(crate) fn table(&self) -> &Table {
        &self.memory.table
    }
}

/// A node that charges `share` times as much admits that part of the quota; one request at least.
fn shared_cost(plan: &Plan, cost: u64, share: u32) -> u64 {
    let most = plan.rules.iter().map(|bound| bound.rule.meter.limit() / bound.rule.cost.max(1));
    let most = most.min().unwrap_or(u64::MAX);
    cost.saturating_mul(share.into()).min(most).max(cost)
}
