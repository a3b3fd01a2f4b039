use std::{
    cell::RefCell,
    convert::Infallible,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Wake, Waker},
};

use http::HeaderMap;
use proptest::{collection::vec, prelude::*};

use super::*;

/// Its frames, of which some are not there at once; `before` runs in each poll.
struct Script<F> {
    frames: std::vec::IntoIter<Option<Vec<u8>>>,
    trailers: Option<HeaderMap>,
    before: F,
}

impl<F: FnMut() + Unpin> Body for Script<F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        (self.before)();
        match self.frames.next() {
            Some(Some(data)) => Poll::Ready(Some(Ok(Frame::data(data.into())))),
            Some(None) => Poll::Pending,
            None => Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
        }
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

fn poll<B: Body<Error: Into<BoxError>>>(body: &mut ReplayBody<B>) -> Polled {
    // The bodies here are boxed, or none.
    let ReplayBody { kind: Kind::Kept { reader } } = body else { return Poll::Ready(None) };
    reader.poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"7\""))])
}

proptest! {
    /// Each attempt but the last stops somewhere; whatever it has read is a beginning of the whole,
    /// and the last reads it all.
    #[test]
    fn every_attempt_reads_the_same(
        frames in vec(proptest::option::of(vec(any::<u8>(), 0..20)), 0..12),
        with_trailers in any::<bool>(),
        stops in vec(0_usize..16, 0..6),
    ) {
        let whole: Vec<u8> = frames.iter().flatten().flatten().copied().collect();
        let trailers = with_trailers.then(trailers);
        let script = Script { frames: frames.into_iter(), trailers: trailers.clone(), before: || {} };
        let tape = Tape::new(script, 1_000);
        for stop in stops.into_iter().map(Some).chain([None]) {
            let mut body = ReplayBody::kept(tape.reader());
            let mut read = Vec::new();
            let mut read_trailers = None;
            for _ in 0..stop.unwrap_or(1_000) {
                match poll(&mut body) {
                    Poll::Pending => {}
                    Poll::Ready(None) => break,
                    Poll::Ready(Some(frame)) => match frame.unwrap().into_data() {
                        Ok(data) => read.extend_from_slice(&data),
                        Err(frame) => read_trailers = frame.into_trailers().ok(),
                    },
                }
                let left = (whole.len() - read.len()) as u64;
                let hint = body.size_hint();
                prop_assert!(hint.lower() <= left && hint.upper().is_none_or(|upper| upper >= left));
            }
            prop_assert!(whole.starts_with(&read));
            if stop.is_none() {
                prop_assert_eq!(&read, &whole);
                prop_assert_eq!(&read_trailers, &trailers);
                prop_assert!(body.is_end_stream() && tape.is_complete());
            }
        }
    }

    #[test]
    fn above_the_cap_the_attempt_reads_on_and_no_other_can(
        frames in vec(vec(any::<u8>(), 1..9), 2..9),
        cap in 0_usize..60,
    ) {
        let whole = frames.concat();
        let script = Script {
            frames: frames.into_iter().map(Some).collect::<Vec<_>>().into_iter(),
            trailers: None,
            before: || {},
        };
        let tape = Tape::new(script, cap);
        let mut body = ReplayBody::kept(tape.reader());
        let mut read = Vec::new();
        while let Poll::Ready(Some(frame)) = poll(&mut body) {
            read.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        prop_assert_eq!(tape.is_replayable(), whole.len() <= cap);
        prop_assert_eq!(read, whole);
        if !tape.is_replayable() {
            let polled = poll(&mut ReplayBody::kept(tape.reader()));
            prop_assert!(matches!(polled, Poll::Ready(Some(Err(_)))), "no body, and not an empty one");
        }
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// As it is when another thread polls it.
#[test]
fn a_body_that_is_being_read_when_it_is_taken_over_loses_no_frame() {
    let wakes = Arc::new(Wakes::default());
    let later = Rc::new(RefCell::new(None));
    let tape_of = Rc::new(RefCell::new(None::<Arc<Tape<_>>>));
    let (slot, tape, waker) =
        (Rc::clone(&later), Rc::clone(&tape_of), Waker::from(Arc::clone(&wakes)));
    let before: Box<dyn FnMut()> = Box::new(move || {
        // The second attempt begins while the first has the body in its hands.
        if let Some(tape) = tape.borrow_mut().take() {
            let mut reader = tape.reader();
            let polled = reader.poll_frame(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            *slot.borrow_mut() = Some(reader);
        }
    });
    let frames = vec![Some(b"one".to_vec()), Some(b"two".to_vec())].into_iter();
    let tape = Tape::new(Script { frames, trailers: None, before }, 100);
    *tape_of.borrow_mut() = Some(Arc::clone(&tape));

    let mut first = ReplayBody::kept(tape.reader());
    assert!(matches!(poll(&mut first), Poll::Ready(Some(Err(_)))), "it was taken over");
    assert_eq!(wakes.0.load(SeqCst), 1, "and who waits for the body is told");
    let mut second = ReplayBody::kept(later.borrow_mut().take().unwrap());
    for expected in ["one", "two"] {
        let Poll::Ready(Some(Ok(frame))) = poll(&mut second) else { panic!("{expected}") };
        assert_eq!(frame.into_data().unwrap(), expected);
    }
    assert!(matches!(poll(&mut second), Poll::Ready(None)));
}

#[test]
fn a_body_that_panics_leaves_nobody_waiting() {
    let frames = vec![Some(b"one".to_vec())].into_iter();
    let mut polls = 0;
    let before = move || {
        polls += 1;
        assert!(polls < 2, "a fault in the body");
    };
    let tape = Tape::new(Script { frames, trailers: None, before }, 100);
    let mut first = ReplayBody::kept(tape.reader());
    assert!(matches!(poll(&mut first), Poll::Ready(Some(Ok(_)))));
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut first)));
    assert!(polled.is_err());
    assert!(!tape.is_replayable());
    let mut second = ReplayBody::kept(tape.reader());
    assert!(matches!(poll(&mut second), Poll::Ready(Some(Err(_)))), "it would wait for ever");
}

/// Bytes that share a large buffer, as those that are read from a connection do.
#[test]
fn what_is_kept_of_small_frames_is_bounded_too() {
    const BUFFER: usize = 8 * 1024;
    let cap = 64 * 1024;
    for (size, is_kept) in [(1, false), (32, false), (128, true), (1_024, true)] {
        let count = cap / size;
        let frames: Vec<Bytes> =
            (0..count).map(|_| Bytes::from(vec![7; BUFFER]).slice(..size)).collect();
        let witness: Vec<Bytes> = frames.clone();
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(
            frames.into_iter().map(|data| Ok::<_, Infallible>(Frame::data(data))),
        ));
        let tape = Tape::new(body, cap);
        let mut first = ReplayBody::kept(tape.reader());
        let mut read = 0;
        while let Poll::Ready(Some(frame)) = poll(&mut first) {
            read += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(read, cap, "it passes whatever is kept");
        assert_eq!(tape.is_replayable(), is_kept, "{size}");
        let pinned = witness.iter().filter(|data| !data.is_unique()).count();
        assert!(pinned * BUFFER <= 8 * cap, "{pinned} buffers of {count} for frames of {size}");
    }
}
