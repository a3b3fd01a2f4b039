//! What a layer's services share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use buttress_core::{
    body::ResponseBody,
    context,
    reject::{DefaultResponder, Protocol, Reject},
};
use http::{HeaderValue, Response, Version, header::CONNECTION, request::Parts};
use http_body::Body;

use crate::{
    content_type::Kind,
    head,
    policy::Policy,
    rule::{RULES, Rule},
    violation::Violation,
};

pub(crate) type Skip = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;
type Responder = Arc<dyn Reject + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    pub(crate) accepts: Vec<Kind>,
    // The same, as a header says it.
    pub(crate) accept: HeaderValue,
    pub(crate) check_first: u64,
    pub(crate) body_timeout: Option<Duration>,
    pub(crate) report_only: bool,
    pub(crate) share_policy: bool,
    pub(crate) skip: Option<Skip>,
    pub(crate) responder: Option<Responder>,
    pub(crate) counts: Arc<Counts>,
}

/// By rule.
#[derive(Debug)]
pub(crate) struct Counts {
    refused: [AtomicU64; RULES],
    reported: [AtomicU64; RULES],
    stripped: [AtomicU64; RULES],
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            refused: [const { AtomicU64::new(0) }; RULES],
            reported: [const { AtomicU64::new(0) }; RULES],
            stripped: [const { AtomicU64::new(0) }; RULES],
        }
    }
}

impl Counts {
    pub(crate) fn refused(&self, rule: Rule) -> u64 {
        read(&self.refused, rule)
    }

    pub(crate) fn reported(&self, rule: Rule) -> u64 {
        read(&self.reported, rule)
    }

    pub(crate) fn stripped(&self, rule: Rule) -> u64 {
        read(&self.stripped, rule)
    }
}

/// What becomes of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// There is none, or it is nobody's business.
    Open,
    /// It is judged before the handler is called.
    First(Kind),
    /// It is judged as the handler reads it.
    AsRead(Kind),
}

impl Shared {
    /// Judges what comes before the body.
    pub(crate) fn judge<B: Body>(&self, head: &mut Parts, body: &B) -> Result<Content, Violation> {
        if self.skip.as_ref().is_some_and(|skip| skip(head)) {
            return Ok(Content::Open);
        }
        if self.share_policy {
            head.extensions.insert(self.policy.clone());
        }
        self.told(self.policy.check_path(head.uri.path()))?;
        if let Some(query) = head.uri.query() {
            self.told(self.policy.check_query(query))?;
        }
        if head::is_empty(body) {
            return Ok(Content::Open);
        }
        let size = body.size_hint();
        let accepts = |kind| self.accepts.contains(&kind);
        let kind = match head::content(&mut head.headers, &size, &self.policy, accepts) {
            Ok(kind) => kind,
            Err(violation) => {
                self.found(violation)?;
                return Ok(Content::Open);
            }
        };
        let is_small = size.exact().is_some_and(|size| size <= self.check_first);
        Ok(match kind {
            Kind::Grpc => Content::Open,
            Kind::Json | Kind::Form if is_small => Content::First(kind),
            _ => Content::AsRead(kind),
        })
    }

    fn told(&self, judged: Result<Vec<Violation>, Violation>) -> Result<(), Violation> {
        judged.map(|reports| self.reported(&reports)).or_else(|violation| self.found(violation))
    }

    /// A broken rule refuses, unless it is only reported.
    fn found(&self, violation: Violation) -> Result<(), Violation> {
        if self.report_only {
            self.reported(std::slice::from_ref(&violation));
            return Ok(());
        }
        self.refused(&violation);
        Err(violation)
    }

    #[cold]
    pub(crate) fn refused(&self, violation: &Violation) {
        add(&self.counts.refused, violation.rule());
        tracing::debug!(
            rule = violation.rule().name(),
            place = violation.place().name(),
            pointer = violation.pointer(),
            "a request is refused"
        );
        tell_request(violation);
    }

    #[inline]
    pub(crate) fn reported(&self, violations: &[Violation]) {
        for violation in violations {
            self.report(violation);
        }
    }

    #[cold]
    fn report(&self, violation: &Violation) {
        add(&self.counts.reported, violation.rule());
        tracing::warn!(
            rule = violation.rule().name(),
            place = violation.place().name(),
            pointer = violation.pointer(),
            "a request breaks a rule, and passes"
        );
        tell_request(violation);
    }

    #[inline]
    pub(crate) fn stripped(&self, violations: &[Violation]) {
        for violation in violations {
            self.strip(violation);
        }
    }

    #[cold]
    fn strip(&self, violation: &Violation) {
        add(&self.counts.stripped, violation.rule());
        tracing::warn!(
            rule = violation.rule().name(),
            place = violation.place().name(),
            pointer = violation.pointer(),
            "a request passes without what breaks a rule"
        );
        tell_request(violation);
    }

    pub(crate) fn answer<B>(
        &self,
        violation: &Violation,
        protocol: Protocol,
        version: Version,
    ) -> Response<ResponseBody<B>> {
        let mut rejection = violation.to_rejection(Some(&self.accept));
        // Nobody waits for the rest (RFC 9110 §15.5.9); HTTP/2 has no such header.
        if violation.rule() == Rule::BodyTime && version <= Version::HTTP_11 {
            rejection = rejection.with_header(CONNECTION, HeaderValue::from_static("close"));
        }
        match &self.responder {
            Some(responder) => rejection.respond(&**responder, protocol),
            None => rejection.respond(&DefaultResponder, protocol),
        }
    }
}

fn read(counts: &[AtomicU64; RULES], rule: Rule) -> u64 {
    counts.get(rule as usize).map_or(0, |count| count.load(Relaxed))
}

fn add(counts: &[AtomicU64; RULES], rule: Rule) {
    if let Some(count) = counts.get(rule as usize) {
        count.fetch_add(1, Relaxed);
    }
}

/// For the request's own line in the log.
fn tell_request(violation: &Violation) {
    if let Some(request) = context::current() {
        request.add("violation", violation.to_string());
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("accepts", &self.accepts)
            .field("check_first", &self.check_first)
            .field("body_timeout", &self.body_timeout)
            .field("report_only", &self.report_only)
            .field("share_policy", &self.share_policy)
            .field("skip", &self.skip.as_ref().map(|_| format_args!("<fn>")))
            .finish_non_exhaustive()
    }
}
