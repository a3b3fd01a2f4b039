//! The event, at each level.

use tracing::{Level, field::DisplayValue};
use tracing_core::{Kind, LevelFilter, Metadata, callsite::DefaultCallsite};

use super::extra::AsObject;

/// The name of the events of [`AccessLog`](super::AccessLog), by which this crate's own layers
/// know them.
pub(crate) const EVENT: &str = "buttress.access";

const TARGET: &str = "access";

/// The fields of the event, and the event at each level: `tracing` wants a callsite for each, and
/// takes up to 32 fields.
macro_rules! fields {
    ($($name:ident: $type:ty,)+) => {
        /// What a line says, by the names of its fields; what is `None` is not recorded.
        pub(super) struct Event<'a> {
            $(pub(super) $name: $type,)+
        }

        const FIELDS: &[&str] = &[$(stringify!($name)),+];

        impl Event<'_> {
            pub(super) fn send(&self, level: Level) {
                use tracing::event;
                match level {
                    Level::ERROR => {
                        event!(name: EVENT, target: TARGET, Level::ERROR, { $($name = self.$name),+ });
                    }
                    Level::WARN => {
                        event!(name: EVENT, target: TARGET, Level::WARN, { $($name = self.$name),+ });
                    }
                    Level::INFO => {
                        event!(name: EVENT, target: TARGET, Level::INFO, { $($name = self.$name),+ });
                    }
                    Level::DEBUG => {
                        event!(name: EVENT, target: TARGET, Level::DEBUG, { $($name = self.$name),+ });
                    }
                    Level::TRACE => {
                        event!(name: EVENT, target: TARGET, Level::TRACE, { $($name = self.$name),+ });
                    }
                }
            }
        }
    };
}

fields! {
    message: &'a str,
    request_id: Option<&'a str>,
    method: &'a str,
    route: Option<&'a str>,
    path: Option<&'a str>,
    query: Option<&'a str>,
    protocol: Option<&'a str>,
    status: Option<u64>,
    outcome: &'a str,
    duration_ms: f64,
    ttfb_ms: Option<f64>,
    slow: Option<bool>,
    bytes_in: Option<u64>,
    bytes_out: u64,
    client_ip: Option<&'a str>,
    user_id: Option<&'a str>,
    user_agent: Option<&'a str>,
    error_type: Option<&'a str>,
    rejected_by: Option<&'a str>,
    reason: Option<&'a str>,
    grpc_status: Option<u64>,
    db_count: Option<u64>,
    db_ms: Option<f64>,
    ai_count: Option<u64>,
    ai_ms: Option<f64>,
    http_count: Option<u64>,
    http_ms: Option<f64>,
    service_count: Option<u64>,
    service_ms: Option<f64>,
    fields_dropped: Option<u64>,
    sample_rate: Option<f64>,
    fields: Option<DisplayValue<AsObject>>,
}

/// Callsites like those of the event, to ask what the subscribers said of them: `enabled!` would
/// ask anew, and leaves a layer's own filter in a state in which it drops the next event.
macro_rules! wanted {
    ($($level:ident),+) => {
        /// Whether anybody may want the event at this level. What is cheap to know is asked: a
        /// subscriber that decides by the event itself says "maybe".
        pub(super) fn is_wanted_at(level: Level) -> bool {
            $({
                static META: Metadata<'static> = tracing_core::metadata! {
                    name: EVENT,
                    target: TARGET,
                    level: Level::$level,
                    fields: FIELDS,
                    callsite: &CALLSITE,
                    kind: Kind::EVENT,
                };
                static CALLSITE: DefaultCallsite = DefaultCallsite::new(&META);
                if level == Level::$level {
                    return !CALLSITE.interest().is_never();
                }
            })+
            false
        }

        /// Whether anybody may want the event at any level.
        pub(super) fn is_wanted() -> bool {
            let highest = LevelFilter::current();
            $((Level::$level <= highest && is_wanted_at(Level::$level)))||+
        }
    };
}

// The most severe first: whoever wants any wants that.
wanted!(ERROR, WARN, INFO, DEBUG, TRACE);
