//! A no, and the answer that tells it.

use std::time::Duration;

use buttress_core::{
    body::ResponseBody,
    reject::{Protocol, Rejection},
    value::Value,
};
use http::{Request, Response, StatusCode};

use super::{LAYER, Shared};
use crate::{
    meter::Nanos,
    plan::{Claims, Known, Plan, Standing},
};

/// draft-ietf-httpapi-ratelimit-headers-11 §4, in IANA's registry of RFC 9457.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// A no. It is put into words when it is answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Of rules.
    Quota {
        plan: usize,
        /// Which of the plan's rules refuse, bit by bit.
        rules: u16,
        /// `None` for what can never pass.
        wait: Option<Nanos>,
        standings: Standings,
    },
    /// Whatever else there is to refuse for, each of it rarer. Boxed: what is decided of a request
    /// moves through a few hands.
    Other(Box<Rejection>),
}

/// The tightest alone, or first of all.
#[derive(Debug)]
pub(crate) enum Standings {
    None,
    One([Standing; 1]),
    All(Vec<Standing>),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Other(Box::new(rejection))
    }
}

impl std::ops::Deref for Standings {
    type Target = [Standing];

    fn deref(&self) -> &[Standing] {
        match self {
            Self::None => &[],
            Self::One(one) => one,
            Self::All(all) => all,
        }
    }
}

pub(super) fn forbidden(reason: &'static str) -> Refusal {
    Rejection::new(LAYER, reason, StatusCode::FORBIDDEN).into()
}

/// Because of these rules.
pub(crate) fn exceeded(rules: impl IntoIterator<Item: Into<Value>>) -> Rejection {
    let names: Vec<Value> = rules.into_iter().map(Into::into).collect();
    Rejection::new(LAYER, "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
        .with_kind(QUOTA_EXCEEDED)
        .with_member("violated-policies", names)
}

impl Shared {
    #[cold]
    pub(super) fn refusal<const N: usize>(
        &self,
        plan: usize,
        claims: &Claims<'_, N>,
        now: Nanos,
    ) -> Refusal {
        let standings = if self.headers.any() {
            self.standings(claims, claims.tightest(now), now)
        } else {
            Standings::None
        };
        Refusal::Quota { plan, rules: claims.refusing(), wait: claims.wait(now), standings }
    }

    /// The refusal of the one rule there is. `None` where by now there is enough left, for the
    /// clock is read once more; see [`Claims::decide`].
    pub(super) fn refuse_known(
        &self,
        (index, plan): (usize, &Plan),
        known: Known<'_>,
        at: Nanos,
    ) -> Option<Refusal> {
        let wait = known.wait(at);
        let later = self.store.table().now();
        if wait.is_some_and(|wait| later.saturating_sub(at) >= wait) {
            return None;
        }
        plan.count_refusal();
        let standings =
            if self.headers.any() { Standings::One([known.standing(at)]) } else { Standings::None };
        Some(Refusal::Quota { plan: index, rules: 1, wait, standings })
    }

    pub(super) fn standings<const N: usize>(
        &self,
        claims: &Claims<'_, N>,
        tightest: Option<Standing>,
        now: Nanos,
    ) -> Standings {
        let Some(tightest) = tightest else { return Standings::None };
        if !self.headers.all {
            return Standings::One([tightest]);
        }
        let others = claims.standings(now).filter(|other| other.rule != tightest.rule);
        Standings::All(std::iter::once(tightest).chain(others).collect())
    }

    /// The answer to who is refused.
    pub(crate) fn answer<Q, B>(
        &self,
        refusal: Refusal,
        request: Request<Q>,
    ) -> Response<ResponseBody<B>> {
        let (plan, rules, wait, standings) = match refusal {
            Refusal::Other(rejection) => return self.respond(*rejection, request),
            Refusal::Quota { plan, rules, wait, standings } => (plan, rules, wait, standings),
        };
        let plan = self.plans.get(plan).map(|(_, plan)| plan);
        let mut rejection = plan.map_or_else(|| exceeded([""; 0]), |plan| plan.rejection(rules));
        if let Some(wait) = wait {
            rejection = rejection.with_retry_after(Duration::from_nanos(wait));
        }
        let mut response = self.respond(rejection, request);
        if let Some(plan) = plan {
            let headers = response.headers_mut();
            // Else it may grow, and by doubling.
            headers.reserve(self.headers.lines());
            self.headers.write(plan, &standings, headers);
        }
        response
    }

    fn respond<Q, B>(
        &self,
        rejection: Rejection,
        request: Request<Q>,
    ) -> Response<ResponseBody<B>> {
        match &self.responder {
            Some(responder) => rejection.respond(&**responder, Protocol::of(request.headers())),
            None => rejection.respond_to(request),
        }
    }
}
