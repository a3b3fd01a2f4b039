use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::context::InRequest;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    BoxError, Category, ProblemBody,
    answer::{Next, Unread, answered, finish, panicked, pass},
    body::Answer,
    judge::Caller,
    layer::Settings,
    panic::{Panic, catch, contain},
    read::read,
    report,
};

pin_project! {
    /// The future of [`Problems`](crate::Problems).
    ///
    /// Dropped, it drops the service's future, or the error's body that it is reading; nothing has
    /// to be undone.
    pub struct ResponseFuture<F, B> {
        #[pin]
        work: InRequest<Work<F, B>>,
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) const fn new(work: InRequest<Work<F, B>>) -> Self {
        Self { work }
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<ProblemBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut work = self.project().work;
        let response = ready!(work.as_mut().poll(cx))?;
        let context = work.take_context();
        Poll::Ready(Ok(response.map(|body| ProblemBody::new(context, body))))
    }
}

pin_project! {
    /// What is done in the request's context.
    pub(crate) struct Work<F, B> {
        #[pin]
        state: State<F, B>,
        // Empty where the layer is disabled.
        guard: Option<(Settings, Caller)>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateReplace]
    enum State<F, B> {
        Call { #[pin] future: F },
        // The call itself has panicked.
        Panicked { panic: Box<Panic> },
        // The service has answered, and the body is part of the decision.
        Read { #[pin] body: B, answer: Box<Unread> },
        Over,
    }
}

impl<F, B> Work<F, B> {
    pub(crate) const fn unguarded(future: F) -> Self {
        Self { state: State::Call { future }, guard: None }
    }

    pub(crate) const fn guarded(settings: Settings, caller: Caller, future: F) -> Self {
        Self { state: State::Call { future }, guard: Some((settings, caller)) }
    }

    pub(crate) const fn panicked(settings: Settings, caller: Caller, panic: Box<Panic>) -> Self {
        Self { state: State::Panicked { panic }, guard: Some((settings, caller)) }
    }
}

impl<F, B, E> Future for Work<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Answer<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((settings, caller)) = self.guard else {
            let StateProj::Call { future } = self.project().state.project() else {
                return Poll::Pending;
            };
            let response = ready!(future.poll(cx))?;
            return Poll::Ready(Ok(pass(response, None)));
        };
        // All of it: an error's `Display`, a body's `size_hint` and every drop are the service's
        // code as much as its future is.
        let advance = || self.as_mut().project().state.advance(settings, caller, cx);
        match catch(settings, advance) {
            Ok(polled) => polled,
            Err(panic) => {
                contain(|| self.project().state.set(State::Over));
                Poll::Ready(Ok(panicked(settings, caller, *panic)))
            }
        }
    }
}

impl<F, B, E> State<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn advance(
        mut self: Pin<&mut Self>,
        settings: Settings,
        caller: Caller,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Answer<B>>, E>> {
        if let StateProj::Call { future } = self.as_mut().project() {
            let answer = ready!(future.poll(cx));
            self.set(State::Over);
            let response =
                answer.inspect_err(|_| report::categorize(Category::ServerError.as_str()))?;
            match answered(settings, caller, response) {
                Next::Done(response) => return Poll::Ready(Ok(response)),
                Next::Read { body, answer } => self.set(State::Read { body, answer }),
            }
        }
        let text = match self.as_mut().project() {
            StateProj::Read { body, answer } => Some(ready!(read(body, &mut answer.said, cx))),
            _ => None,
        };
        match (self.project_replace(State::Over), text) {
            (StateReplace::Read { answer, .. }, Some(text)) => {
                Poll::Ready(Ok(finish(settings, *answer, &text)))
            }
            (StateReplace::Panicked { panic }, _) => {
                Poll::Ready(Ok(panicked(settings, caller, *panic)))
            }
            _ => Poll::Pending,
        }
    }
}
