//! The thread-local that holds the context while its request's code runs.

use std::{
    cell::Cell,
    future::Future,
    mem::{ManuallyDrop, needs_drop},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::RequestContext;
use crate::body::is_last;

thread_local! {
    // It is empty whenever no request's code runs, so there is nothing to drop with the thread;
    // and a thread-local without a destructor is read without a check, even while others drop.
    static CURRENT: Cell<ManuallyDrop<Option<RequestContext>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
}

/// The context of the request whose code is running, if there is one.
///
/// `None` outside of any request, and in a task or thread that was started without
/// [`in_request`].
#[inline]
#[must_use]
pub fn current() -> Option<RequestContext> {
    CURRENT.with(|current| {
        let context = current.replace(ManuallyDrop::new(None));
        let copy = Option::clone(&context);
        current.set(context);
        copy
    })
}

/// Lets `inner` run in the current request's context wherever it is polled.
///
/// ```
/// use buttress_core::context::{self, RequestContext};
///
/// let request = RequestContext::new();
/// // To be polled by another task, on another thread.
/// let carried = request.scope(|| context::in_request(async { context::current().is_some() }));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert!(carried.await);
/// # });
/// ```
pub fn in_request<T>(inner: T) -> InRequest<T> {
    InRequest::new(current(), inner)
}

impl RequestContext {
    /// Runs `f` in this context.
    #[inline]
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut slot = if self.is_current() { None } else { Some(self.clone()) };
        let _entered = Entered::new(&mut slot);
        f()
    }

    /// Whether it is entered already, as it is wherever a layer further out has made it.
    #[inline]
    fn is_current(&self) -> bool {
        CURRENT.with(|current| {
            let context = current.replace(ManuallyDrop::new(None));
            let same = context.as_ref().is_some_and(|context| Arc::ptr_eq(&context.0, &self.0));
            current.set(context);
            same
        })
    }
}

pin_project! {
    /// A future or a body that is polled, and dropped, in a request's context.
    ///
    /// Without a context of its own it runs in whatever context it is polled in; that is what a
    /// layer uses where one further out has made the context already.
    ///
    /// A future must not be polled again after its end: it would wait for ever. A body may be, and
    /// answers `None` without asking the inner one.
    ///
    /// ```
    /// use buttress_core::context::{self, InRequest, RequestContext};
    /// # use http::HeaderValue;
    ///
    /// let request = RequestContext::new();
    /// request.set_request_id(HeaderValue::from_static("01890a5d"));
    /// let future = InRequest::new(Some(request), async { context::current()?.request_id().cloned() });
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(future.await.unwrap(), "01890a5d");
    /// # });
    /// ```
    #[must_use = "futures and bodies do nothing unless polled"]
    #[derive(Debug)]
    pub struct InRequest<T> {
        // Empty only from its end on: what is dropped is dropped in its context too.
        #[pin]
        inner: Option<T>,
        // Of a body: it has given its last frame. It stays, as its hints are asked for still.
        ended: bool,
        context: Option<RequestContext>,
    }

    impl<T> PinnedDrop for InRequest<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if needs_drop::<T>() && this.inner.is_some() {
                let _entered = Entered::new(this.context);
                this.inner.set(None);
            }
            if let Some(context) = this.context.take() {
                context.recycle();
            }
        }
    }
}

impl<T> InRequest<T> {
    /// Lets `inner` run in `context`.
    pub const fn new(context: Option<RequestContext>, inner: T) -> Self {
        Self { inner: Some(inner), ended: false, context }
    }

    /// Makes the inner value in `context` as well: `call` of an inner service.
    #[inline]
    pub fn call(mut context: Option<RequestContext>, make: impl FnOnce() -> T) -> Self {
        let inner = {
            let _entered = Entered::new(&mut context);
            make()
        };
        Self::new(context, inner)
    }

    /// Takes the context out, to hand it from a finished future to the body that it gave.
    pub fn take_context(self: Pin<&mut Self>) -> Option<RequestContext> {
        self.project().context.take()
    }

    /// The context it runs in, if it has its own.
    #[must_use]
    pub const fn context(&self) -> Option<&RequestContext> {
        self.context.as_ref()
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.context);
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = inner.poll(cx);
        if output.is_ready() {
            this.inner.set(None);
        }
        output
    }
}

impl<B: Body> Body for InRequest<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _entered = Entered::new(this.context);
        let (Some(inner), false) = (this.inner.as_pin_mut(), *this.ended) else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.poll_frame(cx));
        *this.ended = is_last(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Default> Default for InRequest<B> {
    fn default() -> Self {
        Self::new(None, B::default())
    }
}

/// While it lives, the context is in the thread-local, and what was there before waits in `slot`.
struct Entered<'a> {
    slot: Option<&'a mut Option<RequestContext>>,
}

impl<'a> Entered<'a> {
    #[inline]
    fn new(slot: &'a mut Option<RequestContext>) -> Self {
        if slot.is_none() {
            return Self { slot: None };
        }
        swap(slot);
        Self { slot: Some(slot) }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = &mut self.slot {
            swap(slot);
        }
    }
}

#[inline]
fn swap(slot: &mut Option<RequestContext>) {
    CURRENT.with(|current| {
        let entered = ManuallyDrop::new(slot.take());
        *slot = ManuallyDrop::into_inner(current.replace(entered));
    });
}
