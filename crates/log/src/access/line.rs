//! What a line says.

use std::{fmt::Write, ops::Range, time::Duration};

use buttress_core::{
    context::{MAX_FIELDS, Operation, OperationTotal, RequestContext},
    observe::Totals,
    reject::Rejected,
};
use tracing::Level;

use super::{
    AccessLog, Parts,
    event::{Event, Rare},
    exchange::{Captured, Exchange},
    extra::{AsObject, Fields},
    grpc::GrpcStatus,
    message::Message,
    published::publish,
    text::{Capped, HeaderText, MAX_NAME, Texts, cut},
};
use crate::json::Visit;

/// The longest path and query, in bytes. A server takes far longer ones.
const MAX_TARGET: usize = 2048;
/// The longest method; the longest registered one has 17 (RFC 4437).
const MAX_METHOD: usize = 32;

/// All that one line is made of.
pub(crate) struct Line {
    exchange: Exchange,
    context: RequestContext,
    end: Totals,
    parts: Parts,
    slow: bool,
    sample_rate: Option<f64>,
    /// The application's fields, and the headers that are shown.
    extra: Fields,
    dropped: Option<u64>,
    texts: Texts,
    query: Option<Range<usize>>,
}

impl Line {
    #[inline]
    pub(super) fn new(
        exchange: Exchange,
        (end, slow): (&Totals, bool),
        context: &RequestContext,
        log: &AccessLog,
        sample_rate: Option<f64>,
    ) -> Self {
        let mut extra = context.take_fields();
        let dropped = (extra.len() >= MAX_FIELDS).then(|| context.fields_dropped());
        let mut texts = Texts::default();
        let mut query = None;
        if let Some(captured) = exchange.get() {
            log.shown.add_to(&mut extra, &captured.headers);
            query = captured.query().filter(|_| log.parts.query).map(|query| {
                let query = log.rules.query(query);
                texts.add(|out| write!(Capped::new(out, MAX_TARGET), "{query}"))
            });
        }
        Self {
            exchange,
            context: context.clone(),
            end: *end,
            parts: log.parts,
            slow,
            sample_rate,
            extra,
            dropped: dropped.filter(|dropped| *dropped > 0),
            texts,
            query,
        }
    }

    /// Makes the line and sends its event.
    #[inline]
    pub(super) fn send(level: Level, make: impl FnOnce() -> Self) {
        publish(make, |line| {
            if let Some(event) = line.event() {
                event.send(level);
            }
        });
    }

    /// Writes the fields as if the event were recorded, in far fewer steps.
    pub(crate) fn write(&self, visit: &mut Visit<'_>) {
        if let Some(event) = self.event() {
            event.write(visit);
        }
    }

    pub(super) fn extra(&self) -> &Fields {
        &self.extra
    }

    #[inline(always)]
    fn event(&self) -> Option<Event<'_>> {
        let Self { context, end, parts, .. } = self;
        let captured = self.exchange.get()?;
        let path = captured.path().filter(|_| parts.path);
        let (route, status) = (context.route(), end.status.as_ref());
        Some(Event {
            message: Message::new(&captured.method, route, status, end.outcome),
            request_id: context.request_id().map(HeaderText),
            method: cut(captured.method.as_str(), MAX_METHOD),
            route,
            path: path.map(|path| cut(path, MAX_TARGET)),
            query: self.texts.get(self.query.as_ref()),
            protocol: captured.protocol(),
            status: status.map(|status| status.as_u16().into()),
            outcome: end.outcome.as_str(),
            duration_ms: end.duration,
            ttfb_ms: end.head,
            slow: self.slow.then_some(true),
            bytes_in: captured.bytes_in,
            bytes_out: end.bytes_out,
            client_ip: context.client_ip().filter(|_| parts.client_ip),
            user_id: context.principal().map(|id| cut(id, MAX_NAME)),
            user_agent: captured.user_agent.as_ref().map(HeaderText),
            rare: self.rare(captured),
        })
    }

    #[inline]
    fn rare(&self, captured: &Captured) -> Option<Rare> {
        const KINDS: [Operation; 4] =
            [Operation::Db, Operation::Ai, Operation::Http, Operation::Service];
        let totals = KINDS.map(|kind| self.context.operations(kind));
        let error_type = self.context.error_type();
        let any = error_type.is_some()
            || captured.rejected.is_some()
            || captured.grpc_status.is_some()
            || totals.iter().any(|total| total.count > 0)
            || self.dropped.is_some()
            || self.sample_rate.is_some()
            || !self.extra.is_empty();
        if !any {
            return None;
        }
        let [db, ai, http, service] = totals.map(Operations::of);
        Some(Rare {
            error_type,
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
            fields_dropped: self.dropped,
            sample_rate: self.sample_rate,
            fields: (!self.extra.is_empty()).then_some(AsObject),
        })
    }
}

/// What is said of one kind of operation, if there was any.
struct Operations {
    count: Option<u64>,
    millis: Option<f64>,
}

impl Operations {
    fn of(total: OperationTotal) -> Self {
        let any = (total.count > 0).then_some(total);
        Self {
            count: any.map(|total| total.count.into()),
            millis: any.map(|total| millis(total.took)),
        }
    }
}

/// Three decimals.
pub(crate) fn millis(duration: Duration) -> f64 {
    micros(duration) as f64 / 1e3
}

/// The nearest number of them.
pub(crate) fn micros(duration: Duration) -> u64 {
    let micros = u64::from((duration.subsec_nanos() + 500) / 1_000);
    duration.as_secs().saturating_mul(1_000_000).saturating_add(micros)
}
