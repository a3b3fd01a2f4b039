use std::pin::pin;
use std::task::Poll;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Probe, ProbeBody};
use crate::trial::Trial;
use crate::{BoxError, Law, Laws, Subject};

/// Calls that may still build what is built once.
const WARM_UP: usize = 3;
/// Calls that are counted; the worst one counts.
const COUNTED: usize = 8;

/// How many allocations this makes in the calling thread, the drop of its result included.
///
/// Each thread has its own count: tests that run beside it do not disturb it, and what it makes
/// another thread do is not counted. Moving to a larger block counts as one more; giving back does
/// not.
///
/// ```
/// use buttress_conformance::allocations;
///
/// assert_eq!(allocations(|| Box::new(1)), 1);
/// assert_eq!(allocations(|| [0; 8]), 0);
/// ```
pub fn allocations<T>(run: impl FnOnce() -> T) -> u64 {
    allocation_counter::measure(|| drop(std::hint::black_box(run()))).count_total
}

pub(crate) fn pass_through<L: Subject>(laws: &Laws<L>) -> Verdict {
    let Some(expected) = laws.allocations else {
        return Ok(());
    };
    let probe = Probe::answering(|| Ok(Response::new(ProbeBody::new().data("hello").exact())));
    let mut bare = Trial::new(probe.service(), probe.clone());
    let mut layered = laws.trial_over(probe);
    for _ in 0..WARM_UP {
        drive(&mut bare, (laws.request)())?;
        drive(&mut layered, (laws.request)())?;
    }
    let mut worst = 0;
    for _ in 0..COUNTED {
        let bare = counted(&mut bare, (laws.request)())?;
        let layered = counted(&mut layered, (laws.request)())?;
        worst = worst.max(layered.saturating_sub(bare));
    }
    Law::Allocations.kept(worst == expected, || {
        let fewer = if worst < expected { "; so that this is kept, say so" } else { "" };
        format!("the layer added {worst} allocations to a call, and {expected} were said{fewer}")
    })
}

fn counted<S, B>(trial: &mut Trial<S>, request: Request<ProbeBody>) -> Verdict<u64>
where
    S: Service<Request<ProbeBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    let mut driven = Ok(());
    let count = allocations(|| driven = drive(trial, request));
    driven.map(|()| count)
}

/// A whole call, to the drop of its body, without an allocation of its own.
fn drive<S, B>(trial: &mut Trial<S>, request: Request<ProbeBody>) -> Verdict
where
    S: Service<Request<ProbeBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    let mut body = pin!(trial.answer(request)?.into_body());
    while let Poll::Ready(Some(Ok(_))) = trial.task.run(|cx| body.as_mut().poll_frame(cx)) {}
    Ok(())
}
