//! The shapes of a line, each with its golden lines.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod output;

use buttress_log::{JsonLayer, Schema, logger};
use output::{request, written};

/// An access line, a line with a child field, an error in no request.
fn lines(schema: Schema) -> String {
    let layer = |writer| {
        let layer = JsonLayer::new(writer).schema(schema);
        layer.service("api").field("version", "1.4.0").field("environment", "test")
    };
    let text = written(layer, || {
        request().scope(|| {
            tracing::event!(name: "buttress.access", target: "access", tracing::Level::WARN, {
                message = "GET /users/{id} 200",
                request_id = output::ID,
                method = "GET",
                route = "/users/{id}",
                path = "/users/42",
                query = "page=2&token=[REDACTED]",
                protocol = "2",
                status = 200_u64,
                outcome = "complete",
                duration_ms = 1240.513,
                ttfb_ms = 12.004,
                slow = true,
                bytes_in = 0_u64,
                bytes_out = 48_291_u64,
                client_ip = "192.0.2.4",
                user_id = "u_1",
                user_agent = "curl/8.9",
                error_type = None::<&str>,
                db_count = 3_u64,
                db_ms = 31.2,
                fields = "{}"
            });
            logger().with("order", 17).enter(|| tracing::info!(target: "shop", amount = 5, "paid"));
        });
        tracing::error!(target: "shop", error = "no route", fatal = true, "gone");
    });
    text.lines().map(without_time).collect()
}

/// The line with the time taken out of it.
fn without_time(line: &str) -> String {
    output::parsed(line);
    let (before, rest) = line.split_once(':').unwrap();
    let time = rest.split_once(',').unwrap();
    let digits = time.0.trim_matches('"').chars().filter(char::is_ascii_digit).count();
    assert!(matches!(digits, 13 | 19 | 20), "no time: {line}");
    format!("{before}:,{}\n", time.1)
}

#[test]
fn each_shape_is_as_it_was_agreed_on() {
    for (schema, golden) in [
        (Schema::default(), include_str!("schema/json.txt")),
        (Schema::ecs(), include_str!("schema/ecs.txt")),
        (Schema::datadog(), include_str!("schema/datadog.txt")),
        (Schema::gcp().project("my-project"), include_str!("schema/gcp.txt")),
        (Schema::otel(), include_str!("schema/otel.txt")),
        (Schema::pino(), include_str!("schema/pino.txt")),
        (Schema::cloudwatch(), include_str!("schema/cloudwatch.txt")),
    ] {
        let (name, lines) = (schema.name(), lines(schema));
        for (line, golden) in lines.lines().zip(golden.lines()) {
            assert_eq!(line, golden, "{name}");
        }
        assert_eq!(lines.lines().count(), golden.lines().count());
        assert_eq!(Schema::named(name).unwrap().name(), name);
    }
}

/// Names that a shape uses itself are not the application's, in any shape.
#[test]
fn the_keys_are_unique_in_every_shape() {
    for name in ["json", "ecs", "datadog", "gcp", "otel", "pino", "cloudwatch"] {
        let layer = |writer| {
            let layer = JsonLayer::new(writer).schema(Schema::named(name).unwrap());
            layer.service("api").field("level", "mine").field("time", 1).location(true)
        };
        let text = written(layer, || {
            let child = ["time", "severity", "status", "http", "httpRequest", "dd", "req", "msg"]
                .into_iter()
                .chain([
                    "log.level",
                    "trace.id",
                    "Attributes",
                    "Body",
                    "spans",
                    "truncated",
                    "url.path",
                ])
                .fold(logger(), |logger, name| logger.with(name, 1));
            request().scope(|| {
                child.enter(|| {
                    let _span = tracing::info_span!("outer").entered();
                    tracing::event!(name: "buttress.access", target: "access", tracing::Level::INFO, {
                        message = "GET - 404",
                        method = "GET",
                        path = "/",
                        status = 404_u64,
                        http = 1,
                        level = 2,
                        request_id = "another",
                        trace_id = "another",
                        service.name = "mine",
                        client_ip = "192.0.2.4",
                    });
                    tracing::error!(error = "no route", error.message = "twice", target = "mine");
                });
            });
        });
        assert_eq!(text.lines().map(output::parsed).count(), 2, "{name}");
    }
}
