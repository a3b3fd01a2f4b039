//! Rules that are bound to a store, and asked together.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::HeaderValue;

use crate::{
    decision::Decision,
    error::{ConfigError, ConfigErrorKind as Kind},
    headers,
    key::{Keys, MAX_RUNGS, Rungs},
    memory::{Claim, Variant, table::Table},
    meter::{Level, Meter, Nanos},
    rule::Rule,
};

/// The most that one request is charged against: rules times rungs.
pub(crate) const MAX_CLAIMS: usize = 12;

/// The rules of one tier. All of them admit a request, or none is charged for it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Box<[Bound]>,
    /// What `RateLimit-Policy` says of them.
    pub(crate) policy: Option<HeaderValue>,
    pub(crate) has_failures_only: bool,
    /// Rules times rungs.
    most_claims: usize,
}

/// A rule, and where its counts are.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) rule: Rule,
    rungs: [Option<Rung>; MAX_RUNGS],
    /// Of its item in `RateLimit`.
    pub(crate) prefix: Box<[u8]>,
    /// As a header's value.
    pub(crate) limit: HeaderValue,
    pub(crate) counts: Arc<Counts>,
}

#[derive(Clone, Debug)]
struct Rung {
    variant: Variant,
    meter: Meter,
}

/// How a rule has decided.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) refused: AtomicU64,
    pub(crate) shadow_refused: AtomicU64,
    pub(crate) refunded: AtomicU64,
}

/// Which rules of a plan are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    FailuresOnly,
}

/// A request's charges, before and after they were asked for.
#[derive(Debug)]
pub(crate) struct Claims<'a, const N: usize> {
    list: [Option<Claim<'a>>; N],
    plan: &'a Plan,
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

/// The cell of the one rule there is, after its charge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    meter: &'a Meter,
    cell: u64,
}

impl Known<'_> {
    pub(crate) fn standing(self, now: Nanos) -> Standing {
        Standing { rule: 0, level: self.meter.level(Some(self.cell), now) }
    }

    pub(crate) fn used(self, now: Nanos) -> u64 {
        let level = self.meter.level(Some(self.cell), now);
        self.meter.limit().saturating_sub(level.remaining)
    }
}

/// Where a rule stands after a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Its place in the plan.
    pub(crate) rule: usize,
    pub(crate) level: Level,
}

impl Plan {
    pub(crate) fn bind(
        table: &Table,
        rules: impl IntoIterator<Item = Rule>,
        rungs: &Rungs,
    ) -> Result<Self, ConfigError> {
        let mut bound: Vec<Bound> = Vec::new();
        for rule in rules {
            if bound.iter().any(|other| other.rule.name() == rule.name()) {
                let message = format!("{}: a rule of this name is there already", rule.name());
                return Err(ConfigError::new(Kind::DuplicateRule, message));
            }
            bound.push(Bound::new(table, rule, rungs)?);
        }
        if bound.is_empty() {
            return Err(ConfigError::new(Kind::NoRules, "no rule is given: name one at least"));
        }
        let claims = bound.len() * rungs.iter().count();
        if claims > MAX_CLAIMS {
            let message = format!(
                "{claims} counts for one request, of rules times rungs: at most {MAX_CLAIMS}"
            );
            return Err(ConfigError::new(Kind::TooManyRules, message));
        }
        Ok(Self {
            policy: headers::policy(&bound),
            has_failures_only: bound.iter().any(|bound| bound.rule.failures_only),
            rules: bound.into(),
            most_claims: claims,
        })
    }

    pub(crate) const fn most_claims(&self) -> usize {
        self.most_claims
    }

    /// Charges where there is one rule, for a key that is known and has enough left; answers the
    /// level after it. Else nothing is charged, and [`claims`](Self::claims) tell.
    #[inline]
    pub(crate) fn charge_known(
        &self,
        table: &Table,
        keys: &Keys,
        cost: u64,
        now: Nanos,
    ) -> Option<Known<'_>> {
        let ([bound], 1) = (&*self.rules, self.most_claims) else { return None };
        let [Some(rung), ..] = &bound.rungs else { return None };
        if bound.rule.shadow {
            return None;
        }
        let cost = cost.saturating_mul(bound.rule.cost);
        let rule = (rung.variant, &rung.meter);
        let cell = table.charge_known(rule, keys.first(), cost, now)?;
        Some(Known { meter: &rung.meter, cell })
    }

    /// What a request of this cost asks for.
    #[inline]
    pub(crate) fn claims<const N: usize>(&self, keys: &Keys, cost: u64) -> Claims<'_, N> {
        let mut claims = Claims { list: [const { None }; N], plan: self };
        let mut places = claims.list.iter_mut();
        for (bound, owner) in self.rules.iter().zip(0_u8..) {
            for (key, rung) in keys.iter().zip(bound.rungs.iter().map_while(Option::as_ref)) {
                let Some(place) = places.next() else { break };
                let cost = cost.saturating_mul(bound.rule.cost);
                let mut claim = Claim::new(rung.variant, &rung.meter, key, cost);
                claim.shadow = bound.rule.shadow;
                claim.owner = owner;
                *place = Some(claim);
            }
        }
        claims
    }

    /// Of one success, for each rule that counts failures only.
    pub(crate) fn count_refund(&self) {
        for bound in self.rules.iter().filter(|bound| bound.rule.failures_only) {
            bound.counts.refunded.fetch_add(1, Relaxed);
        }
    }
}

impl Bound {
    fn new(table: &Table, rule: Rule, rungs: &Rungs) -> Result<Self, ConfigError> {
        let mut bound = [const { None }; MAX_RUNGS];
        for ((place, (prefix, times)), index) in bound.iter_mut().zip(rungs.iter()).zip(0..) {
            let algorithm = rule.algorithm().times(times.into());
            algorithm.check().map_err(|error| error.about(rule.name()))?;
            let name: Cow<'_, str> = match index {
                0 => rule.name().into(),
                // No rule has such a name.
                _ => format!("{} /{prefix}", rule.name()).into(),
            };
            let meter = Meter::new(&algorithm);
            *place = Some(Rung { variant: table.bind(&name, &meter)?, meter });
        }
        let limit = headers::number(rule.meter.limit());
        let prefix = headers::prefix(&rule);
        Ok(Self { rule, rungs: bound, prefix, limit, counts: Arc::default() })
    }
}

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

    #[inline]
    fn iter(&self) -> impl Iterator<Item = (usize, &Claim<'a>)> {
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
            longest = longest.max(claim.meter.wait(claim.cell, claim.cost, now)?);
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

    /// The rules that refuse, by their place in the plan, each once.
    pub(crate) fn refusing(&self) -> impl Iterator<Item = &'a Bound> {
        let plan = self.plan;
        let refuses =
            move |index: usize| self.iter().any(|(owner, claim)| owner == index && claim.refuses());
        let refusing: u16 =
            (0..plan.rules.len()).filter(|i| refuses(*i)).fold(0, |bits, i| bits | 1 << i);
        plan.rules
            .iter()
            .enumerate()
            .filter(move |(i, _)| refusing & (1 << i) != 0)
            .map(|(_, bound)| bound)
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
            let wait = |claim: &Claim<'_>| {
                claim.meter.wait(claim.cell, claim.cost, now).unwrap_or(Nanos::MAX)
            };
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
            let wait = claim.meter.wait(claim.cell, claim.cost, now);
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

impl Decision<'_> {
    const UNLIMITED: Self = Self {
        rule: "",
        limited: false,
        limit: u64::MAX,
        remaining: u64::MAX,
        retry_after: None,
        next_unit: Duration::ZERO,
        reset_after: Duration::ZERO,
    };
}

impl<'a> Decision<'a> {
    fn of(bound: &'a Bound, level: Level) -> Self {
        Self {
            rule: bound.rule.name(),
            limited: false,
            limit: bound.rule.meter.limit(),
            remaining: level.remaining,
            retry_after: None,
            next_unit: Duration::from_nanos(level.next_unit),
            reset_after: Duration::from_nanos(level.reset),
        }
    }
}
