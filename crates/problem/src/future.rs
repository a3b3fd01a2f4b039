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
    answer::{Next, Unread, answered, finish, pass},
    body::Answer,
    judge::Caller,
    layer::Settings,
    panic::{Panic, catch, contain},
    read::{Text, read},
    report, write,
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

/// What the service's code has come to.
enum Step<B, E> {
    Answered(Result<Response<B>, E>),
    Read(Text),
    Panicked,
}

impl<F, B, E> Future for Work<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Answer<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some((settings, caller)) = *this.guard else {
            let StateProj::Call { future } = this.state.project() else {
                return Poll::Pending;
            };
            let response = ready!(future.poll(cx))?;
            return Poll::Ready(Ok(pass(response, None)));
        };
        loop {
            let step = match this.state.as_mut().project() {
                StateProj::Call { future } => {
                    catch(|| future.poll(cx)).map(|polled| polled.map(Step::Answered))
                }
                StateProj::Read { body, answer } => {
                    catch(|| read(body, &mut answer.said, cx)).map(|polled| polled.map(Step::Read))
                }
                StateProj::Panicked { .. } => Ok(Poll::Ready(Step::Panicked)),
                StateProj::Over => return Poll::Pending,
            };
            let step = match step {
                Ok(step) => ready!(step),
                Err(panic) => {
                    contain(|| this.state.set(State::Over));
                    this.state.set(State::Panicked { panic });
                    Step::Panicked
                }
            };
            match step {
                Step::Answered(Ok(response)) => match answered(settings, caller, response) {
                    Next::Done(response) => return Poll::Ready(Ok(response)),
                    Next::Read { body, answer } => this.state.set(State::Read { body, answer }),
                },
                Step::Answered(Err(error)) => {
                    report::categorize(Some(Category::ServerError));
                    return Poll::Ready(Err(error));
                }
                Step::Read(text) => {
                    let StateReplace::Read { answer, .. } =
                        this.state.as_mut().project_replace(State::Over)
                    else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(finish(settings, *answer, &text)));
                }
                Step::Panicked => {
                    let StateReplace::Panicked { panic } =
                        this.state.as_mut().project_replace(State::Over)
                    else {
                        return Poll::Pending;
                    };
                    report::panicked(settings, &panic);
                    return Poll::Ready(Ok(write::panicked(settings, caller, *panic)));
                }
            }
        }
    }
}
