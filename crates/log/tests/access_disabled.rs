//! Alone in its process: what one test's subscriber wants is kept for all of them.

use buttress_core::{context::RequestContext, observe::Observer};
use buttress_log::AccessLog;
use http::Request;
use tracing::{Level, Metadata};
use tracing_subscriber::{filter::filter_fn, layer::SubscriberExt};

fn exchange() -> String {
    format!("{:?}", AccessLog::new().on_request(&Request::new(()), &RequestContext::new()))
}

/// With this as the only filter of the only subscriber.
fn exchange_where(wants: fn(&Metadata<'_>) -> bool) -> String {
    let subscriber = tracing_subscriber::registry().with(filter_fn(wants));
    tracing::subscriber::with_default(subscriber, exchange)
}

#[test]
fn of_a_request_that_nobody_logs_nothing_is_kept() {
    let nothing = "Exchange { captured: None }";
    assert_eq!(exchange(), nothing, "there is no subscriber");
    assert_eq!(exchange_where(|_| false), nothing);
    assert_eq!(exchange_where(|metadata| metadata.target() != "access"), nothing);

    // A subscriber may want any one level, and may ask for a field.
    let wants: [fn(&Metadata<'_>) -> bool; 5] = [
        |metadata| *metadata.level() == Level::ERROR,
        |metadata| *metadata.level() == Level::INFO && metadata.is_event(),
        |metadata| *metadata.level() == Level::TRACE && metadata.target() == "access",
        |metadata| metadata.fields().field("status").is_some(),
        |metadata| metadata.name() == "buttress.access",
    ];
    for wants in wants {
        assert_ne!(exchange_where(wants), nothing);
    }
}
