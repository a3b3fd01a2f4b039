//! How a request's question is answered: by a lease, by what Redis has said before, by Redis, or
//! by the fall-back.

use std::sync::Arc;

use super::{
    Fallback, RedisStore,
    counting::{Counting, Owed},
    lease::{Holder, Taken, Unit},
    link::{Answer, Link, Live, Then},
    script::{Call, Claimed, Mode, Of, claimed, read},
};
use crate::{
    decision::Source,
    key::Keys,
    memory::{Claim, table::Table},
    meter::{Meter, Nanos},
    plan::{Claims, Plan, with_claims},
};

/// In a receipt: Redis has charged, or the fall-back has. No claim has so high a number.
pub(crate) const BY_REDIS: u16 = 1 << 15;
pub(crate) const BY_FALLBACK: u16 = 1 << 14;
/// How long a refusal by a rule that counts failures only is good without asking. The charges of
/// requests that are on their way to another node are soon given back there.
const FAILURES_ONLY: Nanos = 1_000_000_000;
/// What can never pass is refused so long without asking.
const NEVER: Nanos = 1_000_000_000;

/// A request, as the rules are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) keys: Keys,
    pub(crate) cost: u64,
}

/// Who is told what the rules say.
pub(crate) trait Hear<'a> {
    type Heard;

    /// `all` of the rules, the shadows too, had enough left, or not.
    fn hear<const N: usize>(&self, claims: &Claims<'a, N>, now: Nanos, all: bool) -> Self::Heard;
}

/// What has been decided.
pub(crate) enum Ruling<T> {
    Heard(T, By),
    /// The fall-back lets everyone pass.
    Open,
    /// The fall-back lets nobody pass.
    Closed,
}

/// Who has decided, and when Redis charged for it, if that was before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) source: Source,
    pub(crate) at: Option<Nanos>,
}

impl By {
    const fn now(source: Source) -> Self {
        Self { source, at: None }
    }

    /// For a receipt.
    pub(crate) const fn flag(self) -> u16 {
        match self.source {
            Source::Redis | Source::Lease => BY_REDIS,
            Source::Fallback => BY_FALLBACK,
            Source::Memory | Source::DenyCache => 0,
        }
    }
}

/// A decision that needs no answer, or a question to be sent.
pub(crate) enum Begin<T> {
    Ruled(Ruling<T>),
    Ask(Box<Asking>),
}

/// A question to be sent.
pub(crate) struct Asking {
    live: Live,
    call: Call,
    began: Nanos,
    lease: Option<Leasing>,
}

/// Dropped, nobody asks for a lease any more.
struct Leasing {
    link: Arc<Link>,
    holder: Holder,
}

impl Drop for Leasing {
    fn drop(&mut self) {
        self.link.leases.give_up(&self.holder);
    }
}

impl RedisStore {
    /// What can be decided without waiting.
    pub(crate) fn begin<'a, H: Hear<'a>>(
        &'a self,
        question: Question<'a>,
        hear: &H,
    ) -> Begin<H::Heard> {
        self.link.start();
        let (table, key) = (self.table(), question.keys.first());
        let now = table.now();
        let holder = question.holder();
        let taken = self.link.leases.take(&holder, now);
        if let Taken::Unit(unit) = taken {
            return Begin::Ruled(self.leased(question, unit, hear));
        }
        let lease = match taken {
            Taken::Ask(times) if times > 1 => Some((times, self.leasing(holder))),
            _ => None,
        };
        let Some(live) = self.link.live(key) else {
            return Begin::Ruled(self.fall_back(question, true, hear));
        };
        if let Some(left) = self.link.denied.left(key, now)
            && let Some(ruling) = self.denied(question, (now, left), hear)
        {
            return Begin::Ruled(ruling);
        }
        let base = |claimed: &Claimed<'_>| self.base(claimed.claim, now);
        let (times, lease) = lease.map_or((1, None), |(times, leasing)| (times, Some(leasing)));
        let call = Call::new(&self.prefix, Mode::Check, question.all(), base).times(times);
        Begin::Ask(Box::new(Asking { live, call, began: now, lease }))
    }

    /// Asks Redis, and without an answer the fall-back.
    pub(crate) async fn ask<'a, H: Hear<'a>>(
        &'a self,
        question: Question<'a>,
        asking: Asking,
        hear: &H,
    ) -> Ruling<H::Heard> {
        let Asking { live, call, began, lease } = asking;
        let generation = live.generation;
        match self.link.ask(live, call).await {
            Answer::Said(answer) => {
                if let Some(ruling) = self.said(question, &answer, began, lease.as_ref(), hear) {
                    return ruling;
                }
                self.link.failed(generation, &"an answer that is none", false);
                self.fall_back(question, false, hear)
            }
            Answer::Refused => self.fall_back(question, true, hear),
            Answer::Unknown => self.fall_back(question, false, hear),
        }
    }

    /// By what Redis has answered.
    fn said<'a, H: Hear<'a>>(
        &'a self,
        question: Question<'a>,
        answer: &[i64],
        began: Nanos,
        lease: Option<&Leasing>,
        hear: &H,
    ) -> Option<Ruling<H::Heard>> {
        let (table, key) = (self.table(), question.keys.first());
        let now = table.now();
        let heard = with_claims!(question.plan, |N| {
            let mut claims = question.claims::<N>();
            let (times, all) = read(&mut claims, answer, now)?;
            self.mirror(&claims, now);
            if self.link.forgot.is_on() {
                claims.iter().for_each(|(_, claim)| self.link.forgot.told(claim));
            }
            if claims.is_refused() {
                self.link.denied.put(key, began, began.saturating_add(good_for(&claims, now)));
            }
            if let (Some(leasing), Some(more @ 1..)) = (lease, times.checked_sub(1)) {
                let charged = claims.charged();
                let unit = Unit { at: began, charged, left: 0 };
                let back = || {
                    let of = Of { charged, ..question.all() };
                    Call::new(&self.prefix, Mode::Refund, of, |_| Owed::default())
                };
                if let Some(back) = self.link.leases.put(leasing.holder, more, unit, back) {
                    self.link.later(back, Then::Nothing);
                }
                self.link.chores.notify_one();
                give_back(&mut claims, more, now);
            }
            hear.hear(&claims, now, all)
        });
        self.counts.redis();
        Some(Ruling::Heard(heard, By::now(Source::Redis)))
    }

    /// By a unit that is paid for.
    fn leased<'a, H: Hear<'a>>(
        &'a self,
        question: Question<'a>,
        unit: Unit,
        hear: &H,
    ) -> Ruling<H::Heard> {
        self.counts.lease();
        let (table, Unit { at, charged, left }) = (self.table(), unit);
        let now = table.now();
        let heard = with_claims!(question.plan, |N| {
            let mut claims = question.claims::<N>();
            claims.peek(table, now);
            for (index, claim) in claims.iter_mut().enumerate() {
                let cell = || claim.cell.unwrap_or_else(|| claim.meter.force(None, 0, now));
                claim.next = (charged & (1 << index) != 0).then(cell);
            }
            give_back(&mut claims, left, now);
            let all = claims.iter().all(|(_, claim)| claim.next.is_some());
            hear.hear(&claims, now, all)
        });
        Ruling::Heard(heard, By { source: Source::Lease, at: Some(at) })
    }

    /// By what Redis has said before, if that refuses it.
    fn denied<'a, H: Hear<'a>>(
        &'a self,
        question: Question<'a>,
        (now, left): (Nanos, Nanos),
        hear: &H,
    ) -> Option<Ruling<H::Heard>> {
        let heard = with_claims!(question.plan, |N| {
            let mut claims = question.claims::<N>();
            claims.peek(self.table(), now);
            // Another question was refused for longer: by a rule that this one is not asked, or has
            // enough left of.
            let is_old = left > FAILURES_ONLY
                && claims.plan.of(claims.refusing()).all(|bound| bound.rule.failures_only);
            if !claims.is_refused() || is_old {
                return None;
            }
            hear.hear(&claims, now, false)
        });
        self.counts.denied();
        Some(Ruling::Heard(heard, By::now(Source::DenyCache)))
    }

    /// Without an answer of Redis; where it surely has not charged, it is told later.
    fn fall_back<'a, H: Hear<'a>>(
        &'a self,
        question: Question<'a>,
        tells: bool,
        hear: &H,
    ) -> Ruling<H::Heard> {
        self.counts.fallback();
        let share = match self.fallback {
            Fallback::Local { share } => share,
            Fallback::Open => return Ruling::Open,
            Fallback::Closed => return Ruling::Closed,
        };
        let table = self.table();
        let heard = with_claims!(question.plan, |N| {
            let mut claims = question.claims::<N>();
            scale(&mut claims, share);
            let (now, all) = claims.decide(table, table.now(), || table.now());
            if tells && !claims.is_refused() {
                self.remember(question, &claims, share);
            }
            hear.hear(&claims, now, all)
        });
        Ruling::Heard(heard, By::now(Source::Fallback))
    }

    pub(super) fn remember<const N: usize>(
        &self,
        question: Question<'_>,
        claims: &Claims<'_, N>,
        share: u32,
    ) {
        for claimed in claimed(&self.prefix, question.plan, &question.keys, claims) {
            self.link.outage.charged(&claimed, share);
        }
        self.link.chores.notify_one();
    }

    /// What Redis counts, so that an outage does not begin with a fresh burst.
    pub(super) fn mirror<const N: usize>(&self, claims: &Claims<'_, N>, now: Nanos) {
        let refused = claims.is_refused();
        for (_, claim) in claims.iter() {
            let cell = if refused { claim.cell } else { claim.next.or(claim.cell) };
            match (cell, claim.meter) {
                (Some(cell), Meter::Sliding(sliding)) => {
                    let cell = sliding.aligned(cell, claim.shift, now);
                    self.table().mirror(claim, cell, now);
                }
                (Some(cell), _) => self.table().mirror(claim, cell, now),
                // It may be that others have given back what it owed.
                (None, _) => self.table().reset(claim),
            }
        }
    }

    /// What Redis is told that it has lost.
    pub(super) fn base(&self, claim: &Claim<'_>, now: Nanos) -> Owed {
        if !self.link.forgot.has(claim) {
            return Owed::default();
        }
        let mut own = Claim::new(claim.variant, claim.meter, claim.key, 0);
        self.table().peek(&mut own, now);
        Counting::of(claim.meter).owed(claim.meter, own.cell, now)
    }

    fn leasing(&self, holder: Holder) -> Leasing {
        Leasing { link: Arc::clone(&self.link), holder }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.memory.table
    }
}

impl<'a> Question<'a> {
    pub(super) const fn all(&self) -> Of<'_> {
        Of::all(self.plan, &self.keys, self.cost)
    }

    pub(super) fn claims<const N: usize>(self) -> Claims<'a, N> {
        self.plan.claims::<N>(&self.keys, self.cost)
    }

    const fn holder(self) -> Holder {
        Holder { keys: self.keys, plan: self.plan.id, cost: self.cost }
    }
}

/// A node that charges so many times as much admits that part of a quota; one request at least.
pub(super) fn scale<const N: usize>(claims: &mut Claims<'_, N>, share: u32) {
    for claim in claims.iter_mut() {
        let part = claim.cost.saturating_mul(share.into()).min(claim.meter.limit());
        claim.cost = claim.cost.max(part);
    }
}

/// Units that are charged, and that nobody has used yet.
fn give_back<const N: usize>(claims: &mut Claims<'_, N>, units: u32, now: Nanos) {
    for claim in claims.iter_mut() {
        let (cost, now) = (claim.cost.saturating_mul(units.into()), now.wrapping_add(claim.shift));
        claim.next = claim.next.map(|next| claim.meter.refund(next, cost, now, now));
    }
}

/// How long a refusal is good without asking Redis again.
fn good_for<const N: usize>(claims: &Claims<'_, N>, now: Nanos) -> Nanos {
    let wait = claims.wait(now).unwrap_or(NEVER);
    let mut refusing = claims.plan.of(claims.refusing());
    if refusing.any(|bound| bound.rule.failures_only) { wait.min(FAILURES_ONLY) } else { wait }
}
