use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::ProbeError;

/// An empty body of which nothing more is known than that it is `Send + 'static`: it is neither
/// `Default`, `Clone`, `Sync` nor `Unpin`. A layer that compiles with it asks for none of these.
///
/// ```
/// use buttress_conformance::{OpaqueBody, implements};
///
/// assert!(implements!(OpaqueBody: Send));
/// assert!(!implements!(OpaqueBody: Default));
/// assert!(!implements!(OpaqueBody: Sync));
/// ```
#[derive(Debug)]
pub struct OpaqueBody {
    _unsync: PhantomData<Cell<()>>,
    _pinned: PhantomPinned,
}

impl OpaqueBody {
    /// An empty body.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "to lack `Default` is what it is for")]
    pub const fn new() -> Self {
        Self { _unsync: PhantomData, _pinned: PhantomPinned }
    }
}

impl Body for OpaqueBody {
    type Data = Bytes;
    type Error = ProbeError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProbeError>>> {
        Poll::Ready(None)
    }
}
