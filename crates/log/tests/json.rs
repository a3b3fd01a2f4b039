//! Lines of JSON: what is in them, whatever is in the fields.
#![allow(clippy::panic, reason = "a test is meant to panic")]

mod output;

use std::{collections::BTreeMap, error::Error, fmt, time::Duration};

use buttress_core::value::Value as Field;
use buttress_log::{Schema, logger};
use buttress_redact::{Censor, Rules};
use output::{ID, json, line, request, written};
use serde_json::{Value, json as value};

#[test]
fn numbers_keep_their_value() {
    let line = line(|| {
        tracing::info!(
            u64 = u64::MAX,
            i64 = i64::MIN,
            u128 = u128::MAX,
            i128 = i128::MIN,
            float = 0.1,
            whole = 3.0,
            huge = 1e300,
            nan = f64::NAN,
            infinite = f64::INFINITY,
            yes = true,
        );
    });
    let text = line.to_string();
    for exact in ["18446744073709551615", "-9223372036854775808"] {
        assert!(text.contains(exact), "{text}");
    }
    assert_eq!(line["float"], 0.1);
    assert_eq!(line["whole"], 3.0);
    assert_eq!(line["huge"], 1e300);
    assert_eq!((&line["nan"], &line["infinite"]), (&Value::Null, &Value::Null));
    assert_eq!(line["yes"], true);
    let text = written(buttress_log::JsonLayer::new, || {
        tracing::info!(u128 = u128::MAX, i128 = i128::MIN);
    });
    for exact in [u128::MAX.to_string(), i128::MIN.to_string()] {
        assert!(text.contains(&format!(":{exact}")), "{text}");
    }
}

#[test]
fn a_name_that_the_line_uses_itself_gets_a_prefix() {
    let lines = json(
        |layer| layer.service("api"),
        || {
            tracing::info!(level = 3, timestamp = "now", x_level = 4, service = "mine", "hello");
        },
    );
    let line = &lines[0];
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["x_level"], 3);
    assert_eq!(line["x_timestamp"], "now");
    assert_eq!(line["x_x_level"], 4);
    assert_eq!((&line["service"], &line["x_service"]), (&value!("api"), &value!("mine")));
}

#[test]
fn of_one_name_the_event_has_the_first_right_and_then_the_innermost_scope() {
    let line = line(|| {
        logger().with("order", 1).with("step", "a").enter(|| {
            logger().with("step", "b").with("target", "mine").enter(|| {
                tracing::info!(order = 2, "paid");
            });
        });
    });
    assert_eq!((&line["order"], &line["x_order"]), (&value!(2), &value!(1)));
    assert_eq!(line["step"], "b");
    assert_eq!((&line["target"], &line["x_target"]), (&value!("json"), &value!("mine")));
}

#[test]
fn an_event_that_says_a_thing_twice_has_two_members() {
    let lines = json(
        |layer| layer,
        || {
            tracing::info!(message = "first", other = 1, "second");
            tracing::info!(request_id = "a", other = 1, request_id = "b", "hello");
            request().scope(|| {
                tracing::info!(request_id = "a", other = 1, request_id = "b", "hello");
            });
        },
    );
    assert_eq!(
        (&lines[0]["message"], &lines[0]["x_message"]),
        (&value!("second"), &value!("first"))
    );
    assert_eq!((&lines[1]["request_id"], &lines[1]["x_request_id"]), (&value!("a"), &value!("b")));
    assert_eq!(lines[2]["request_id"], ID);
    let others = [&lines[2]["x_request_id"], &lines[2]["x_x_request_id"]];
    assert_eq!(others, [&value!("b"), &value!("a")]);
}

#[test]
fn constants_have_names_of_their_own() {
    let names = ["level", "x_level", "service", "service.name", "message", "severity", "lost"];
    for shape in ["json", "ecs", "datadog", "gcp", "otel", "pino", "cloudwatch"] {
        let lines = json(
            |layer| {
                let layer = layer.schema(Schema::named(shape).unwrap());
                names.iter().fold(layer, |layer, name| layer.field(name, *name))
            },
            || tracing::info!(level = 1, service = 2, x_level = 3, "hello"),
        );
        let text = lines[0].to_string();
        for name in names {
            assert_eq!(text.matches(&format!(":\"{name}\"")).count(), 1, "{shape}: {text}");
        }
    }
}

#[test]
fn objects_in_a_line_have_each_key_once() {
    let field = Field::object([("a", Field::from(1)), ("b", 2.into()), ("a", 3.into())]);
    let line = line(|| {
        logger().with("nested", vec![field]).enter(|| tracing::info!("hello"));
    });
    assert_eq!(line["nested"], value!([{"b": 2, "a": 3}]));
}

#[test]
fn all_lines_of_a_request_have_its_ids_and_none_has_them_twice() {
    let lines = json(
        |layer| layer,
        || {
            tracing::info!("outside");
            request().scope(|| {
                tracing::info!("inside");
                tracing::info!(request_id = ID, "text");
                tracing::info!(request_id = %ID, "display");
                tracing::info!(request_id = "another", "another");
            });
            tracing::info!(request_id = "of old", "outside");
        },
    );
    assert_eq!(lines[0].get("request_id"), None);
    for line in &lines[1..5] {
        assert_eq!(line["request_id"], ID);
        assert_eq!(line["trace_id"], "01890a5dac96774bbcceb302099a8057");
        assert_eq!(line["span_id"], "b7ad6b7169203331");
        assert_eq!(line["trace_flags"], "03");
    }
    for line in &lines[1..4] {
        assert_eq!(line.get("x_request_id"), None, "{line}");
    }
    assert_eq!(lines[4]["x_request_id"], "another");
    assert_eq!(lines[5]["request_id"], "of old");
}

#[test]
fn a_fatal_error_has_a_level_of_its_own() {
    let lines = json(
        |layer| layer,
        || {
            tracing::error!(fatal = true, "gone");
            tracing::error!(fatal = false, "not gone");
            tracing::error!(fatal = "a word", "not gone");
            tracing::warn!(fatal = true, "no error");
        },
    );
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["FATAL", "ERROR", "ERROR", "WARN"]);
    assert_eq!(lines[0].get("fatal"), None);
    assert_eq!(lines[2]["fatal"], "a word");
    assert_eq!(lines[3]["fatal"], true);
}

/// An error with a cause.
#[derive(Debug)]
struct Layered(&'static str, Option<Box<Layered>>);

impl fmt::Display for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|error| error as _)
    }
}

#[test]
fn an_error_is_told_with_its_causes() {
    let error = Layered("not paid", Some(Box::new(Layered("no route to \"db\"", None))));
    let line = line(|| tracing::error!(error = &error as &dyn Error, "failed"));
    assert_eq!(line["error"], "not paid: no route to \"db\"");
}

#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn a_circle_of_causes_has_an_end() {
    let line = line(|| tracing::error!(error = &Circle as &dyn Error));
    assert_eq!(line["error"].as_str().unwrap().matches("round").count(), 32);
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        panic!("in Debug")
    }
}

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[test]
fn a_value_that_panics_or_fails_costs_neither_the_line_nor_the_task() {
    let lines = json(
        |layer| layer,
        || {
            tracing::info!(before = 1, bad = ?Panics, after = 2, "still here");
            tracing::info!(bad = %Panics, after = 2, "and here");
        },
    );
    assert_eq!(lines[0]["bad"], "[PANIC]");
    assert_eq!((&lines[0]["before"], &lines[0]["after"]), (&value!(1), &value!(2)));
    assert_eq!(lines[1]["after"], 2);
}

#[test]
fn fields_of_spans_are_told_with_what_was_recorded_late() {
    let line = line(|| {
        let outer = tracing::info_span!("outer", name = "ada", late = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("late", 5);
        outer.record("name", "a longer name");
        outer.record("late", 7);
        let _inner = tracing::info_span!("inner", password = "hunter2").entered();
        tracing::info!("hello");
    });
    assert_eq!(
        line["spans"],
        value!([
            {"name": "outer", "x_name": "a longer name", "late": 7},
            {"name": "inner", "password": "[REDACTED]"},
        ])
    );
    let without = json(
        |layer| layer.spans(false),
        || {
            let _span = tracing::info_span!("outer").entered();
            tracing::info!("hello");
        },
    );
    assert_eq!(without[0].get("spans"), None);
}

#[test]
fn events_of_the_log_crate_say_where_they_come_from() {
    let lines = json(
        |layer| layer.location(true),
        || {
            // What `tracing-log` makes of a record.
            tracing::event!(
                name: "log event",
                target: "log",
                tracing::Level::INFO,
                message = "query",
                log.target = "sqlx::query",
                log.module_path = "sqlx::logger",
                log.file = "src/logger.rs",
                log.line = 121_u64,
            );
        },
    );
    let mut line = lines[0].clone();
    line["timestamp"] = Value::Null;
    assert_eq!(
        line,
        value!({
            "timestamp": null, "level": "INFO", "target": "sqlx::query", "message": "query",
            "file": "src/logger.rs", "line": 121,
        })
    );
}

#[test]
fn the_place_in_the_code_is_told_when_it_is_asked_for() {
    let lines = json(|layer| layer.location(true), || tracing::info!(file = "mine", "hello"));
    assert!(lines[0]["file"].as_str().unwrap().ends_with("tests/json.rs"), "{}", lines[0]);
    assert!(lines[0]["line"].is_u64());
    assert_eq!(lines[0]["x_file"], "mine");
}

#[test]
fn a_line_that_is_too_long_is_cut_and_says_so() {
    for text in ["a".repeat(300_000), "\u{1b}".repeat(200_000), "\u{1f600}\"".repeat(90_000)] {
        let line = line(|| tracing::info!(before = 1, text, after = 2, "hello"));
        assert_eq!(line["truncated"], true);
        assert_eq!((&line["before"], line.get("after")), (&value!(1), None));
        assert!(line["text"].as_str().unwrap().len() > 40_000, "it is cut, not left out");
    }
    let list: Vec<Field> = (0..100_000).map(Field::from).collect();
    let line = line(|| {
        let nested = vec![Field::from(list.clone()), list.into()];
        request().scope(|| {
            logger().with("short", 1).enter(|| tracing::info!(text = ?nested, "hello"));
        });
    });
    assert_eq!(line["truncated"], true);
    assert_eq!(line["request_id"], ID);
}

#[test]
fn each_shape_stays_json_where_it_is_cut() {
    let long = "\u{1b}".repeat(300_000);
    let list: Vec<Field> = (0..100_000).map(Field::from).collect();
    let nested = (0..1000).fold(Field::from(1), |inner, _| Field::from(vec![inner]));
    for shape in ["json", "ecs", "datadog", "gcp", "otel", "pino", "cloudwatch"] {
        let lines = json(
            |layer| layer.schema(Schema::named(shape).unwrap()).location(true),
            || {
                let _span = tracing::info_span!("span", before = 1, long, after = 2).entered();
                let child = logger().with("nested", nested.clone()).with("list", list.clone());
                request().scope(|| child.enter(|| {
                    tracing::event!(name: "buttress.access", target: "access", tracing::Level::INFO, {
                        message = long, request_id = ID, method = "GET", path = "/",
                        query = long, status = 200_u64, user_agent = long, bytes_out = 1_u64,
                    });
                    tracing::info!(a = long, b = 1, "hello");
                    tracing::info!(b = 1, "{long}");
                    tracing::info!("only the span is long");
                }));
            },
        );
        for (at, line) in lines.iter().enumerate() {
            assert_eq!(line["truncated"], true, "{shape}: {at}");
            assert!(line.to_string().contains(ID), "{shape}: {at}");
        }
        assert_eq!(lines.len(), 4);
    }
}

#[test]
fn sensitive_fields_are_censored_and_removed_ones_are_gone() {
    let rules = Rules::new().redact_key_with("gone", Censor::remove()).unwrap();
    let lines = json(
        |layer| layer.rules(rules).field("api_key", "sk-1").field("version", "1.4.0"),
        || {
            let user = Field::object([("name", "ada"), ("password", "hunter2")]);
            logger().with("user", user).with("gone", 1).enter(|| {
                tracing::info!(
                    token = "abc",
                    pin = 1234,
                    secret = true,
                    session = ?vec![1],
                    gone = 5,
                    card = 4_111_111_111_111_111_u64,
                    header = "Bearer abcdefghijklmnop",
                    "login at https://ada:hunter2@example.com"
                );
            });
        },
    );
    let line = &lines[0];
    for name in ["token", "pin", "secret", "session", "card", "api_key"] {
        assert_eq!(line[name], "[REDACTED]", "{name}");
    }
    assert_eq!(line["header"], "Bearer [REDACTED]");
    assert_eq!(line["message"], "login at https://ada:[REDACTED]@example.com");
    assert_eq!(line["user"], value!({"name": "ada", "password": "[REDACTED]"}));
    assert_eq!(line["version"], "1.4.0");
    assert!(!line.to_string().contains("gone"));
}

#[test]
fn paths_lead_into_nested_fields() {
    let rules = Rules::new().redact_path("orders[*].address.street").unwrap();
    let address = Field::object([("street", "Baker Street"), ("city", "London")]);
    let orders = vec![Field::object([("address", address)])];
    let lines = json(
        |layer| layer.rules(rules),
        || logger().with("orders", orders).enter(|| tracing::info!("hello")),
    );
    let address = value!({"street": "[REDACTED]", "city": "London"});
    assert_eq!(lines[0]["orders"], value!([{"address": address}]));
}

#[test]
fn operations_have_their_duration_with_three_decimals() {
    let text = written(buttress_log::JsonLayer::new, || {
        tracing::warn!(target: "operation", operation = "db", duration_ms = 1500.0, slow = true);
        tracing::warn!(target: "mine", duration_ms = 1500.0);
    });
    assert!(text.contains(r#""duration_ms":1500.000,"#), "{text}");
    assert!(text.contains(r#""duration_ms":1500.0}"#), "{text}");
}

#[test]
fn the_time_is_now() {
    let line = line(|| tracing::info!("hello"));
    let time = line["timestamp"].as_str().unwrap();
    let numbers: Vec<u64> =
        time.split(['-', 'T', ':', '.', 'Z']).filter_map(|part| part.parse().ok()).collect();
    let [year, month, day, hour, minute, second, _] = numbers[..] else { panic!("{time}") };
    // By the other way round: days from civil, as the C library's `timegm` has it.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let at = Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now.abs_diff(at) < Duration::from_secs(600), "{time}");
}

#[test]
fn two_layers_tell_spans_by_their_own_rules() {
    use tracing_subscriber::prelude::*;
    let outputs: [output::Output; 2] = Default::default();
    let [(writer, guard), (open, open_guard)] =
        outputs.each_ref().map(|output| buttress_log::Sink::to(output.clone()).open().unwrap());
    let subscriber = tracing_subscriber::registry()
        .with(buttress_log::JsonLayer::new(open).rules(Rules::none()))
        .with(buttress_log::JsonLayer::new(writer));
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("login", password = "hunter2").entered();
        tracing::info!("hello");
    });
    assert!(guard.flush(output::WAIT) && open_guard.flush(output::WAIT));
    let told: BTreeMap<bool, String> =
        outputs.iter().map(|output| (output.text().contains("hunter2"), output.text())).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}
