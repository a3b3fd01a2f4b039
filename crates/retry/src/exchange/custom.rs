//! Requests of any type.

use std::{convert::Infallible, fmt, time::Duration};

use super::{Keep, Read};
use crate::{
    deadline::Deadline,
    stop::{RetryInfo, StopReason},
    verdict::{Classify, Verdict},
};

/// Requests of any type, judged by a [`Classify`]; made by
/// [`RetryLayer::new`](crate::RetryLayer::new).
///
/// Whatever can be copied may be repeated: say which requests can, by
/// [`copy_by`](crate::RetryLayer::copy_by).
#[derive(Clone)]
pub struct Custom<C, K = Cloned> {
    pub(crate) classify: C,
    pub(crate) copy: K,
}

/// Requests are copied by `Clone`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cloned;

/// How a request is copied, to be sent again.
pub trait Copying<Req>: Send + Sync + 'static {
    /// The copy; `None` where it must not be sent again.
    fn copy(&self, request: &Req) -> Option<Req>;
}

impl<Req: Clone> Copying<Req> for Cloned {
    fn copy(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

impl<F, Req> Copying<Req> for F
where
    F: Fn(&Req) -> Option<Req> + Send + Sync + 'static,
{
    fn copy(&self, request: &Req) -> Option<Req> {
        self(request)
    }
}

impl<C, K, Req> Keep<Req> for Custom<C, K>
where
    C: Send + Sync + 'static,
    K: Copying<Req>,
{
    type Sent = Req;
    type Kept = Req;

    fn keep(&self, request: &Req) -> Result<Req, StopReason> {
        self.copy.copy(request).ok_or(StopReason::NotRepeatable)
    }

    fn send(&self, request: Req, _: Option<&mut Req>, _: Option<Duration>) -> Req {
        request
    }

    fn again(&self, kept: &Req, _: u32, _: Option<Duration>) -> Option<Req> {
        self.copy.copy(kept)
    }

    fn is_repeatable(&self, _: &Req) -> bool {
        true
    }

    fn is_replayable(&self, _: &Req) -> bool {
        true
    }

    fn is_complete(&self, _: &Req) -> bool {
        true
    }

    fn host(_: &Req) -> Option<&str> {
        None
    }

    fn deadline(&self, _: &Req) -> Option<Deadline> {
        Deadline::current()
    }
}

impl<C, K, Res, E> Read<Res, E> for Custom<C, K>
where
    C: Classify<Res, E> + Send + Sync + 'static,
    K: Send + Sync + 'static,
    Res: Send,
{
    type Held = Res;
    type Response = Res;
    type Expiry = Infallible;

    fn hold(response: Res) -> Res {
        response
    }

    /// A classifier is asked once.
    fn is_good(&self, _: &Res) -> bool {
        false
    }

    fn judge(&self, outcome: Result<&Res, &E>) -> Option<Verdict> {
        Some(self.classify.classify(outcome))
    }

    /// It has been judged without.
    async fn look(&self, _: &mut Res, _: bool) -> Verdict {
        Verdict::Done
    }

    async fn drain(_: &mut Res, _: Duration) {}

    fn is_unsent(&self, _: &E) -> bool {
        false
    }

    fn finish(answer: Res, _: Option<RetryInfo>) -> Res {
        answer
    }

    fn expiry(&self) -> Option<Infallible> {
        None
    }

    fn expired(&self, expiry: Infallible, _: &'static str, _: RetryInfo) -> Res {
        match expiry {}
    }
}

impl<C, K> fmt::Debug for Custom<C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}
