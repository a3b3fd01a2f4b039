//! Rules that are bound to a store, and asked together.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use buttress_core::reject::Rejection;
use http::HeaderValue;

use crate::{
    decision::{Decision, Source},
    error::{ConfigError, ConfigErrorKind as Kind},
    headers,
    key::{Keys, MAX_RUNGS, Rungs},
    memory::{Claim, Variant, table::Table},
    meter::{Level, Meter, Nanos},
    rule::Rule,
    shared::refusal,
};

pub(crate) use self::claims::{Claims, with_claims};

mod claims;

/// The most that one request is charged against: rules times rungs.
pub(crate) const MAX_CLAIMS: usize = 12;

#[cfg(feature = "redis")]
static IDS: AtomicU64 = AtomicU64::new(0);

/// The rules of one tier. All of them admit a request, or none is charged for it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Box<[Bound]>,
    /// What `RateLimit-Policy` says of them.
    pub(crate) policy: Option<HeaderValue>,
    pub(crate) has_failures_only: bool,
    /// Rules times rungs.
    most_claims: usize,
    /// Of its own, in the process.
    #[cfg(feature = "redis")]
    pub(crate) id: u64,
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
    /// Where it alone refuses.
    rejection: Rejection,
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

/// The cell of the one rule there is: after its charge, or of which not so much is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    meter: &'a Meter,
    cell: u64,
    cost: u64,
}

impl Known<'_> {
    pub(crate) fn standing(self, now: Nanos) -> Standing {
        Standing { rule: 0, level: self.meter.level(Some(self.cell), now) }
    }

    pub(crate) fn wait(self, now: Nanos) -> Option<Nanos> {
        self.meter.wait(Some(self.cell), self.cost, now)
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
            #[cfg(feature = "redis")]
            id: IDS.fetch_add(1, Relaxed),
        })
    }

    pub(crate) const fn most_claims(&self) -> usize {
        self.most_claims
    }

    /// Charges where there is one rule, for a key that is known; an error where it has not so much
    /// left. `None` where nothing is charged, and [`claims`](Self::claims) tell.
    #[inline]
    pub(crate) fn charge_known(
        &self,
        table: &Table,
        keys: &Keys,
        cost: u64,
        now: Nanos,
    ) -> Option<Result<Known<'_>, Known<'_>>> {
        let ([bound], 1) = (&*self.rules, self.most_claims) else { return None };
        let [Some(rung), ..] = &bound.rungs else { return None };
        if bound.rule.shadow {
            return None;
        }
        let cost = cost.saturating_mul(bound.rule.cost);
        let rule = (rung.variant, &rung.meter);
        let known = |cell| Known { meter: &rung.meter, cell, cost };
        Some(table.charge_known(rule, keys.first(), cost, now)?.map(known).map_err(known))
    }

    /// As [`charge_known`](Self::charge_known); `None`, too, where it has not so much left.
    #[inline]
    pub(crate) fn admit_known(
        &self,
        table: &Table,
        keys: &Keys,
        cost: u64,
        now: Nanos,
    ) -> Option<Decision<'_>> {
        let known = self.charge_known(table, keys, cost, now)?.ok()?;
        Some(Decision::of(self.rules.first()?, known.standing(now).level))
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

    /// Of the one rule there is.
    pub(crate) fn count_refusal(&self) {
        if let [bound] = &*self.rules {
            bound.counts.refused.fetch_add(1, Relaxed);
        }
    }

    /// These of the rules, bit by bit.
    pub(crate) fn of(&self, bits: u16) -> impl Iterator<Item = &Bound> {
        let rules = self.rules.iter().zip(0..).filter(move |(_, i)| bits & (1 << i) != 0);
        rules.map(|(bound, _)| bound)
    }

    /// What is said where these of the rules refuse, bit by bit.
    pub(crate) fn rejection(&self, refusing: u16) -> Rejection {
        let mut rules = self.of(refusing);
        match (rules.next(), rules.next()) {
            (Some(one), None) => one.rejection.clone(),
            (one, two) => {
                let all = one.into_iter().chain(two).chain(rules);
                refusal::exceeded(all.map(|bound| bound.rule.label()))
            }
        }
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
        let rejection = refusal::exceeded([rule.label()]).prepared();
        Ok(Self { rule, rungs: bound, prefix, limit, rejection, counts: Arc::default() })
    }
}

impl Decision<'_> {
    pub(crate) const UNLIMITED: Self = Self {
        rule: "",
        limited: false,
        limit: u64::MAX,
        remaining: u64::MAX,
        retry_after: None,
        next_unit: Duration::ZERO,
        reset_after: Duration::ZERO,
        source: Source::Memory,
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
            source: Source::Memory,
        }
    }
}
