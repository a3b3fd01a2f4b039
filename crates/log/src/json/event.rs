//! How an event becomes a line.

use buttress_core::context::{self, RequestContext, TraceContext};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::{layer::Context, registry::LookupSpan};

use super::{
    encoder::Encoder,
    peek::{is_fatal, log_location, log_target},
    site::Site,
    visit::Visit,
};
use crate::{
    access,
    line::{Bytes, Line, Now},
    schema::Piece,
};

impl Encoder {
    pub(super) fn event<S>(&self, line: &mut Line, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let site = self.sites.get(event.metadata(), self);
        let request = context::current();
        self.head(line, site, event);
        let access = site.is_access.then(access::published).flatten();
        let mut visit = Visit::new(line, site, self, event, request.as_ref());
        visit.access = access.as_ref().and_then(access::Published::line);
        if !site.message_first {
            visit.middle();
        }
        self.object(0, &mut visit, event, ctx);
        if line.cut {
            line.push(br#","truncated":true"#);
        }
        line.push(b"}\n");
    }

    /// The time, the level and the target.
    fn head(&self, line: &mut Line, site: &Site, event: &Event<'_>) {
        let shape = self.schema.shape;
        line.push(shape.open.as_bytes());
        shape.clock.write(Now::read(), &mut line.bytes);
        match &site.fatal {
            Some(fatal) if is_fatal(event) => line.push(fatal),
            _ => line.push(&site.head),
        }
        if site.is_log {
            log_target(event, &mut |target| line.text(target));
            let [_, after] = shape.target;
            line.push(after.as_bytes());
        }
    }

    /// The members of one object, and the objects in it.
    fn object<S>(
        &self,
        group: usize,
        visit: &mut Visit<'_>,
        event: &Event<'_>,
        ctx: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        visit.group = group;
        if group > 0 && group == self.schema.shape.fields {
            visit.own_id();
        }
        visit.fields();
        if group == 0 {
            visit.middle();
        }
        let shape = self.schema.shape;
        if group == shape.fields {
            if visit.site.is_log && self.location {
                log_location(event, visit.line, shape.location);
            }
            visit.loose();
            if self.spans {
                self.scope(visit.line, ctx.event_scope(event));
            }
        }
        for (inner, (object, key)) in shape.groups.iter().zip(&self.prepared().groups).enumerate() {
            if object.parent != group || visit.site.groups & 1 << inner == 0 {
                continue;
            }
            let start = visit.line.len();
            if !visit.line.open_raw(key) {
                continue;
            }
            let empty = visit.line.len();
            self.object(inner, visit, event, ctx);
            if visit.line.len() == empty {
                visit.line.bytes.truncate(start);
            } else {
                visit.line.push(b"}");
            }
        }
    }

    /// The constant fields and the ids.
    pub(super) fn middle(&self, line: &mut Line, request: Option<&RequestContext>) {
        line.push(&self.prepared().constants);
        let Some(request) = request else { return };
        // Else it is among the fields.
        if self.schema.shape.fields == 0 {
            self.request_id(line, request);
        }
        if let Some(trace) = request.trace() {
            self.trace(&mut line.bytes, trace);
        }
    }

    pub(super) fn request_id(&self, line: &mut Line, request: &RequestContext) {
        let Some(id) = request.request_id() else { return };
        let key = &self.prepared().request_id;
        // In one look, since an id has nothing to escape.
        if !line.clear_member(key, id.as_bytes())
            && let Ok(id) = id.to_str()
            && line.open(key)
        {
            line.text(id);
        }
    }

    fn trace(&self, out: &mut Vec<u8>, trace: &TraceContext) {
        for piece in self.schema.shape.trace {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Project => out.extend_from_slice(self.schema.project.as_bytes()),
                Piece::TraceId => out.hex(trace.trace_id()),
                Piece::TraceIdNumber => {
                    let low = u128::from_be_bytes(*trace.trace_id()) & u128::from(u64::MAX);
                    out.unsigned(u64::try_from(low).unwrap_or_default());
                }
                Piece::SpanId => out.hex(trace.span_id()),
                Piece::SpanIdNumber => out.unsigned(u64::from_be_bytes(*trace.span_id())),
                Piece::Flags => out.hex(&[trace.flags()]),
                Piece::FlagsNumber => out.unsigned(trace.flags().into()),
                Piece::Sampled => {
                    let sampled = trace.flags() & 1 == 1;
                    out.extend_from_slice(if sampled { b"true" } else { b"false" });
                }
            }
        }
    }
}
