use std::future::Future;
use std::task::Poll;

use http::Request;
use http_body::Body;
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Gate, Held, Probe, ProbeBody, ProbeError};
use crate::trial::Trial;
use crate::{BoxError, Law, Laws, Subject};

/// What belongs to a call.
const CALL: [Held; 3] = [Held::Request, Held::Future, Held::Body];

pub(crate) fn everything<L: Subject>(laws: &Laws<L>) -> Verdict {
    services(laws)?;
    futures(laws)?;
    bodies(laws)
}

fn services<L: Subject>(laws: &Laws<L>) -> Verdict {
    let trial = laws.trial();
    dropped(trial, "a service that was never polled")?;

    let mut trial = laws.trial();
    trial.ready()?;
    let what = "a service that was ready";
    dropped(trial, what)?;
    passes_another(&mut laws.trial(), (laws.request)(), what)?;

    let mut trial = laws.trial();
    trial.probe.readiness().close();
    let Trial { task, service, .. } = &mut trial;
    let _ = task.poll(|cx| service.poll_ready(cx));
    dropped(trial, "a service that was not ready")
}

fn futures<L: Subject>(laws: &Laws<L>) -> Verdict {
    for polls in 0..=3 {
        let mut trial = laws.trial();
        trial.ready()?;
        trial.probe.answer().close();
        let request = trial.probe.watch((laws.request)());
        let mut future = Box::pin(trial.service.call(request));
        for _ in 0..polls {
            if trial.task.poll(|cx| future.as_mut().poll(cx)).is_ready() {
                break;
            }
        }
        drop(future);
        let what = format!("a future that was polled {polls} times");
        // The service itself may be ready still.
        released(&trial.probe, &what, &CALL)?;

        trial.probe.answer().open();
        passes_another(&mut trial, (laws.request)(), &what)?;
        dropped(trial, &format!("a service that made another call after {what}"))?;
    }
    Ok(())
}

fn bodies<L: Subject>(laws: &Laws<L>) -> Verdict {
    let opened = Gate::opened();
    let shut = Gate::shut();
    let failed = ProbeError::new("the inner body failed");
    let scripts = [
        ("empty", ProbeBody::new(), 1),
        ("pending", ProbeBody::new().data("one").wait(&shut).data("two"), 3),
        ("whole", ProbeBody::new().data("one").wait(&opened).data("two"), 4),
        ("failing", ProbeBody::new().data("one").error(failed), 3),
    ];
    for (kind, script, polls) in &scripts {
        for polls in 0..=*polls {
            let mut trial = laws.trial_of(script.clone());
            trial.ready()?;
            let request = trial.probe.watch((laws.request)());
            let mut future = Box::pin(trial.service.call(request));
            // Pending or an error where the layer reads the body before it answers.
            let polled = trial.task.run(|cx| future.as_mut().poll(cx));
            drop(future);
            if let Poll::Ready(Ok(response)) = polled {
                let mut body = Box::pin(response.into_body());
                for _ in 0..polls {
                    let _ = trial.task.poll(|cx| body.as_mut().poll_frame(cx));
                }
            }
            let what = format!("a body ({kind}) that was polled {polls} times");
            released(&trial.probe, &what, &CALL)?;
            passes_another(&mut trial, (laws.request)(), &what)?;
            dropped(trial, &what)?;
        }
    }
    Ok(())
}

fn dropped<S>(trial: Trial<S>, what: &str) -> Verdict {
    let Trial { probe, service, .. } = trial;
    drop(service);
    released(&probe, what, &Held::ALL)
}

/// A limiter that did not get back what it had lent passes no other call on.
fn passes_another<S>(trial: &mut Trial<S>, request: Request<ProbeBody>, what: &str) -> Verdict
where
    S: Service<Request<ProbeBody>>,
    S::Error: Into<BoxError>,
{
    let before = trial.probe.calls();
    if trial.ready().is_ok() {
        let mut future = Box::pin(trial.service.call(request));
        let _ = trial.task.run(|cx| future.as_mut().poll(cx));
    }
    Law::Release.kept(trial.probe.calls() > before, || {
        format!("dropped {what}: the next call was not passed on to the inner")
    })
}

fn released(probe: &Probe, what: &str, held: &[Held]) -> Verdict {
    for held in held {
        let count = probe.held(*held);
        Law::Release.kept(count == 0, || {
            let held = match held {
                Held::Readiness => "readiness of the inner",
                Held::Request => "request bodies",
                Held::Future => "futures of the inner",
                Held::Body => "response bodies",
            };
            format!("dropped {what}: {count} {held} still held")
        })?;
    }
    Ok(())
}
