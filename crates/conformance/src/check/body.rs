use std::any::TypeId;
use std::pin::{Pin, pin};

use http::{Method, Response, StatusCode};
use http_body::Body;

use crate::end::trailers;
use crate::finding::Verdict;
use crate::probe::{Probe, ProbeBody, ProbeError};
use crate::trial::{Event, Trial};
use crate::{Law, Laws, Subject};

/// A body that the inner answers, and to what.
struct Case {
    name: &'static str,
    method: Option<Method>,
    status: StatusCode,
    body: ProbeBody,
}

impl Case {
    const fn new(name: &'static str, body: ProbeBody) -> Self {
        Self { name, method: None, status: StatusCode::OK, body }
    }

    fn all() -> Vec<Self> {
        let body = ProbeBody::new;
        let failed = || ProbeError::new("the inner body failed");
        let mut head = Self::new("HEAD", body());
        head.method = Some(Method::HEAD);
        let mut head_sized =
            Self::new("HEAD, answered with a sized body", body().data("hello").exact());
        head_sized.method = Some(Method::HEAD);
        let mut no_content = Self::new("204", body());
        no_content.status = StatusCode::NO_CONTENT;
        let mut not_modified = Self::new("304", body());
        not_modified.status = StatusCode::NOT_MODIFIED;
        vec![
            Self::new("empty", body()),
            head,
            head_sized,
            no_content,
            not_modified,
            Self::new("one frame, exact", body().data("hello").exact()),
            Self::new("three frames, exact", body().data("a").data("bc").data("def").exact()),
            Self::new("two frames, bounded", body().data("a").data("bc").at_most(10)),
            Self::new("two frames, no size", body().data("a").data("bc")),
            Self::new("two frames, silent end", body().data("a").data("bc").silent_end()),
            Self::new("empty frames", body().data("").data("a").data("").data("b").exact()),
            Self::new("data and trailers", body().data("a").trailers(trailers())),
            Self::new("trailers alone", body().trailers(trailers()).silent_end()),
            Self::new("data and an error", body().data("a").error(failed())),
            Self::new("an error alone", body().error(failed())),
        ]
    }

    /// The response's body as the layer hands it out; `None` where the layer answered by itself.
    fn open<L: Subject>(&self, laws: &Laws<L>) -> Verdict<Option<Opened<L>>> {
        let (status, body) = (self.status, self.body.clone());
        let mut trial = laws.trial_over(Probe::answering(move || {
            let mut response = Response::new(body.clone());
            *response.status_mut() = status;
            Ok(response)
        }));
        let mut request = (laws.request)();
        if let Some(method) = &self.method {
            *request.method_mut() = method.clone();
        }
        let body = Box::pin(trial.answer(request)?.into_body());
        Ok((trial.probe.calls() > 0).then_some(Opened { trial, body }))
    }
}

struct Opened<L: Subject> {
    trial: Trial<L::Wrapped>,
    body: Pin<Box<L::Body>>,
}

impl<L: Subject> Opened<L> {
    fn event(&mut self) -> Verdict<Event> {
        self.trial.event(self.body.as_mut())
    }
}

pub(crate) fn frames<L: Subject>(laws: &Laws<L>) -> Verdict {
    beside_the_inner(laws, |name, _, event, inner| {
        Law::Frames.kept(event == inner, || {
            format!("{name}: the inner's next was {inner:?}, the layer's {event:?}")
        })
    })
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
                    let exact = claims.first().is_some_and(|(_, first)| first.is_exact());
                    Law::HonestSize.kept(!exact, || {
                        format!("{name}: an exact size was claimed, and then came trailers")
                    })?;
                }
                Event::Other => {}
                Event::Error(_) => break,
                Event::End => {
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
