//! The thread-local that holds the logger while code runs in its scope.

use std::{
    cell::Cell,
    future::Future,
    mem::{ManuallyDrop, needs_drop},
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::value::Value;
use pin_project_lite::pin_project;

use super::Logger;

thread_local! {
    // Empty whenever no code runs in a scope, so there is nothing to drop with the thread; and
    // without a destructor it is read without a check, even while others are dropped.
    static CURRENT: Cell<ManuallyDrop<Logger>> =
        const { Cell::new(ManuallyDrop::new(Logger { fields: None })) };
}

pub(super) fn current() -> Logger {
    CURRENT.with(|current| {
        let logger = current.replace(ManuallyDrop::new(Logger::default()));
        let copy = Logger::clone(&logger);
        current.set(logger);
        copy
    })
}

/// The fields of the logger that is in scope on this thread, outermost first.
#[inline]
pub(crate) fn each_field(mut visit: impl FnMut(&str, &Value)) {
    let Logger { fields: Some(fields) } = current() else { return };
    for (name, value) in &fields.kept {
        visit(name, value);
    }
    if fields.dropped > 0 {
        visit("fields_dropped", &fields.dropped.into());
    }
}

impl Logger {
    /// Runs `f` in this logger's scope.
    ///
    /// ```
    /// use buttress_log::logger;
    ///
    /// let total = logger().with("order", 17).enter(|| {
    ///     tracing::info!("adding up"); // {…,"message":"adding up","order":17}
    ///     3 + 4
    /// });
    /// assert_eq!(total, 7);
    /// ```
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut slot = self.clone();
        let _entered = Entered::new(&mut slot);
        f()
    }

    /// Lets `future` run in this logger's scope wherever it is polled, and be dropped in it.
    ///
    /// In another task it does not take the request along: that is what
    /// [`context::spawn`](https://docs.rs/buttress-core/latest/buttress_core/context/fn.spawn.html)
    /// and `context::in_request` are for, around it.
    pub const fn follow<F>(self, future: F) -> Following<F> {
        Following { future: Some(future), logger: self }
    }
}

pin_project! {
    /// A future in the scope of a [`Logger`], from [`Logger::follow`].
    ///
    /// It must not be polled again after its end: it would wait for ever.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Following<F> {
        // Empty only from its end on: what is dropped is dropped in its scope too.
        #[pin]
        future: Option<F>,
        logger: Logger,
    }

    impl<F> PinnedDrop for Following<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if needs_drop::<F>() && this.future.is_some() {
                let _entered = Entered::new(this.logger);
                this.future.set(None);
            }
        }
    }
}

impl<F: Future> Future for Following<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.logger);
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = future.poll(cx);
        if output.is_ready() {
            this.future.set(None);
        }
        output
    }
}

/// While it lives, the logger is in the thread-local, and what was there before waits in `slot`.
struct Entered<'a> {
    slot: &'a mut Logger,
}

impl<'a> Entered<'a> {
    fn new(slot: &'a mut Logger) -> Self {
        swap(slot);
        Self { slot }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.slot);
    }
}

fn swap(slot: &mut Logger) {
    CURRENT.with(|current| {
        let entered = ManuallyDrop::new(std::mem::take(slot));
        *slot = ManuallyDrop::into_inner(current.replace(entered));
    });
}
