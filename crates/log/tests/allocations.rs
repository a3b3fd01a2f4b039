//! What a line costs in allocations, once the thread has its buffer: none.

mod output;

use buttress_conformance::allocations;
use buttress_log::{JsonLayer, Schema, Sink, logger};
use tracing_subscriber::prelude::*;

fn access(count: u64) {
    tracing::event!(name: "buttress.access", target: "access", tracing::Level::INFO, {
        message = "GET /users/{id} 200",
        request_id = output::ID,
        method = "GET",
        route = "/users/{id}",
        path = "/users/42",
        query = "page=2",
        protocol = "2",
        status = 200_u64,
        outcome = "complete",
        duration_ms = 1240.513,
        ttfb_ms = 12.004,
        slow = true,
        bytes_in = 0_u64,
        bytes_out = count,
        client_ip = "192.0.2.4",
        user_id = "u_1",
        user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        db_count = 3_u64,
        db_ms = 31.2
    });
}

#[test]
fn a_line_allocates_nothing() {
    for schema in [Schema::default(), Schema::gcp(), Schema::otel(), Schema::datadog()] {
        let (writer, _guard) = Sink::to(std::io::sink()).open().unwrap();
        let layer = JsonLayer::new(writer.clone()).schema(schema.clone()).service("api");
        let subscriber = tracing_subscriber::registry().with(layer);
        let span = || tracing::info_span!("outer", user = "ada");
        tracing::subscriber::with_default(subscriber, || {
            let _span = span().entered();
            let _inner = span().entered();
            let child = logger().with("order", 17).with("cart", "c-1");
            let lines = |count: u64| {
                output::request().scope(|| {
                    child.enter(|| {
                        access(count);
                        tracing::info!(a = 1, b = "two", c = ?[3], d = 4.5, "hello {count}");
                        tracing::warn!(password = "hunter2", token = ?[1], "a secret");
                        tracing::error!(fatal = true, level = 3, "line\nfeed {}", "\u{1b}");
                    });
                });
            };
            lines(1);
            // The request itself is one.
            let request = allocations(|| drop(output::request()));
            assert_eq!(allocations(|| lines(2)), request, "{schema:?}");
        });
        assert_eq!(writer.lost(), 0);
    }
}
