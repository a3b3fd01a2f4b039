//! What an answer says of the limits.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    meter::Nanos,
    plan::{Bound, Plan, Standing},
    rule::Rule,
};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The version of the IETF's draft by which `RateLimit` and `RateLimit-Policy` are written. It
/// still moves: another version will be another variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Draft {
    /// draft-ietf-httpapi-ratelimit-headers-11: lists of rules,
    /// `RateLimit: "general";r=97;t=9`.
    #[default]
    V11,
}

/// How `X-RateLimit-Reset` tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyReset {
    /// Seconds from now.
    Delta,
    /// Seconds since 1970.
    Epoch,
}

/// Which headers an answer gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headers {
    pub(crate) draft: Option<Draft>,
    /// Of all rules, not of the tightest alone.
    pub(crate) all: bool,
    pub(crate) legacy: Option<LegacyReset>,
}

impl Default for Headers {
    fn default() -> Self {
        Self { draft: Some(Draft::V11), all: false, legacy: None }
    }
}

impl Headers {
    pub(crate) const fn any(self) -> bool {
        self.draft.is_some() || self.legacy.is_some()
    }

    /// The most lines that an answer gets.
    pub(crate) const fn lines(self) -> usize {
        if self.legacy.is_some() { 5 } else { 2 }
    }

    /// Adds them to those that are there: an inner limit's lists stay, and its `X-RateLimit` where
    /// less is left of it.
    pub(crate) fn write(self, plan: &Plan, standings: &[Standing], headers: &mut HeaderMap) {
        let Some(tightest) = standings.first().filter(|_| self.any()) else { return };
        if self.draft.is_some() {
            if let Some(policy) = &plan.policy {
                headers.append(RATELIMIT_POLICY, policy.clone());
            }
            if let Some(value) = standings_value(plan, standings) {
                headers.append(RATELIMIT, value);
            }
        }
        // These are no lists: of limits around one another, the tightest tells.
        if let (Some(reset), Some(bound)) = (self.legacy, plan.rules.get(tightest.rule))
            && told(headers).is_none_or(|told| tightest.level.remaining < told)
        {
            let after = seconds(tightest.level.reset);
            let time = match reset {
                LegacyReset::Delta => after,
                LegacyReset::Epoch => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    now.as_secs().saturating_add(after)
                }
            };
            headers.insert(X_RATELIMIT_LIMIT, bound.limit.clone());
            headers.insert(X_RATELIMIT_REMAINING, number(tightest.level.remaining));
            headers.insert(X_RATELIMIT_RESET, number(time));
        }
    }
}

/// What an inner limit has left, by its `X-RateLimit-Remaining`.
fn told(headers: &HeaderMap) -> Option<u64> {
    headers.get(X_RATELIMIT_REMAINING)?.to_str().ok()?.parse().ok()
}

/// `"general";r=`, before the number.
pub(crate) fn prefix(rule: &Rule) -> Box<[u8]> {
    format!("\"{}\";r=", rule.name()).into_bytes().into()
}

/// `"general";q=100;w=900` of each rule that can refuse.
pub(crate) fn policy(rules: &[Bound]) -> Option<HeaderValue> {
    let of = |rule: &Rule| {
        let quota = rule.quota();
        let requests = quota.requests().max(quota.limit());
        let window = quota.period().as_nanos().div_ceil(1_000_000_000);
        format!("\"{}\";q={requests};w={window}", rule.name())
    };
    let open = rules.iter().map(|bound| &bound.rule).filter(|rule| !rule.shadow);
    let list: Vec<String> = open.map(of).collect();
    if list.is_empty() { None } else { HeaderValue::try_from(list.join(", ")).ok() }
}

/// `"general";r=97;t=9` of each.
fn standings_value(plan: &Plan, standings: &[Standing]) -> Option<HeaderValue> {
    let mut line = Line::default();
    if let [one] = standings {
        line.standing(plan.rules.get(one.rule)?, one);
        return HeaderValue::from_bytes(line.text()).ok();
    }
    let mut list = Vec::with_capacity(standings.len() * 24);
    for standing in standings {
        line.clear();
        line.standing(plan.rules.get(standing.rule)?, standing);
        if !list.is_empty() {
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(line.text());
    }
    HeaderValue::from_bytes(&list).ok()
}

pub(crate) fn number(number: u64) -> HeaderValue {
    let mut line = Line::default();
    line.number(number);
    HeaderValue::from_bytes(line.text()).unwrap_or(HeaderValue::from_static("0"))
}

/// Rounded up: never too early.
pub(crate) const fn seconds(nanos: Nanos) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

/// Room for a name of 64, two numbers of 20 digits and what is between them, without allocating.
/// Written from its end, since that is how digits come.
struct Line {
    bytes: [u8; 128],
    begin: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; 128], begin: 128 }
    }
}

impl Line {
    fn standing(&mut self, bound: &Bound, standing: &Standing) {
        self.number(seconds(standing.level.next_unit));
        self.push(b";t=");
        self.number(standing.level.remaining);
        self.push(&bound.prefix);
    }

    fn push(&mut self, part: &[u8]) {
        let begin = self.begin.saturating_sub(part.len());
        if let Some(room) = self.bytes.get_mut(begin..self.begin) {
            room.copy_from_slice(part);
            self.begin = begin;
        }
    }

    fn number(&mut self, mut number: u64) {
        while let Some((digit, before)) =
            self.bytes.get_mut(..self.begin).and_then(<[u8]>::split_last_mut)
        {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            self.begin = before.len();
            number /= 10;
            if number == 0 {
                break;
            }
        }
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or_default()
    }

    const fn clear(&mut self) {
        self.begin = self.bytes.len();
    }
}
