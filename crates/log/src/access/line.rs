//! What a line says.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use buttress_core::{
    context::{MAX_FIELDS, Operation, RequestContext},
    observe::Totals,
    reject::Rejected,
};
use http::{HeaderValue, Method};
use tracing::{Level, field::display};

use super::{
    AccessLog,
    event::Event,
    exchange::Captured,
    extra::{AsObject, Published},
    grpc::GrpcStatus,
    text::{Capped, cut, with_texts, write_ip},
};

/// The longest path and query, in bytes. A server takes far longer ones.
const MAX_TARGET: usize = 2048;
/// The longest user agent and user's id.
const MAX_NAME: usize = 256;
/// The longest method; the longest registered one has 17 (RFC 4437).
const MAX_METHOD: usize = 32;

/// All that one line is made of.
pub(super) struct Line<'a> {
    pub(super) captured: &'a Captured,
    pub(super) end: &'a Totals,
    pub(super) context: &'a RequestContext,
    pub(super) slow: bool,
    pub(super) sample_rate: Option<f64>,
}

impl Line<'_> {
    pub(super) fn write(&self, level: Level, log: &AccessLog) {
        let Self { captured, end, context, slow, sample_rate } = *self;
        let mut extra = context.take_fields();
        let dropped = (extra.len() >= MAX_FIELDS).then(|| context.fields_dropped());
        log.shown.add_to(&mut extra, &captured.headers);
        let db = Operations::of(context, Operation::Db);
        let ai = Operations::of(context, Operation::Ai);
        let http = Operations::of(context, Operation::Http);
        let service = Operations::of(context, Operation::Service);
        with_texts(|texts| {
            let message = texts.add(|out| self.message(out));
            let ip = context.client_ip().filter(|_| log.parts.client_ip);
            let ip = ip.map(|ip| texts.add(|out| write_ip(ip, out)));
            let query = captured.query().filter(|_| log.parts.query);
            let query = query.map(|query| {
                let query = log.rules.query(query);
                texts.add(|out| write!(Capped::new(out, MAX_TARGET), "{query}"))
            });
            let (mut agent, mut odd_agent) = (None, None);
            match captured.user_agent.as_ref().map(text_of) {
                Some(Ok(text)) => agent = Some(cut(text, MAX_NAME)),
                Some(Err(bytes)) => {
                    let escaped = bytes.escape_ascii();
                    odd_agent =
                        Some(texts.add(|out| write!(Capped::new(out, MAX_NAME), "{escaped}")));
                }
                None => {}
            }

            let event = Event {
                message: texts.get(Some(message)).unwrap_or_default(),
                request_id: context.request_id().and_then(|id| text_of(id).ok()),
                method: cut(captured.method.as_str(), MAX_METHOD),
                route: context.route(),
                path: captured.path().filter(|_| log.parts.path).map(|path| cut(path, MAX_TARGET)),
                query: texts.get(query),
                protocol: captured.protocol(),
                status: end.status.map(|status| status.as_u16().into()),
                outcome: end.outcome.as_str(),
                duration_ms: millis(end.duration),
                ttfb_ms: end.head.map(millis),
                slow: slow.then_some(true),
                bytes_in: captured.bytes_in,
                bytes_out: end.bytes_out,
                client_ip: texts.get(ip),
                user_id: context.principal().map(|id| cut(id, MAX_NAME)),
                user_agent: agent.or(texts.get(odd_agent)),
                error_type: context.error_type(),
                rejected_by: captured.rejected.map(Rejected::layer),
                reason: captured.rejected.map(Rejected::reason),
                grpc_status: captured.grpc_status.map(|GrpcStatus(code)| code.into()),
                db_count: db.count,
                db_ms: db.millis,
                ai_count: ai.count,
                ai_ms: ai.millis,
                http_count: http.count,
                http_ms: http.millis,
                service_count: service.count,
                service_ms: service.millis,
                fields_dropped: dropped.filter(|dropped| *dropped > 0),
                sample_rate,
                fields: (!extra.is_empty()).then(|| display(AsObject)),
            };
            let _published = Published::new(extra);
            event.send(level);
        });
    }

    /// `GET /users/{id} 200`: of few words, so that lines can be grouped by it. What a client
    /// makes up is not among them.
    fn message(&self, out: &mut String) -> fmt::Result {
        let method = match self.captured.method {
            Method::GET
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::HEAD
            | Method::OPTIONS
            | Method::CONNECT
            | Method::PATCH
            | Method::TRACE => self.captured.method.as_str(),
            _ => "_OTHER",
        };
        out.push_str(method);
        out.push(' ');
        out.push_str(self.context.route().unwrap_or("-"));
        out.push(' ');
        match &self.end.status {
            Some(status) => out.push_str(status.as_str()),
            None => out.push_str(self.end.outcome.as_str()),
        }
        Ok(())
    }
}

/// What is said of one kind of operation, if there was any.
struct Operations {
    count: Option<u64>,
    millis: Option<f64>,
}

impl Operations {
    fn of(context: &RequestContext, operation: Operation) -> Self {
        let total = context.operations(operation);
        let any = (total.count > 0).then_some(total);
        Self {
            count: any.map(|total| total.count.into()),
            millis: any.map(|total| millis(total.took)),
        }
    }
}

/// In fewer steps than `to_str`, which looks at each byte; and in UTF-8, which it refuses.
fn text_of(value: &HeaderValue) -> Result<&str, &[u8]> {
    str::from_utf8(value.as_bytes()).map_err(|_| value.as_bytes())
}

/// Three decimals.
pub(crate) fn millis(duration: Duration) -> f64 {
    let micros = u64::from((duration.subsec_nanos() + 500) / 1_000);
    duration.as_secs().saturating_mul(1_000_000).saturating_add(micros) as f64 / 1e3
}
