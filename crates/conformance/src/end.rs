use std::future::Future;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Probe, ProbeBody, ProbeError};
use crate::trial::{Event, Trial, expect_ok};
use crate::{Finding, Subject};

/// A way in which a call ends.
///
/// [`Laws::counts_ends`](crate::Laws::counts_ends) checks that a hook fires once for each.
/// [`reach`](Self::reach) goes there, for a test of what the hook was told:
///
/// ```
/// use buttress_conformance::{End, ProbeBody};
/// use http::Request;
/// use tower_layer::Identity;
///
/// for end in End::ALL {
///     end.reach(&Identity::new(), Request::new(ProbeBody::new())).unwrap();
///     // assert_eq!(layer.last_outcome(), what `end` should be told as);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The body says that it is at its end when it is wrapped: an answer to HEAD, a 204, a 304.
    /// Servers never poll such a body.
    Empty,
    /// The body answers `None`, and did not know before.
    None,
    /// The body's last frame is its trailers.
    Trailers,
    /// The body fails.
    BodyError,
    /// The body says that it is at its end right after a data frame.
    LastData,
    /// The body is dropped after a data frame, with more to come: the client left.
    BodyDropped,
    /// The service fails.
    ServiceError,
    /// The future is dropped while the inner is at work: the client left, or a timeout fired.
    FutureDropped,
}

impl End {
    /// Every way.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::None,
        Self::Trailers,
        Self::BodyError,
        Self::LastData,
        Self::BodyDropped,
        Self::ServiceError,
        Self::FutureDropped,
    ];

    /// The ways in which a response's body ends.
    pub const BODY: [Self; 6] = [
        Self::Empty,
        Self::None,
        Self::Trailers,
        Self::BodyError,
        Self::LastData,
        Self::BodyDropped,
    ];

    /// Makes a call with this request that ends in this way, and drops everything.
    ///
    /// # Errors
    /// If the layer does not get there, because it neither answers nor wakes the task, or answers
    /// with an error where the inner did not.
    pub fn reach<L: Subject>(self, layer: &L, request: Request<ProbeBody>) -> Result<(), Finding> {
        self.reach_with(layer, request, 0, |_| Ok(()))
    }

    /// As [`reach`](Self::reach), with a look at each moment on the way: `look(0)` where the call
    /// has not ended yet, and then `look(1)` once, when the end was seen by whoever drives the call
    /// and before what has ended is dropped. A body that is not dropped half way may be polled some
    /// more times after that.
    pub(crate) fn reach_with<L: Subject>(
        self,
        layer: &L,
        request: Request<ProbeBody>,
        more_polls: usize,
        look: impl Fn(u64) -> Verdict,
    ) -> Verdict {
        let probe = Probe::answering(move || self.answer());
        let mut trial = Trial::new(layer.layer(probe.service()), probe);
        trial.ready()?;
        let request = trial.probe.watch(request);
        let mut future = Box::pin(trial.service.call(request));
        look(0)?;
        if self == Self::FutureDropped {
            trial.probe.answer().close();
            let polled = trial.task.poll(|cx| future.as_mut().poll(cx));
            if polled.is_pending() {
                look(0)?;
            }
            drop((polled, future));
            return look(1);
        }
        let answered = trial.run(future)?;
        if self == Self::ServiceError {
            drop(answered);
            return look(1);
        }
        let mut body = Box::pin(expect_ok(answered)?.into_body());
        let mut ended = self == Self::Empty;
        while !ended {
            look(0)?;
            ended = match trial.event(body.as_mut())? {
                Event::Data(_) if self == Self::BodyDropped => {
                    look(0)?;
                    drop(body);
                    return look(1);
                }
                Event::Data(data) => self == Self::LastData && data == LAST,
                Event::Other => false,
                Event::Trailers(_) | Event::Error(_) | Event::End => true,
            };
        }
        look(1)?;
        for _ in 0..more_polls {
            trial.event(body.as_mut())?;
            look(1)?;
        }
        Ok(())
    }

    fn answer(self) -> Result<Response<ProbeBody>, ProbeError> {
        let body = ProbeBody::new();
        let body = match self {
            Self::ServiceError => return Err(ProbeError::new("the inner service failed")),
            Self::Empty | Self::FutureDropped => body,
            Self::None => body.data("one").data(LAST).silent_end(),
            Self::Trailers => body.data("one").trailers(trailers()),
            Self::BodyError => body.data("one").error(ProbeError::new("the inner body failed")),
            Self::LastData | Self::BodyDropped => body.data("one").data(LAST),
        };
        Ok(Response::new(body))
    }
}

const LAST: &str = "last";

pub(crate) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(
        HeaderName::from_static("x-probe-trailer"),
        HeaderValue::from_static("kept"),
    )])
}
