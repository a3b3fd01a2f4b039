//! A request's charges, over all of a plan's rules.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{Bound, Plan, Standing, Which};
use crate::{
    decision::Decision,
    memory::{Claim, table::Table},
    meter::{Level, Nanos},
};

/// A request's charges, before and after they were asked for.
#[derive(Debug)]
pub(crate) struct Claims<'a, const N: usize> {
    pub(super) list: [Option<Claim<'a>>; N],
    pub(crate) plan: &'a Plan,
}

/// Does something with a plan's claims, in as little room as they need: to fill and to move room
/// for the most that there can be costs more than the rest of a decision.
macro_rules! with_claims {
    ($plan:expr, |$n:ident| $do:expr) => {
        match $plan.most_claims() {
            0..=1 => {
                const $n: usize = 1;
                $do
            }
            2 => {
                const $n: usize = 2;
                $do
            }
            3..=4 => {
                const $n: usize = 4;
                $do
            }
            _ => {
                const $n: usize = $crate::plan::MAX_CLAIMS;
                $do
            }
        }
    };
}
pub(crate) use with_claims;

impl<'a, const N: usize> Claims<'a, N> {
    /// Asks; the clock is read once more before anything is refused. Answers the time of the
    /// decision, and whether all of them, shadows too, had enough left.
    ///
    /// Between a reading and the decision a thread may have been held up for longer than a client
    /// has to wait.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        table: &'a Table,
        now: Nanos,
        clock: impl Fn() -> Nanos,
    ) -> (Nanos, bool) {
        if table.decide(&mut self.list, now) {
            return (now, true);
        }
        let later = clock();
        let waited = self.wait(now).is_some_and(|wait| later.saturating_sub(now) >= wait);
        if !self.is_refused() || !waited {
            return (now, false);
        }
        (later, table.decide(&mut self.list, later))
    }

    pub(crate) fn peek(&mut self, table: &'a Table, now: Nanos) {
        for claim in self.list.iter_mut().map_while(Option::as_mut) {
            table.peek(claim, now);
        }
    }

    pub(crate) fn force(&mut self, table: &'a Table, now: Nanos) {
        for claim in self.list.iter_mut().map_while(Option::as_mut) {
            table.force(claim, now);
        }
    }

    /// Gives back what was charged `then`. A shadow that had refused was not charged.
    pub(crate) fn refund(
        &self,
        table: &'a Table,
        then: Nanos,
        now: Nanos,
        (which, charged): (Which, u16),
    ) {
        for (index, (owner, claim)) in self.iter().enumerate() {
            let bound = self.plan.rules.get(owner);
            let meant = which == Which::All || bound.is_some_and(|bound| bound.rule.failures_only);
            if meant && charged & (1 << index) != 0 {
                table.refund(claim, then, now);
            }
        }
    }

    pub(crate) fn reset(&self, table: &Table) {
        for claim in self.list.iter().map_while(Option::as_ref) {
            table.reset(claim);
        }
    }

    /// Which of the claims were charged, bit by bit.
    pub(crate) fn charged(&self) -> u16 {
        let claims = self.list.iter().map_while(Option::as_ref);
        claims
            .enumerate()
            .filter(|(_, claim)| claim.next.is_some())
            .fold(0, |bits, (i, _)| bits | 1 << i)
    }

    #[cfg(feature = "redis")]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Claim<'a>> {
        self.list.iter_mut().map_while(Option::as_mut)
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Claim<'a>)> {
        let claims = self.list.iter().map_while(Option::as_ref);
        claims.map(|claim| (usize::from(claim.owner), claim))
    }

    #[inline]
    pub(crate) fn is_refused(&self) -> bool {
        self.iter().any(|(_, claim)| claim.refuses())
    }

    /// How long until it would be admitted; `None` for what can never pass.
    pub(crate) fn wait(&self, now: Nanos) -> Option<Nanos> {
        let mut longest = 0;
        for (_, claim) in self.iter().filter(|(_, claim)| claim.refuses()) {
            longest = longest.max(claim.wait(now)?);
        }
        Some(longest)
    }

    /// Each claim that refuses counts for its rule, once.
    pub(crate) fn count_refusals(&self) {
        let mut last = None;
        for (owner, claim) in self.iter().filter(|(_, claim)| claim.next.is_none()) {
            if last.replace(owner) == Some(owner) {
                continue;
            }
            if let Some(bound) = self.plan.rules.get(owner) {
                let counts = &bound.counts;
                let count = if claim.shadow { &counts.shadow_refused } else { &counts.refused };
                count.fetch_add(1, Relaxed);
            }
        }
    }

    /// Which of the plan's rules refuse, bit by bit.
    pub(crate) fn refusing(&self) -> u16 {
        let refusing = self.iter().filter(|(_, claim)| claim.refuses());
        refusing.fold(0, |bits, (owner, _)| bits | 1 << owner)
    }

    /// Each rule that can refuse, and where it stands: by its tightest rung.
    pub(crate) fn standings(&self, now: Nanos) -> impl Iterator<Item = Standing> {
        let refused = self.is_refused();
        (0..self.plan.rules.len()).filter_map(move |rule| {
            let own = self.iter().filter(|(owner, claim)| *owner == rule && !claim.shadow);
            let levels = own.map(|(_, claim)| claim.level(refused, now));
            levels.min_by_key(|level| tightness(*level)).map(|level| Standing { rule, level })
        })
    }

    /// The rule of which least is left; where it is refused, of those that refuse the one with the
    /// longest wait.
    #[inline]
    pub(crate) fn tightest(&self, now: Nanos) -> Option<Standing> {
        let refused = self.is_refused();
        let standing = |(rule, claim): (usize, &Claim<'_>)| Standing {
            rule,
            level: claim.level(refused, now),
        };
        if refused {
            let refusing = self.iter().filter(|(_, claim)| claim.refuses());
            let wait = |claim: &Claim<'_>| claim.wait(now).unwrap_or(Nanos::MAX);
            return refusing.max_by_key(|(_, claim)| wait(claim)).map(standing);
        }
        let all = self.iter().filter(|(_, claim)| !claim.shadow).map(standing);
        all.min_by_key(|standing| tightness(standing.level))
    }

    /// The most units that one of the rules counts as used.
    pub(crate) fn used(&self, now: Nanos) -> u64 {
        let used = self.iter().map(|(_, claim)| {
            claim.meter.limit().saturating_sub(claim.level(false, now).remaining)
        });
        used.max().unwrap_or(0)
    }

    /// As [`tightest`](Self::tightest), in public words.
    pub(crate) fn decision(&self, now: Nanos) -> Decision<'a> {
        let refused = self.is_refused();
        let standing = self.tightest(now);
        let bound = standing.and_then(|standing| self.plan.rules.get(standing.rule));
        let (Some(Standing { level, .. }), Some(bound)) = (standing, bound) else {
            // Shadows alone.
            return Decision::UNLIMITED;
        };
        let retry_after = if refused { self.wait(now).map(Duration::from_nanos) } else { None };
        Decision { limited: refused, retry_after, ..Decision::of(bound, level) }
    }

    /// A decision for each rule, shadows included.
    pub(crate) fn decisions(&self, now: Nanos) -> Vec<Decision<'a>> {
        let of = |(bound, rule): (&'a Bound, usize)| {
            let own = self.iter().filter(|(owner, _)| *owner == rule);
            let (level, claim) = own
                .map(|(_, claim)| (claim.level(true, now), claim))
                .min_by_key(|(level, _)| tightness(*level))?;
            let wait = claim.wait(now);
            let limited = wait != Some(0);
            let retry_after = wait.filter(|_| limited).map(Duration::from_nanos);
            Some(Decision { limited, retry_after, ..Decision::of(bound, level) })
        };
        self.plan.rules.iter().zip(0..).filter_map(of).collect()
    }
}

/// Least left first, then longest to wait.
const fn tightness(level: Level) -> (u64, std::cmp::Reverse<Nanos>) {
    (level.remaining, std::cmp::Reverse(level.next_unit))
}
