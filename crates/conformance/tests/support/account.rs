//! A layer that keeps account of its calls, right but for what its `Habits` say.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// The layer's account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    calls: AtomicU64,
    ends: AtomicU64,
    in_flight: AtomicU64,
}

impl Account {
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn ends(&self) -> u64 {
        self.ends.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Each a way to break a law; by default none is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// A new account for each `layer()`.
    pub(crate) forgets_state: bool,
    /// Ends are seen only when all is dropped.
    pub(crate) ends_at_drop: bool,
    /// A body that is empty from the first is waited for.
    pub(crate) polls_empty: bool,
    /// A new account for each clone of a service.
    pub(crate) forgets_when_cloned: bool,
    /// Whoever polls a body on after its end ends the call once more.
    pub(crate) ends_when_polled_on: bool,
    /// A future that is dropped before it was polled goes unnoticed.
    pub(crate) misses_unpolled: bool,
    /// The body's drop ends the call once more.
    pub(crate) ends_again: bool,
    /// A call ends with its head.
    pub(crate) ends_with_head: bool,
    /// A future that is dropped goes unnoticed.
    pub(crate) misses_drop: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct AccountLayer {
    pub(crate) account: Arc<Account>,
    pub(crate) habits: Habits,
}

impl<S> Layer<S> for AccountLayer {
    type Service = Accounted<S>;

    fn layer(&self, inner: S) -> Accounted<S> {
        let account =
            if self.habits.forgets_state { Arc::default() } else { Arc::clone(&self.account) };
        Accounted { inner, account, habits: self.habits }
    }
}

#[derive(Debug)]
pub(crate) struct Accounted<S> {
    inner: S,
    account: Arc<Account>,
    habits: Habits,
}

impl<S: Clone> Clone for Accounted<S> {
    fn clone(&self) -> Self {
        let account = if self.habits.forgets_when_cloned {
            Arc::default()
        } else {
            Arc::clone(&self.account)
        };
        Self { inner: self.inner.clone(), account, habits: self.habits }
    }
}

impl<S, R, B> Service<Request<R>> for Accounted<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<AccountBody<B>>;
    type Error = S::Error;
    type Future = AccountFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        self.account.calls.fetch_add(1, Ordering::Relaxed);
        self.account.in_flight.fetch_add(1, Ordering::Relaxed);
        AccountFuture {
            guard: Some(Guard {
                account: Arc::clone(&self.account),
                silent: self.habits.misses_drop || self.habits.misses_unpolled,
            }),
            inner: self.inner.call(request),
            account: Arc::clone(&self.account),
            habits: self.habits,
        }
    }
}

/// A call that is in flight; its drop is the call's end.
#[derive(Debug)]
struct Guard {
    account: Arc<Account>,
    silent: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.silent {
            self.account.ends.fetch_add(1, Ordering::Relaxed);
            self.account.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct AccountFuture<F> {
        #[pin]
        inner: F,
        account: Arc<Account>,
        guard: Option<Guard>,
        habits: Habits,
    }
}

impl<F, B, E> Future for AccountFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<AccountBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(guard) = this.guard {
            guard.silent = this.habits.misses_drop;
        }
        let answered = ready!(this.inner.poll(cx));
        let mut guard = this.guard.take();
        if let Some(guard) = &mut guard {
            guard.silent = false;
        }
        let response = answered?;
        let habits = *this.habits;
        Poll::Ready(Ok(response.map(|inner| {
            let ended = habits.ends_with_head || (inner.is_end_stream() && !habits.polls_empty);
            AccountBody {
                guard: if ended && !habits.ends_at_drop { None } else { guard },
                over: false,
                habits,
                account: Arc::clone(this.account),
                inner,
            }
        })))
    }
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct AccountBody<B> {
        #[pin]
        inner: B,
        account: Arc<Account>,
        guard: Option<Guard>,
        over: bool,
        habits: Habits,
    }
}

impl<B: Body> Body for AccountBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if this.guard.is_none() && this.habits.ends_when_polled_on {
            this.account.ends.fetch_add(1, Ordering::Relaxed);
        }
        if *this.over {
            return Poll::Ready(None);
        }
        let polled = ready!(this.inner.as_mut().poll_frame(cx));
        *this.over = !matches!(polled, Some(Ok(_)));
        let ended = match &polled {
            Some(Ok(frame)) => frame.is_trailers() || this.inner.is_end_stream(),
            Some(Err(_)) | None => true,
        };
        if ended && !this.habits.ends_at_drop {
            let guard = this.guard.take();
            if let Some(guard) = guard.filter(|_| this.habits.ends_again) {
                guard.account.ends.fetch_add(1, Ordering::Relaxed);
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.over { SizeHint::with_exact(0) } else { self.inner.size_hint() }
    }
}
