use std::fmt;

/// One law of a correct layer: what it says, and what to do where a layer breaks it.
///
/// ```
/// use buttress_conformance::Law;
///
/// assert_eq!(Law::Readiness.to_string(), "readiness");
/// assert_eq!(
///     Law::Readiness.statement(),
///     "only the instance that answered `Ready(Ok)` is called",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Law {
    /// Only the instance that answered `Ready(Ok)` is called.
    Readiness,
    /// After `Ready(Ok)`, `poll_ready` stays ready until the call, and acquires nothing twice.
    DoubleReadiness,
    /// A clone starts unready: it shares no permit, sleep or reservation with its original.
    CloneReadiness,
    /// `Ready(Err)` is the inner's, unchanged; it never means "limited" or "open".
    ReadyError,
    /// `Pending` means that the task that polled last is woken when there is something to do.
    Waker,
    /// While nothing happened, nobody wakes the task.
    SelfWake,
    /// Whatever is dropped, at any point, gives back what it held.
    Release,
    /// The service's error comes out as it is.
    Error,
    /// `type Error = S::Error`.
    ErrorType,
    /// The request's line, headers and extensions reach the inner as they were sent.
    Request,
    /// The request's body reaches the inner as it is: same type, same size.
    RequestBody,
    /// The response's status, version, headers and extensions come out as they were answered.
    Response,
    /// Every frame comes out as it is, in order, and nothing else does.
    Frames,
    /// `size_hint` and `is_end_stream` come out as they are.
    Sizes,
    /// A size, or an end, that is claimed is true; an exact size excludes trailers.
    HonestSize,
    /// After its end, or an error, a body answers `None` and does not poll the inner again.
    AfterEnd,
    /// State is the layer's and shared by every service that it makes.
    SharedState,
    /// The hook at a call's end fires once, when the end is seen.
    OneEnd,
    /// A call is in flight to the end of its body, and no longer.
    InFlight,
    /// An answer that is ready at the deadline wins over the timer.
    ReadyAnswer,
    /// The pass-through path allocates exactly as often as is said.
    Allocations,
}

impl Law {
    /// Every law, in the order in which they are checked.
    pub const ALL: [Self; 21] = [
        Self::Readiness,
        Self::DoubleReadiness,
        Self::CloneReadiness,
        Self::ReadyError,
        Self::Waker,
        Self::SelfWake,
        Self::Release,
        Self::Error,
        Self::ErrorType,
        Self::Request,
        Self::RequestBody,
        Self::Response,
        Self::Frames,
        Self::Sizes,
        Self::HonestSize,
        Self::AfterEnd,
        Self::SharedState,
        Self::OneEnd,
        Self::InFlight,
        Self::ReadyAnswer,
        Self::Allocations,
    ];

    /// The law's name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.text().0
    }

    /// What the law says.
    #[must_use]
    pub const fn statement(self) -> &'static str {
        self.text().1
    }

    /// What to do where it is broken.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.text().2
    }

    const fn text(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Readiness => (
                "readiness",
                "only the instance that answered `Ready(Ok)` is called",
                "return a future around `self.inner.call(request)`; where the service must move \
                 into the future, `mem::replace` it with its clone and call the one that was ready",
            ),
            Self::DoubleReadiness => (
                "double readiness",
                "after `Ready(Ok)`, `poll_ready` stays ready until the call and acquires nothing \
                 twice",
                "poll the one inner that will be called, and keep what was acquired in a field \
                 that is looked at first",
            ),
            Self::CloneReadiness => (
                "clone readiness",
                "a clone starts unready",
                "write `Clone` by hand and reset each readiness field: permit, sleep, reservation",
            ),
            Self::ReadyError => (
                "readiness errors",
                "`Ready(Err)` is the inner's, unchanged; it never means \"limited\" or \"open\"",
                "decide in `call` and answer `Ok` with a rejection; pass through only the inner's \
                 error",
            ),
            Self::Waker => (
                "wakers",
                "`Pending` means that the task that polled last will be woken",
                "answer `Pending` only where something that was polled with this context did",
            ),
            Self::SelfWake => (
                "self-wakes",
                "while nothing happened, nobody wakes the task",
                "remove `wake_by_ref`: whatever is waited for wakes the task",
            ),
            Self::Release => (
                "release",
                "whatever is dropped, at any point, gives back what it held",
                "keep what was taken in guards that ride in the future and the body, and nothing \
                 of a call in shared state",
            ),
            Self::Error => (
                "errors",
                "the service's error comes out as it is",
                "return the inner's error; a rejection is `Ok(response)`",
            ),
            Self::ErrorType => (
                "the error type",
                "`type Error = S::Error`",
                "name the inner's error type; a rejection is `Ok(response)`, so no other is needed",
            ),
            Self::Request => (
                "requests",
                "the request's line, headers and extensions reach the inner as they were sent",
                "hand the request on with `Request::map` or as it is",
            ),
            Self::RequestBody => (
                "the request body",
                "the request's body reaches the inner as it is",
                "ask for `Service<Request<B>>` of the inner with the `B` that came in",
            ),
            Self::Response => (
                "responses",
                "status, version, headers and extensions come out as they were answered",
                "hand the response on with `Response::map` or as it is",
            ),
            Self::Frames => (
                "frames",
                "every frame comes out as it is, in order, and nothing else does",
                "forward what `poll_frame` answers: data, empty data, trailers, errors",
            ),
            Self::Sizes => (
                "sizes",
                "`size_hint` and `is_end_stream` come out as they are",
                "forward both: their defaults turn content-length into chunked, and make a server \
                 poll an empty body",
            ),
            Self::HonestSize => (
                "honest sizes",
                "a size, or an end, that is claimed is true; an exact size excludes trailers",
                "adjust `size_hint` with the bytes and take content-length off; where trailers may follow, claim no exact \
                 size: HTTP/1 would write content-length and drop them",
            ),
            Self::AfterEnd => (
                "the end",
                "after its end, or an error, a body answers `None` and does not poll the inner \
                 again",
                "remember the end in a field and look at it first",
            ),
            Self::SharedState => (
                "shared state",
                "state is the layer's, and shared by every service that it makes",
                "make the state with the layer, behind an `Arc`, and only clone it in `layer()`: \
                 routers call it many times",
            ),
            Self::OneEnd => (
                "one end",
                "the hook at a call's end fires once, when the end is seen",
                "take the hook out of an `Option` at whichever comes first: `is_end_stream` when \
                 the body is wrapped or after a frame, `None`, trailers, an error, the drop",
            ),
            Self::InFlight => (
                "in flight",
                "a call is in flight to the end of its body, and no longer",
                "let the guard ride in the future, and then in the body",
            ),
            Self::ReadyAnswer => (
                "ready answers",
                "an answer that is ready at the deadline wins over the timer",
                "poll the inner before the timer",
            ),
            Self::Allocations => (
                "allocations",
                "the pass-through path allocates exactly as often as is said",
                "build what is constant once, with the layer; box neither future nor body",
            ),
        }
    }
}

/// The law's [name](Law::name).
impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
