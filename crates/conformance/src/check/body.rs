use std::any::TypeId;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use http_body::Body;
use tower_service::Service;

use super::case::Case;
use crate::finding::Verdict;
use crate::probe::{Gate, ProbeBody};
use crate::trial::{Event, expect_ok};
use crate::{Finding, Law, Laws, Subject};

pub(crate) fn frames<L: Subject>(laws: &Laws<L>) -> Verdict {
    beside_the_inner(laws, |name, _, event, inner| {
        Law::Frames.kept(event == inner, || {
            format!("{name}: the inner's next was {inner:?}, the layer's {event:?}")
        })
    })?;
    in_time(laws)
}

/// Frames come out when the inner gives them, neither before nor with the next.
fn in_time<L: Subject>(laws: &Laws<L>) -> Verdict {
    let between = Gate::shut();
    let mut trial = laws.trial_of(ProbeBody::new().data("one").wait(&between).data("two"));
    trial.ready()?;
    let mut future = Box::pin(trial.service.call((laws.request)()));
    let Poll::Ready(answered) = trial.task.run(|cx| future.as_mut().poll(cx)) else {
        return Err(Finding::new(
            Law::Frames,
            "the inner had answered and its body was not yet whole: the layer waited for the rest",
        ));
    };
    let mut body = Box::pin(expect_ok(answered)?.into_body());
    let mut next = || trial.task.run(|cx| body.as_mut().poll_frame(cx)).map(Event::of);
    for (expected, when) in [
        (Poll::Ready(Event::Data("one".into())), "when the inner's first frame was there"),
        (Poll::Pending, "when the inner was waiting for its second frame"),
    ] {
        let event = next();
        Law::Frames.kept(event == expected, || {
            format!("{when}, the layer's next was {event:?} instead of {expected:?}")
        })?;
    }
    between.open();
    for expected in [Event::Data("two".into()), Event::End] {
        let event = next();
        Law::Frames.kept(event == Poll::Ready(expected.clone()), || {
            format!("after a wait the inner's next was {expected:?}, the layer's {event:?}")
        })?;
    }
    Ok(())
}

pub(crate) fn sizes<L: Subject>(laws: &Laws<L>) -> Verdict {
    beside_the_inner(laws, |name, [is, was], _, _| {
        Law::Sizes
            .kept(is == was, || format!("{name}: the inner had {was:?}, the layer has {is:?}"))
    })
}

/// What a body says of itself before it is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    lower: u64,
    upper: Option<u64>,
    is_end_stream: bool,
}

impl Claim {
    fn of(body: &impl Body) -> Self {
        let hint = body.size_hint();
        Self { lower: hint.lower(), upper: hint.upper(), is_end_stream: body.is_end_stream() }
    }

    fn is_exact(self) -> bool {
        self.upper == Some(self.lower)
    }
}

/// Polls the layer's body and the inner's in step, and looks at what each says and gives, for as
/// long as they give the same.
fn beside_the_inner<L: Subject>(
    laws: &Laws<L>,
    look: impl Fn(&str, [Claim; 2], &Event, &Event) -> Verdict,
) -> Verdict {
    for case in Case::all() {
        let Some(mut opened) = case.open(laws)? else {
            continue;
        };
        let mut inner = pin!(case.body);
        loop {
            let said = [Claim::of(&opened.body), Claim::of(&inner)];
            let was = opened.trial.event(inner.as_mut())?;
            let is = opened.event()?;
            look(case.name, said, &is, &was)?;
            if is.is_last() || is != was {
                break;
            }
        }
    }
    Ok(())
}

pub(crate) fn honest_size<L: Subject>(laws: &Laws<L>) -> Verdict {
    for case in Case::all() {
        let Some(mut opened) = case.open(laws)? else {
            continue;
        };
        let name = case.name;
        let mut total = 0;
        let mut claims = Vec::new();
        loop {
            let said = Claim::of(&opened.body);
            claims.push((total, said));
            let event = opened.event()?;
            Law::HonestSize.kept(!said.is_end_stream || event == Event::End, || {
                format!("{name}: `is_end_stream` was true, and then came {event:?}")
            })?;
            match event {
                Event::Data(data) => total += u64::try_from(data.len()).unwrap_or(u64::MAX),
                Event::Trailers(_) => {
                    let exact = opened.length.is_some()
                        || claims.first().is_some_and(|(_, first)| first.is_exact());
                    Law::HonestSize.kept(!exact, || {
                        format!("{name}: an exact size was claimed, and then came trailers")
                    })?;
                }
                Event::Other => {}
                Event::Error(_) => break,
                Event::End => {
                    Law::HonestSize.kept(opened.length.is_none_or(|said| said == total), || {
                        let said = opened.length.unwrap_or_default();
                        format!("{name}: content-length said {said}, and the bytes were {total}")
                    })?;
                    for (before, said) in claims {
                        let left = total - before;
                        let honest =
                            said.lower <= left && said.upper.is_none_or(|upper| left <= upper);
                        Law::HonestSize.kept(honest, || {
                            format!("{name}: {left} bytes were left where it claimed {said:?}")
                        })?;
                    }
                    break;
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn after_end<L: Subject>(laws: &Laws<L>) -> Verdict {
    // A body that the layer hands out as it came is the inner's own.
    if TypeId::of::<L::Body>() == TypeId::of::<ProbeBody>() {
        return Ok(());
    }
    for case in Case::all() {
        let Some(mut opened) = case.open(laws)? else {
            continue;
        };
        while !opened.event()?.is_last() {}
        for _ in 0..3 {
            let event = opened.event()?;
            Law::AfterEnd.kept(event == Event::End, || {
                format!("{}: after its end the body answered {event:?}", case.name)
            })?;
        }
        let polls = opened.trial.probe.polls_after_end();
        Law::AfterEnd.kept(polls == 0, || {
            let name = case.name;
            format!("{name}: polled 3 times after its end, the body polled the inner {polls} times")
        })?;
    }
    Ok(())
}
