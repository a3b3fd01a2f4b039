//! The guard beside a body.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use buttress_core::{body::ResponseBody, reject::Protocol};
use bytes::Bytes;
use http::{Response, Version, request::Parts};
use http_body::{Body, Frame};

use super::{BodyError, BoxError};
use crate::{
    clock::Clock, content_type::Kind, form::FormGuard, head, json::JsonGuard, policy::Policy,
    shared::Shared, violation::Violation,
};

/// What a body tells its layer.
#[derive(Debug)]
pub(crate) struct Note {
    shared: Arc<Shared>,
    protocol: Protocol,
    version: Version,
    violation: OnceLock<Violation>,
}

impl Note {
    pub(crate) fn new(shared: Arc<Shared>, head: &Parts) -> Self {
        let (protocol, version) = (Protocol::of(&head.headers), head.version);
        Self { shared, protocol, version, violation: OnceLock::new() }
    }

    pub(crate) fn strips(&self) -> bool {
        self.shared.policy.strips() && !self.shared.report_only
    }

    /// The answer, where a rule was found broken.
    pub(crate) fn refusal<B>(&self) -> Option<Response<ResponseBody<B>>> {
        let violation = self.violation.get()?;
        Some(self.shared.answer(violation, self.protocol, self.version))
    }
}

pub(crate) struct Watch {
    judge: Judge,
    strips: bool,
    // What was stripped, and is to be handed on.
    passed: VecDeque<Bytes>,
    parts: Vec<Bytes>,
    clock: Option<Clock>,
    note: Option<Arc<Note>>,
    is_judged: bool,
}

#[derive(Debug)]
enum Judge {
    Json(JsonGuard),
    Form(FormGuard),
    Count { seen: u64, most: u64 },
    // Something was found, and is only reported.
    Off,
}

impl Watch {
    pub(crate) fn new(kind: Kind, policy: &Policy) -> Self {
        Self {
            judge: match kind {
                Kind::Json => Judge::Json(JsonGuard::new(policy)),
                Kind::Form => Judge::Form(FormGuard::new(policy)),
                Kind::Multipart | Kind::Grpc | Kind::Other => {
                    Judge::Count { seen: 0, most: policy.limits.body }
                }
            },
            strips: kind == Kind::Json && policy.strips(),
            passed: VecDeque::new(),
            parts: Vec::new(),
            clock: None,
            note: None,
            is_judged: false,
        }
    }

    /// For a layer, which is told what was found.
    pub(crate) fn of(kind: Kind, note: &Arc<Note>) -> Self {
        let shared = &note.shared;
        let watch = Self::new(kind, &shared.policy);
        Self {
            strips: watch.strips && note.strips(),
            clock: shared.body_timeout.and_then(Clock::new),
            note: Some(Arc::clone(note)),
            ..watch
        }
    }

    pub(crate) const fn strips(&self) -> bool {
        self.strips
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.is_judged && self.passed.is_empty()
    }

    pub(super) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        loop {
            if let Some(data) = self.passed.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if self.is_judged {
                return Poll::Ready(None);
            }
            let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
                let Some(clock) = &mut self.clock else { return Poll::Pending };
                if clock.wait(cx).is_pending() {
                    return Poll::Pending;
                }
                match self.found(head::too_slow()) {
                    Ok(()) => self.clock = None,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
                continue;
            };
            if let Some(clock) = &mut self.clock {
                clock.stop();
            }
            let frame = match frame {
                None => return Poll::Ready(self.finish().err().map(Err)),
                Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::inner(error)))),
                Some(Ok(frame)) => frame,
            };
            if frame.is_trailers() {
                return Poll::Ready(Some(self.finish().map(|()| frame)));
            }
            // A frame of no known kind ends no body.
            let Some(data) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
            let judged = self.push(data).and_then(|()| {
                // Who looks there will not ask for more, and must not get the end unjudged.
                if body.is_end_stream() { self.finish() } else { Ok(()) }
            });
            if let Err(error) = judged {
                return Poll::Ready(Some(Err(error)));
            }
            if !self.strips {
                return Poll::Ready(Some(Ok(frame)));
            }
            self.passed.extend(self.parts.drain(..).filter(|part| !part.is_empty()));
        }
    }

    fn push(&mut self, data: &Bytes) -> Result<(), BodyError> {
        let judged = match &mut self.judge {
            Judge::Json(guard) if self.strips => guard.strip(data, &mut self.parts),
            Judge::Json(guard) => guard.push(data),
            Judge::Form(guard) => guard.push(data),
            Judge::Count { seen, most } => {
                *seen = seen.saturating_add(data.len() as u64);
                if *seen > *most { Err(head::too_large()) } else { Ok(()) }
            }
            Judge::Off => Ok(()),
        };
        judged.or_else(|violation| self.found(violation))
    }

    /// There is no more.
    fn finish(&mut self) -> Result<(), BodyError> {
        self.is_judged = true;
        let finished = match &mut self.judge {
            // No bytes are no document, and no attack: what they mean is the handler's to say.
            Judge::Json(guard) if guard.seen() == 0 => Ok(()),
            Judge::Json(guard) => guard.finish(),
            Judge::Form(guard) => guard.finish(),
            Judge::Count { .. } | Judge::Off => Ok(()),
        };
        finished.or_else(|violation| self.found(violation))?;
        if let Some(note) = &self.note {
            note.shared.reported(self.reports());
            if let Judge::Json(guard) = &self.judge {
                note.shared.stripped(guard.stripped());
            }
        }
        Ok(())
    }

    fn reports(&self) -> &[Violation] {
        match &self.judge {
            Judge::Json(guard) => guard.reports(),
            Judge::Form(guard) => guard.reports(),
            Judge::Count { .. } | Judge::Off => &[],
        }
    }

    #[cold]
    fn found(&mut self, violation: Violation) -> Result<(), BodyError> {
        if let Some(note) = &self.note {
            if note.shared.report_only {
                // It passes, and so does what was found before.
                note.shared.reported(self.reports());
                note.shared.reported(std::slice::from_ref(&violation));
                self.judge = Judge::Off;
                return Ok(());
            }
            note.shared.refused(&violation);
            // There is one body, and it breaks off once.
            let _ = note.violation.set(violation.clone());
        }
        Err(BodyError::refused(violation))
    }
}

/// Nothing of what was sent.
impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("judge", &self.judge)
            .field("strips", &self.strips)
            .field("clock", &self.clock)
            .field("is_judged", &self.is_judged)
            .finish_non_exhaustive()
    }
}
