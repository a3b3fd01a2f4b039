//! How severe an exchange is.

use buttress_core::observe::{Outcome, Totals};
use tracing::Level;

use super::grpc::GrpcStatus;

/// The levels that are a matter of taste.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub(super) client_errors: Level,
    pub(super) client_gone: Level,
}

impl Default for Levels {
    fn default() -> Self {
        Self { client_errors: Level::WARN, client_gone: Level::WARN }
    }
}

/// Nobody has to look at it: it may be sampled, and skipped.
pub(super) fn is_routine(level: Level) -> bool {
    level > Level::WARN
}

impl Levels {
    /// The most severe of all that hold.
    pub(super) fn of(&self, end: &Totals, grpc: Option<GrpcStatus>, slow: bool) -> Level {
        let status = end.status.map_or(0, |status| status.as_u16());
        let failed =
            matches!(end.outcome, Outcome::Panic | Outcome::BodyError | Outcome::ServiceError);
        if failed || status >= 500 || grpc.is_some_and(GrpcStatus::is_servers_fault) {
            return Level::ERROR;
        }
        // A level is the less, the more severe it is.
        let mut level = None;
        let mut at_least = |other: Level| level = Some(level.map_or(other, |one| other.min(one)));
        if end.outcome == Outcome::ClientGone {
            at_least(self.client_gone);
        }
        if status >= 400 || grpc.is_some_and(|code| !code.is_ok()) {
            at_least(self.client_errors);
        }
        if slow {
            at_least(Level::WARN);
        }
        level.unwrap_or(Level::INFO)
    }
}
