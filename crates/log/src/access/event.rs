//! The event, at each level.

use std::{net::IpAddr, time::Duration};

use tracing::{
    Level, event,
    field::{DisplayValue, Value, display},
};
use tracing_core::{Kind, LevelFilter, Metadata, callsite::DefaultCallsite};

use super::{extra::AsObject, line::millis, message::Message, text::HeaderText};
use crate::json::Visit;

/// The name of the events of [`AccessLog`](super::AccessLog), by which this crate's own layers
/// know them.
pub(crate) const EVENT: &str = "buttress.access";

const TARGET: &str = "access";

/// The fields of the event, and the event at each level: `tracing` wants a callsite for each, and
/// takes up to 32 fields. Most lines have none of the rare ones, and an event without.
macro_rules! fields {
    (common { $($name:ident: $type:ty,)+ } rare { $($rare:ident: $rare_type:ty,)+ }) => {
        /// What a line says, by the names of its fields; what is `None` is not recorded.
        pub(super) struct Event<'a> {
            $(pub(super) $name: $type,)+
            pub(super) rare: Option<Rare>,
        }

        /// What most lines do not say.
        pub(super) struct Rare {
            $(pub(super) $rare: $rare_type,)+
        }

        const FIELDS: &[&str] = &[$(stringify!($name),)+ $(stringify!($rare)),+];

        impl Event<'_> {
            /// Writes the fields as if the event were recorded, in far fewer steps.
            #[inline]
            pub(super) fn write(&self, visit: &mut Visit<'_>) {
                let mut places = 0..;
                $(self.$name.write(places.next().unwrap_or_default(), visit);)+
                if let Some(rare) = &self.rare {
                    $(rare.$rare.write(places.next().unwrap_or_default(), visit);)+
                }
            }

            pub(super) fn send(&self, level: Level) {
                macro_rules! send {
                    ($level:ident) => {
                        match &self.rare {
                            None => event!(name: EVENT, target: TARGET, Level::$level, {
                                $($name = self.$name.value()),+
                            }),
                            Some(rare) => event!(name: EVENT, target: TARGET, Level::$level, {
                                $($name = self.$name.value(),)+ $($rare = rare.$rare.value()),+
                            }),
                        }
                    };
                }
                match level {
                    Level::ERROR => send!(ERROR),
                    Level::WARN => send!(WARN),
                    Level::INFO => send!(INFO),
                    Level::DEBUG => send!(DEBUG),
                    Level::TRACE => send!(TRACE),
                }
            }
        }
    };
}

fields! {
    common {
        message: Message<'a>,
        request_id: Option<HeaderText<'a>>,
        method: &'a str,
        route: Option<&'a str>,
        path: Option<&'a str>,
        query: Option<&'a str>,
        protocol: Option<&'static str>,
        status: Option<u64>,
        outcome: &'static str,
        duration_ms: Duration,
        ttfb_ms: Option<Duration>,
        slow: Option<bool>,
        bytes_in: Option<u64>,
        bytes_out: u64,
        client_ip: Option<IpAddr>,
        user_id: Option<&'a str>,
        user_agent: Option<HeaderText<'a>>,
    }
    rare {
        error_type: Option<&'static str>,
        rejected_by: Option<&'static str>,
        reason: Option<&'static str>,
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
        fields: Option<AsObject>,
    }
}

/// What a field may be: something that `tracing` knows, or is shown what is printed.
trait Member {
    type Value<'a>: Value
    where
        Self: 'a;

    fn value(&self) -> Self::Value<'_>;
    /// Writes the field that has this place.
    fn write(&self, place: usize, visit: &mut Visit<'_>);
}

macro_rules! members {
    ($($type:ty: $value:ty = |$this:ident| $known:expr, $write:ident;)+) => {$(
        impl Member for $type {
            type Value<'a> = $value where Self: 'a;

            fn value(&self) -> Self::Value<'_> {
                let $this = self;
                $known
            }

            #[inline]
            fn write(&self, place: usize, visit: &mut Visit<'_>) {
                visit.$write(place, *self);
            }
        }
    )+};
}

members! {
    &str: &'a str = |it| it, text;
    u64: u64 = |it| *it, unsigned;
    f64: f64 = |it| *it, float;
    bool: bool = |it| *it, boolean;
    Duration: f64 = |it| millis(*it), duration;
    IpAddr: DisplayValue<&'a Self> = |it| display(it), address;
    HeaderText<'_>: DisplayValue<&'a Self> = |it| display(it), header;
    Message<'_>: DisplayValue<&'a Self> = |it| display(it), message;
}

impl Member for AsObject {
    type Value<'a> = DisplayValue<&'a Self>;

    fn value(&self) -> Self::Value<'_> {
        display(self)
    }

    /// They are written behind the others, by their names.
    fn write(&self, _: usize, _: &mut Visit<'_>) {}
}

impl<T: Member> Member for Option<T> {
    type Value<'a>
        = Option<T::Value<'a>>
    where
        Self: 'a;

    fn value(&self) -> Self::Value<'_> {
        self.as_ref().map(T::value)
    }

    #[inline]
    fn write(&self, place: usize, visit: &mut Visit<'_>) {
        if let Some(value) = self {
            value.write(place, visit);
        }
    }
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
