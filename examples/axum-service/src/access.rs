//! One line for each exchange. A log layer of this family takes the place of this later.

use axum::http::{Method, Request, Response};
use buttress::{
    context::RequestContext,
    observe::{Observer, Outcome, Totals},
    reject::Rejected,
};

/// Writes the access line when the last byte of an answer is out, or when it is clear that it
/// never will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessLog;

/// What the line says of the request, which is gone by the time the line is written.
#[derive(Debug)]
pub(crate) struct Exchange {
    method: Method,
    path: String,
    rejected: Option<Rejected>,
}

impl Observer for AccessLog {
    type Exchange = Exchange;

    fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> Exchange {
        // The path alone: a query may hold what no log should.
        let path = request.uri().path().to_owned();
        Exchange { method: request.method().clone(), path, rejected: None }
    }

    fn on_response<B>(&self, exchange: &mut Exchange, answer: &Response<B>, _: &RequestContext) {
        exchange.rejected = answer.extensions().get().copied();
    }

    fn on_end(&self, exchange: Exchange, end: &Totals, context: &RequestContext) {
        let Exchange { method, path, rejected } = exchange;
        let micros = (end.duration.as_secs_f64() * 1e6).round();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "access",
                    status = end.status.map(|status| status.as_u16()),
                    outcome = end.outcome.as_str(),
                    duration_ms = micros / 1e3,
                    bytes = end.bytes_out,
                    request_id = context.request_id_str(),
                    client_ip = context.client_ip().map(display),
                    rejected = rejected.map(|by| display(format!("{}.{}", by.layer(), by.reason()))),
                    "{method} {path}",
                )
            };
        }
        let failed = end.status.is_none_or(|status| status.is_server_error());
        match end.outcome {
            Outcome::Complete if !failed => line!(info),
            Outcome::ClientGone => line!(warn),
            _ => line!(error),
        }
    }
}
