//! What the service does. None of it knows of the stack around it.

use buttress::context;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, codegen::BoxStream};
use tracing::field::display;

use crate::pb::{
    CountReply, CountRequest, FailReply, FailRequest, GreetReply, GreetRequest,
    greeter_server::Greeter,
};

/// How far `Count` goes: what a client asks for must not decide what a call costs.
const LAST: u32 = 100;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Greetings;

#[tonic::async_trait]
impl Greeter for Greetings {
    async fn greet(&self, request: Request<GreetRequest>) -> Result<Response<GreetReply>, Status> {
        let name = request.into_inner().name;
        if name.is_empty() {
            return Err(Status::invalid_argument("name is empty: say who is to be greeted"));
        }
        let message = format!("Hello, {name}!");
        Ok(Response::new(GreetReply { message, request_id: request_id() }))
    }

    type CountStream = BoxStream<CountReply>;

    async fn count(
        &self,
        request: Request<CountRequest>,
    ) -> Result<Response<Self::CountStream>, Status> {
        let to = request.into_inner().to;
        let end = (to > LAST).then(|| Status::out_of_range(format!("nobody counts past {LAST}")));
        // This runs while the answer is being sent, long after `count` returned, and is still the
        // same request's.
        let numbers = tokio_stream::iter(1..=to.min(LAST))
            .map(|number| Ok(CountReply { number, request_id: request_id() }));
        Ok(Response::new(Box::pin(numbers.chain(tokio_stream::iter(end.map(Err))))))
    }

    async fn fail(&self, _: Request<FailRequest>) -> Result<Response<FailReply>, Status> {
        Err(masked("connection to db.internal:5432 refused for user billing"))
    }
}

/// What went wrong is for the log. The client has the request's id, by which to find it there.
fn masked(error: &str) -> Status {
    let request = context::current().unwrap_or_default();
    let (request_id, client_ip) = (request.request_id_str(), request.client_ip().map(display));
    tracing::error!(request_id, client_ip, error, "the call failed");
    Status::internal("internal error")
}

fn request_id() -> String {
    context::current()
        .and_then(|request| request.request_id_str().map(str::to_owned))
        .unwrap_or_default()
}
