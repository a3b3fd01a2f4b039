//! How requests of a kind are kept and sent again, and how their answers are read.

use std::{future::Future, time::Duration};

use crate::{
    deadline::Deadline,
    stop::{RetryInfo, StopReason},
    verdict::Verdict,
};

mod custom;
mod http;

pub use self::{
    custom::{Cloned, Custom},
    http::Http,
};

/// A kind of requests: [`Http`] or [`Custom`].
pub trait Keep<Req>: Send + Sync + 'static {
    /// What the inner service takes.
    type Sent;
    /// What is kept to send it again.
    type Kept;

    /// What is kept of a request, or why nothing is.
    fn keep(&self, request: &Req) -> Result<Self::Kept, StopReason>;

    /// The request is sent for the first time, with so much time left; its body goes along with
    /// what is kept.
    fn send(
        &self,
        request: Req,
        kept: Option<&mut Self::Kept>,
        left: Option<Duration>,
    ) -> Self::Sent;

    /// It is sent again, after so many attempts, and with so much time left.
    fn again(&self, kept: &Self::Kept, attempts: u32, left: Option<Duration>)
    -> Option<Self::Sent>;

    /// Whether it may be acted upon twice.
    fn is_repeatable(&self, kept: &Self::Kept) -> bool;

    /// Whether all of it can be sent again.
    fn is_replayable(&self, kept: &Self::Kept) -> bool;

    /// Whether it can be sent again while the attempt before is under way.
    fn is_complete(&self, kept: &Self::Kept) -> bool;

    /// The host that it goes to.
    fn host(request: &Req) -> Option<&str>;

    /// The deadline that it carries.
    fn deadline(&self, request: &Req) -> Option<Deadline>;
}

/// The answers of a kind.
pub trait Read<Res, E>: Send + Sync + 'static {
    /// An answer that may be given to the caller yet.
    type Held;
    /// What the caller gets.
    type Response;
    /// That there was no answer in time; it cannot be made where there is no such answer.
    type Expiry;

    /// An attempt was answered.
    fn hold(response: Res) -> Self::Held;

    /// Whether it is plain from the head alone that the answer is a good one.
    fn is_good(&self, response: &Res) -> bool;

    /// What the outcome means; `None` where the answer has to be looked into first.
    fn judge(&self, outcome: Result<&Self::Held, &E>) -> Option<Verdict>;

    /// Looks into the answer; waits for more of it only where something hangs on it.
    fn look(&self, answer: &mut Self::Held, waits: bool) -> impl Future<Output = Verdict> + Send;

    /// Leaves the answer's connection usable, if that is soon done: no longer than this.
    fn drain(answer: &mut Self::Held, longest: Duration) -> impl Future<Output = ()> + Send;

    /// Whether the error proves that nothing was sent.
    fn is_unsent(&self, error: &E) -> bool;

    /// The caller gets it; `info`, if there is something to say.
    fn finish(answer: Self::Held, info: Option<RetryInfo>) -> Self::Response;

    /// That a limit of time has passed, if there can be an answer to say so.
    fn expiry(&self) -> Option<Self::Expiry>;

    /// The caller gets this instead, when there was no answer in time.
    fn expired(
        &self,
        expiry: Self::Expiry,
        reason: &'static str,
        info: RetryInfo,
    ) -> Self::Response;
}
