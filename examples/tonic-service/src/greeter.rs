//! What the service does. None of it knows of the stack around it.

use buttress::context;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::pb::{
    CountReply, CountRequest, FailReply, FailRequest, GreetReply, GreetRequest,
    greeter_server::Greeter,
};

/// How far `Count` goes: what a client asks for must not decide what a call costs.
const LAST: u32 = 100;

/// All there is, as paths: what logs, metrics and traces show as the route.
pub(crate) const METHODS: [&str; 3] = [
    "/buttress.example.v1.Greeter/Greet",
    "/buttress.example.v1.Greeter/Count",
    "/buttress.example.v1.Greeter/Fail",
];

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

/// What went wrong is for the log, where each line has the request's id. The client has it too,
/// and finds it there; a status's message would go to the client as it is.
fn masked(error: &str) -> Status {
    tracing::error!(error, "the call failed");
    Status::internal("internal error")
}

fn request_id() -> String {
    context::current()
        .and_then(|request| request.request_id_str().map(str::to_owned))
        .unwrap_or_default()
}
