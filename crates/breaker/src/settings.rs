//! How a circuit was configured.

use std::{borrow::Cow, fmt, sync::Arc};

use buttress_core::reject::Reject;
use http::{HeaderMap, StatusCode};

use crate::{
    class::{self, Class, OutcomeAt},
    clock::{Clock, ReadClock},
    error::ConfigError,
    head::RequestHead,
    policy::{Policy, Rules},
    transition::Listener,
};

type Classify = Arc<dyn Fn(StatusCode, &HeaderMap) -> Class + Send + Sync>;
type MayProbe = Arc<dyn Fn(&RequestHead<'_>) -> bool + Send + Sync>;

/// What the circuits of a layer have in common. Those of a registry share one.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: Cow<'static, str>,
    pub(crate) policy: Policy,
    pub(crate) rules: Rules,
    pub(crate) read_clock: Option<ReadClock>,
    pub(crate) clock: Clock,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) outcome_at: OutcomeAt,
    pub(crate) classify: Option<Classify>,
    pub(crate) may_probe: Option<MayProbe>,
    pub(crate) responder: Option<Arc<dyn Reject + Send + Sync>>,
}

impl Settings {
    pub(crate) fn new(name: Cow<'static, str>, policy: Policy) -> Result<Self, ConfigError> {
        let rules = policy.rules().map_err(|error| error.about(&name))?;
        Ok(Self {
            name,
            policy,
            rules,
            read_clock: None,
            clock: Clock::new(None),
            listeners: Vec::new(),
            outcome_at: OutcomeAt::Head,
            classify: None,
            may_probe: None,
            responder: None,
        })
    }

    pub(crate) fn set_clock(&mut self, read: ReadClock) {
        self.clock = Clock::new(Some(Arc::clone(&read)));
        self.read_clock = Some(read);
    }

    #[inline]
    pub(crate) fn class(&self, status: StatusCode, headers: &HeaderMap) -> Class {
        match &self.classify {
            None => class::by_default(status, headers),
            Some(classify) => classify(status, headers),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("outcome_at", &self.outcome_at)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
