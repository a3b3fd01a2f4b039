//! `grpc.health.v1` over what is known, as a tonic service.
//!
//! Its two messages have one field each, so they are read and written here: tonic does the rest,
//! and neither prost nor generated code comes along.

mod message;

use std::{
    convert::Infallible,
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use buttress_core::lifecycle::{Reached, State};
use futures_core::Stream;
use http::{Request, Response};
use tokio::time::{Instant, Sleep, sleep};
use tonic::{
    Status,
    body::Body,
    server::{Grpc, NamedService},
};
use tower_service::Service;

use self::message::{Answer, Asked, Codec};
use crate::registry::Health;

/// A request is one service's name.
const LONGEST_REQUEST: usize = 4 * 1024;
/// How soon a watcher hears of a change. To look is a few loads from memory.
const PERIOD: Duration = Duration::from_millis(250);

/// `grpc.health.v1.Health` for tonic's router.
///
/// The empty name, the server, and each [`service`](Self::service) are `SERVING` while
/// [`Health::is_ready`]. `Check` of an unknown service is `NOT_FOUND`; `Watch` of one says
/// `SERVICE_UNKNOWN` and stays open. A watcher hears of each change once; when the service drains
/// it hears `NOT_SERVING`, and its stream ends, so that it does not hold the drain up.
///
/// ```
/// use buttress_health::{GrpcHealth, Registry};
///
/// let (health, runner) = Registry::new().split();
/// let service = GrpcHealth::new(&health).service("greeter.Greeter");
/// let router = tonic::service::Routes::new(service);
/// # let _ = (router, runner);
/// ```
#[derive(Clone)]
#[must_use]
pub struct GrpcHealth(Arc<Shared>);

#[derive(Clone)]
struct Shared {
    health: Health,
    services: Vec<String>,
}

impl GrpcHealth {
    /// For the server as a whole.
    pub fn new(health: &Health) -> Self {
        Self(Arc::new(Shared { health: health.clone(), services: Vec::new() }))
    }

    /// Knows one more service, by its full name: `package.Service`.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).services.push(name.into());
        self
    }
}

impl Shared {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.iter().any(|known| known == service)
    }

    fn answer(&self) -> Answer {
        if self.health.is_ready() { Answer::Up } else { Answer::Down }
    }
}

impl NamedService for GrpcHealth {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl Service<Request<Body>> for GrpcHealth {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let mut grpc = Grpc::new(Codec).max_decoding_message_size(LONGEST_REQUEST);
            Ok(match request.uri().path() {
                "/grpc.health.v1.Health/Check" => grpc.unary(Check(shared), request).await,
                "/grpc.health.v1.Health/Watch" => {
                    grpc.server_streaming(Watch(shared), request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

impl fmt::Debug for GrpcHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcHealth")
            .field("health", &self.0.health)
            .field("services", &self.0.services)
            .finish()
    }
}

struct Check(Arc<Shared>);

impl Service<tonic::Request<Asked>> for Check {
    type Response = tonic::Response<Answer>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Asked>) -> Self::Future {
        ready(if self.0.knows(&request.get_ref().0) {
            Ok(tonic::Response::new(self.0.answer()))
        } else {
            Err(Status::not_found("unknown service"))
        })
    }
}

struct Watch(Arc<Shared>);

impl Service<tonic::Request<Asked>> for Watch {
    type Response = tonic::Response<Changes>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Asked>) -> Self::Future {
        let is_known = self.0.knows(&request.get_ref().0);
        let draining = self.0.health.lifecycle().map(|life| life.reached(State::Draining));
        let (shared, told, sleep) = (Arc::clone(&self.0), None, None);
        ready(Ok(tonic::Response::new(Changes { shared, is_known, told, draining, sleep })))
    }
}

/// What one watcher is told. It is looked up when the watcher can take it: who does not read
/// costs nothing, and hears of the present and not of what has been.
struct Changes {
    shared: Arc<Shared>,
    is_known: bool,
    told: Option<Answer>,
    draining: Option<Reached>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Changes {
    fn tell(&mut self, answer: Answer) -> Poll<Option<Result<Answer, Status>>> {
        self.told = Some(answer);
        Poll::Ready(Some(Ok(answer)))
    }
}

impl Stream for Changes {
    type Item = Result<Answer, Status>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Answer, Status>>> {
        let this = &mut *self;
        let is_over = |reached: &mut Reached| Pin::new(reached).poll(cx).is_ready();
        if this.draining.as_mut().is_some_and(is_over) {
            return match this.told {
                Some(Answer::Down) => Poll::Ready(None),
                _ if this.is_known => this.tell(Answer::Down),
                _ => Poll::Ready(None),
            };
        }
        loop {
            let answer = if this.is_known { this.shared.answer() } else { Answer::Unknown };
            if this.told != Some(answer) {
                return this.tell(answer);
            }
            let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep(PERIOD)));
            ready!(sleep.as_mut().poll(cx));
            sleep.as_mut().reset(Instant::now() + PERIOD);
        }
    }
}
