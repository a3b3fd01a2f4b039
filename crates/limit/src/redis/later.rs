//! What is done after a request was decided: here at once, in Redis in the background.

use super::{
    Fallback, RedisStore,
    ask::{BY_FALLBACK, BY_REDIS, Question, scale},
    counting::Owed,
    link::Then,
    script::{Call, Claimed, Mode, Of, claimed},
};
use crate::{
    key::Keys,
    meter::Nanos,
    plan::{Plan, Which, with_claims},
    shared::Receipt,
};

impl RedisStore {
    /// Takes back what was charged.
    pub(crate) fn refund(&self, plan: &Plan, receipt: &Receipt, which: Which) {
        let Receipt { keys, cost, charged, at, .. } = receipt;
        let (table, by_fallback) = (self.table(), charged & BY_FALLBACK != 0);
        let now = table.now();
        let mut of = Of { plan, keys, cost: *cost, which, charged: *charged & !BY_FALLBACK };
        with_claims!(plan, |N| {
            let mut claims = plan.claims::<N>(keys, *cost);
            if by_fallback {
                scale(&mut claims, self.fallback.share());
            }
            claims.refund(table, *at, now, (which, of.charged));
            for (index, claimed) in claimed(&self.prefix, plan, keys, &claims).enumerate() {
                if by_fallback && self.link.outage.refunded(&claimed, *at, now) {
                    of.charged &= !(1 << index);
                }
            }
        });
        self.link.denied.forgive(keys.first(), now);
        if charged & (BY_REDIS | BY_FALLBACK) != 0 {
            let ago = now.saturating_sub(*at);
            let call = Call::new(&self.prefix, Mode::Refund, of, |_| Owed::default());
            self.later(call.ago(ago), Then::Forgive(keys.first()));
        }
    }

    /// Charges without asking; answers when.
    pub(crate) fn force(&self, question: Question<'_>) -> Nanos {
        let table = self.table();
        let now = table.now();
        let is_live = self.link.live(question.keys.first()).is_some();
        // What it had lost was owed before this.
        let base = |claimed: &Claimed<'_>| self.base(claimed.claim, now);
        let call = is_live.then(|| Call::new(&self.prefix, Mode::Force, question.all(), base));
        with_claims!(question.plan, |N| {
            let mut claims = question.claims::<N>();
            if !is_live {
                scale(&mut claims, self.fallback.share());
            }
            claims.force(table, now);
            if !is_live {
                self.remember(question, &claims, self.fallback.share());
            }
        });
        if let Some(call) = call {
            self.later(call, Then::Nothing);
        }
        now
    }

    /// Forgets the counts of these keys.
    pub(crate) fn reset(&self, plan: &Plan, keys: &Keys) {
        with_claims!(plan, |N| {
            let claims = plan.claims::<N>(keys, 1);
            claims.reset(self.table());
            for claimed in claimed(&self.prefix, plan, keys, &claims) {
                self.link.outage.forget(&claimed);
            }
        });
        self.link.denied.forgive(keys.first(), self.table().now());
        self.link.leases.forget(keys);
        let all = Of::all(plan, keys, 1);
        let call = Call::new(&self.prefix, Mode::Forget, all, |_| Owed::default());
        self.later(call, Then::Forget(*keys));
    }

    fn later(&self, call: Call, then: Then) {
        if !call.is_empty() {
            self.link.start();
            self.link.later(call, then);
        }
    }
}

impl Fallback {
    /// How many times as much a node charges in an outage.
    const fn share(self) -> u32 {
        match self {
            Self::Local { share } => share,
            Self::Open | Self::Closed => 1,
        }
    }
}
