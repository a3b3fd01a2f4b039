//! What is kept of a body, and those who read it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{BoxError, TakenOver, into_bytes};

/// So many frames are kept as they are, whatever their size. Those after them that are small are
/// copied: they may be pieces of a large buffer, which would be kept with each of them.
const WHOLE_FRAMES: usize = 16;
const SMALL_FRAME: usize = 1_024;
/// So many bytes, on the average, has each further frame: what is kept of it beside its data must
/// not be more than the data.
const LEAST_FRAME: usize = 64;

/// A body and what was read of it. One attempt at a time reads the body itself; what is kept, any.
pub(crate) struct Tape<B> {
    state: Mutex<State<B>>,
    capacity: usize,
}

struct State<B> {
    /// Taken out while it is polled, so that no lock is held over it.
    body: Option<Pin<Box<B>>>,
    /// Who may read the body.
    reader: u32,
    /// Who may, and found it taken out by one who may not any more.
    waiting: Option<Waker>,
    frames: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    len: usize,
    end: End,
    hint: SizeHint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There may be more.
    Open,
    /// All of it is kept.
    Complete,
    /// It was larger than what is kept, or failed.
    Lost,
}

impl<B: Body> Tape<B> {
    pub(crate) fn new(body: B, capacity: usize) -> Arc<Self> {
        let hint = body.size_hint();
        Arc::new(Self {
            state: Mutex::new(State {
                body: Some(Box::pin(body)),
                reader: 0,
                waiting: None,
                frames: Vec::new(),
                trailers: None,
                len: 0,
                end: End::Open,
                hint,
            }),
            capacity,
        })
    }
}

impl<B> Tape<B> {
    /// One more attempt. It reads the body on where the one before has left it.
    pub(crate) fn reader(self: &Arc<Self>) -> Reader<B> {
        let mut state = self.lock();
        state.reader = state.reader.wrapping_add(1);
        Reader {
            tape: Arc::clone(self),
            number: state.reader,
            at: 0,
            past_trailers: false,
            is_done: false,
            own: None,
        }
    }

    /// Whether it can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        self.lock().end != End::Lost
    }

    /// Whether it can be sent again while another attempt still reads.
    pub(crate) fn is_complete(&self) -> bool {
        self.lock().end == End::Complete
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt's view of a [`Tape`].
pub(crate) struct Reader<B> {
    tape: Arc<Tape<B>>,
    number: u32,
    /// The next of the frames that are kept.
    at: usize,
    past_trailers: bool,
    is_done: bool,
    /// The body itself, once there is more of it than is kept.
    own: Option<Pin<Box<B>>>,
}

enum Next<B> {
    Frame(Result<Frame<Bytes>, BoxError>),
    End,
    Body(Pin<Box<B>>),
    Wait,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

impl<B> Reader<B>
where
    B: Body<Error: Into<BoxError>>,
{
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        if self.is_done {
            return Poll::Ready(None);
        }
        let polled = match &mut self.own {
            Some(own) => own.as_mut().poll_frame(cx).map(|frame| frame.map(into_bytes::<B>)),
            None => match self.next(cx) {
                Next::Frame(frame) => Poll::Ready(Some(frame)),
                Next::End => Poll::Ready(None),
                Next::Wait => Poll::Pending,
                Next::Body(body) => self.poll_body(body, cx),
            },
        };
        self.is_done = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        polled
    }

    /// What is kept, and after it the body, for the latest attempt.
    fn next(&mut self, cx: &Context<'_>) -> Next<B> {
        let mut state = self.tape.lock();
        if state.end == End::Lost {
            return Next::Frame(Err(TakenOver.into()));
        }
        if let Some(data) = state.frames.get(self.at) {
            self.at += 1;
            return Next::Frame(Ok(Frame::data(data.clone())));
        }
        if state.end == End::Complete {
            return match &state.trailers {
                Some(trailers) if !self.past_trailers => {
                    self.past_trailers = true;
                    Next::Frame(Ok(Frame::trailers(trailers.clone())))
                }
                _ => Next::End,
            };
        }
        if state.reader != self.number {
            return Next::Frame(Err(TakenOver.into()));
        }
        match state.body.take() {
            Some(body) => Next::Body(body),
            None => {
                state.waiting = Some(cx.waker().clone());
                Next::Wait
            }
        }
    }

    fn poll_body(&mut self, mut body: Pin<Box<B>>, cx: &mut Context<'_>) -> Polled {
        let mut polling = Polling { tape: &self.tape, is_over: false };
        let polled = body.as_mut().poll_frame(cx).map(|frame| frame.map(into_bytes::<B>));
        let hint = body.size_hint();
        let is_end = body.is_end_stream();
        polling.is_over = true;

        let mut state = self.tape.lock();
        let waiting = state.waiting.take();
        let is_mine = state.reader == self.number;
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => state.end = End::Complete,
            Poll::Ready(Some(Err(_))) => state.lose(),
            Poll::Ready(Some(Ok(frame))) => {
                state.keep(frame, self.tape.capacity);
                if is_mine
                    && let Some(data) = frame.data_ref()
                    && !data.is_empty()
                {
                    self.at += 1;
                }
                if is_end && state.end == End::Open {
                    state.end = End::Complete;
                }
            }
        }
        state.hint = hint;
        let mut done_with = None;
        match state.end {
            End::Open => state.body = Some(body),
            // It goes on by itself.
            End::Lost if is_mine => self.own = Some(body),
            End::Complete | End::Lost => done_with = Some(body),
        }
        // Not under the lock: they are someone else's code.
        drop(state);
        drop(done_with);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        if is_mine { polled } else { Poll::Ready(Some(Err(TakenOver.into()))) }
    }
}

/// A body that panics is gone: nobody is to wait for it.
struct Polling<'t, B> {
    tape: &'t Tape<B>,
    is_over: bool,
}

impl<B> Drop for Polling<'_, B> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.tape.lock();
        state.lose();
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl<B> Reader<B> {
    pub(super) fn is_end_stream(&self) -> bool
    where
        B: Body,
    {
        if let Some(own) = &self.own {
            return self.is_done || own.is_end_stream();
        }
        let state = self.tape.lock();
        let read_all = self.at >= state.frames.len();
        let past_trailers = self.past_trailers || state.trailers.is_none();
        self.is_done || state.end == End::Complete && read_all && past_trailers
    }

    pub(super) fn size_hint(&self) -> SizeHint
    where
        B: Body,
    {
        if self.is_done {
            return SizeHint::with_exact(0);
        }
        if let Some(own) = &self.own {
            return own.size_hint();
        }
        let state = self.tape.lock();
        let unread = state.frames.iter().skip(self.at).map(|data| data.len() as u64).sum();
        if state.end == End::Complete {
            // With an exact size, HTTP/1 would leave the trailers out.
            let mut hint = SizeHint::new();
            hint.set_lower(unread);
            if state.trailers.is_none() {
                hint.set_upper(unread);
            }
            return hint;
        }
        let mut hint = SizeHint::new();
        hint.set_lower(state.hint.lower().saturating_add(unread));
        if let Some(upper) = state.hint.upper() {
            hint.set_upper(upper.saturating_add(unread));
        }
        hint
    }
}

impl<B> State<B> {
    fn keep(&mut self, frame: &Frame<Bytes>, capacity: usize) {
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
            self.end = End::Complete;
        } else if let Some(data) = frame.data_ref() {
            let frames = self.frames.len();
            let is_full = frames >= WHOLE_FRAMES + capacity / LEAST_FRAME;
            if data.len() > capacity.saturating_sub(self.len) || is_full && !data.is_empty() {
                self.lose();
            } else if !data.is_empty() {
                self.len += data.len();
                let is_small = frames >= WHOLE_FRAMES && data.len() < SMALL_FRAME;
                self.frames.push(if is_small {
                    Bytes::copy_from_slice(data)
                } else {
                    data.clone()
                });
            }
        } else {
            // A kind of frame that is not known yet cannot be sent again.
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.end = End::Lost;
        self.frames = Vec::new();
        self.trailers = None;
    }
}
