use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::ledger::{Guard, Held, Ledger};
use super::{Gate, ProbeError};

/// A body that yields what it was told to, frame by frame.
///
/// Without more words it gives no size, and says that it is at its end as soon as nothing is left,
/// as `http-body-util`'s `Full` and `Empty` do. An empty one is exactly 0 bytes long.
///
/// ```
/// use buttress_conformance::{ProbeBody, Task};
/// use http_body::Body;
/// use std::{pin::Pin, task::Poll};
///
/// let mut body = ProbeBody::new().data("hello ").data("world").exact();
/// assert_eq!(body.size_hint().exact(), Some(11));
///
/// let task = Task::new();
/// let Poll::Ready(Some(Ok(frame))) = task.poll(|cx| Pin::new(&mut body).poll_frame(cx)) else {
///     panic!("the first frame");
/// };
/// assert_eq!(frame.into_data().unwrap(), "hello ");
/// assert_eq!(body.size_hint().exact(), Some(5));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProbeBody {
    steps: VecDeque<Step>,
    size: Size,
    silent_end: bool,
    over: bool,
    guard: Option<Guard>,
}

#[derive(Clone, Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(ProbeError),
    Wait(Gate),
}

#[derive(Clone, Copy, Debug, Default)]
enum Size {
    #[default]
    Unknown,
    Exact,
    AtMost(u64),
}

impl ProbeBody {
    /// An empty body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Then a data frame; it may be empty.
    #[must_use]
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.then(Step::Data(data.into()))
    }

    /// Then a frame of trailers.
    #[must_use]
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.then(Step::Trailers(trailers))
    }

    /// Then an error, with which the body is over.
    #[must_use]
    pub fn error(self, error: ProbeError) -> Self {
        self.then(Step::Error(error))
    }

    /// Then nothing until the gate opens.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(gate.clone()))
    }

    /// `size_hint` is exactly the bytes that are left.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.size = Size::Exact;
        self
    }

    /// `size_hint` goes from the bytes that are left to `slack` more.
    #[must_use]
    pub fn at_most(mut self, slack: u64) -> Self {
        self.size = Size::AtMost(slack);
        self
    }

    /// `is_end_stream` stays false until `None` was answered, as a stream's does that cannot know.
    #[must_use]
    pub fn silent_end(mut self) -> Self {
        self.silent_end = true;
        self
    }

    pub(crate) fn watched(mut self, ledger: &Arc<Ledger>, what: Held) -> Self {
        self.guard = Some(Guard::new(ledger, what));
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    fn finish(&mut self) {
        self.over = true;
        self.steps.clear();
    }
}

impl Body for ProbeBody {
    type Data = Bytes;
    type Error = ProbeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProbeError>>> {
        if self.over {
            if let Some(guard) = &self.guard {
                guard.ledger().polls_after_end.fetch_add(1, Ordering::Relaxed);
            }
            return Poll::Ready(None);
        }
        while let Some(Step::Wait(gate)) = self.steps.front() {
            ready!(gate.poll_open(cx));
            self.steps.pop_front();
        }
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error(error)) => {
                self.finish();
                Some(Err(error))
            }
            Some(Step::Wait(_)) | None => {
                self.finish();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.steps.is_empty() && !self.silent_end)
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        let left = self.steps.iter().map(|step| match step {
            Step::Data(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
            Step::Trailers(_) | Step::Error(_) | Step::Wait(_) => 0,
        });
        let left = left.sum();
        match self.size {
            Size::Unknown => SizeHint::default(),
            Size::Exact => SizeHint::with_exact(left),
            Size::AtMost(slack) => {
                let mut hint = SizeHint::new();
                hint.set_upper(left.saturating_add(slack));
                hint.set_lower(left);
                hint
            }
        }
    }
}
