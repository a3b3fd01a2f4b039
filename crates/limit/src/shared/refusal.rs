//! A no, and the answer that tells it.

use std::time::Duration;

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
    value::Value,
};
use http::{Response, StatusCode};

use super::{LAYER, Shared};
use crate::{
    meter::Nanos,
    plan::{Claims, Standing},
};

/// draft-ietf-httpapi-ratelimit-headers-11 §4, in IANA's registry of RFC 9457.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// A no, and what is told with it.
#[derive(Debug)]
pub(crate) struct Refusal {
    rejection: Rejection,
    plan: usize,
    standings: Standings,
}

#[derive(Debug)]
pub(super) enum Standings {
    None,
    One([Standing; 1]),
    All(Vec<Standing>),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, plan: 0, standings: Standings::None }
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

pub(super) fn forbidden(reason: &'static str) -> Rejection {
    Rejection::new(LAYER, reason, StatusCode::FORBIDDEN)
}

pub(super) fn exceeded(rules: Vec<Value>) -> Rejection {
    Rejection::new(LAYER, "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
        .with_kind(QUOTA_EXCEEDED)
        .with_member("violated-policies", rules)
}

impl Shared {
    #[cold]
    pub(super) fn refusal<const N: usize>(
        &self,
        plan: usize,
        claims: &Claims<'_, N>,
        now: Nanos,
    ) -> Refusal {
        let names = claims.refusing().map(|bound| Value::from(bound.rule.label()));
        let mut rejection = exceeded(names.collect());
        if let Some(wait) = claims.wait(now) {
            rejection = rejection.with_retry_after(Duration::from_nanos(wait));
        }
        let standings = if self.headers.any() {
            self.standings(claims, claims.tightest(now), now)
        } else {
            Standings::None
        };
        Refusal { rejection, plan, standings }
    }

    /// The tightest alone or first.
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
    pub(crate) fn answer<B>(
        &self,
        refusal: Refusal,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let Refusal { rejection, plan, standings } = refusal;
        let mut response = match &self.responder {
            Some(responder) => rejection.respond(&**responder, protocol),
            None => rejection.respond(&DefaultResponder, protocol),
        };
        if let Some((_, plan)) = self.plans.get(plan).filter(|_| !standings.is_empty()) {
            let headers = response.headers_mut();
            // The map of an answer that is made for a refusal is full, and grows by doubling.
            headers.reserve(self.headers.lines());
            self.headers.write(plan, &standings, headers);
        }
        response
    }
}
