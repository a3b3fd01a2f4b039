//! Whatever is in the fields: one line, valid JSON, unique keys, and the values read back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod output;

use buttress_core::value::Value as Field;
use buttress_log::{JsonLayer, Logger, PrettyLayer, Schema, logger};
use buttress_redact::Rules;
use output::{parsed, request, written};
use proptest::prelude::*;
use serde_json::Value;

/// Texts in which everything that a line, a terminal or a parser might take for its own is common.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\"",
        "\\",
        "\\\"",
        "\u{1b}[31m",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{9b}",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\u{fffd}",
        "{",
        "}",
        "]",
        ",",
        ":",
        "\",\"level\":\"ERROR\"",
        "\u{1f600}",
        "e\u{301}",
    ]);
    let piece = prop_oneof![
        odd.prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[ -~]{0,20}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Names that are taken already, and any text.
fn name() -> impl Strategy<Value = String> {
    let taken = prop::sample::select(vec![
        "level",
        "x_level",
        "message",
        "timestamp",
        "text",
        "request_id",
        "truncated",
        "spans",
        "",
    ]);
    prop_oneof![taken.prop_map(str::to_owned), text()]
}

fn field() -> impl Strategy<Value = Field> {
    let leaf = prop_oneof![
        Just(Field::Null),
        any::<bool>().prop_map(Field::from),
        any::<i64>().prop_map(Field::from),
        any::<u64>().prop_map(Field::from),
        // Exact in few digits: what reads them here rounds.
        any::<i32>().prop_map(|eighths| Field::from(f64::from(eighths) / 8.0)),
        text().prop_map(Field::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Field::from),
            prop::collection::vec((name(), inner), 0..4).prop_map(Field::object),
        ]
    })
}

/// What a reader gets from it.
fn read(field: &Field) -> Value {
    match field {
        Field::Bool(value) => (*value).into(),
        Field::Integer(number) => (*number).into(),
        Field::Unsigned(number) => (*number).into(),
        Field::Float(number) => (*number).into(),
        Field::Text(text) => (**text).into(),
        Field::List(values) => values.iter().map(read).collect(),
        Field::Object(members) => {
            members.iter().map(|(key, value)| (key.to_string(), read(value))).collect()
        }
        _ => Value::Null,
    }
}

fn child(fields: &[(String, Field)]) -> Logger {
    fields.iter().fold(logger(), |logger, (name, value)| logger.with(name.clone(), value.clone()))
}

/// The name under which a field is found that the line or the event has no name for.
fn free(name: &str) -> String {
    let taken = [
        "timestamp",
        "level",
        "target",
        "message",
        "request_id",
        "trace_id",
        "span_id",
        "trace_flags",
        "file",
        "line",
        "spans",
        "truncated",
        "text",
        "debug",
        "float",
        "x_level",
    ];
    let mut free = name.to_owned();
    while taken.contains(&free.as_str()) {
        free.insert_str(0, "x_");
    }
    free
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_read_back(
        text in text(),
        unsigned in any::<u64>(),
        signed in any::<i64>(),
        float in any::<f64>(),
        fields in prop::collection::vec((name(), field()), 0..6),
    ) {
        let lines = written(|writer| JsonLayer::new(writer).rules(Rules::none()), || {
            child(&fields).enter(|| {
                tracing::info!(text, debug = ?text, unsigned, signed, float, x_level = 1, "{text}");
            });
        });
        let [line] = &lines.lines().map(parsed).collect::<Vec<_>>()[..] else { panic!("{lines}") };
        prop_assert_eq!(&line["message"], &text);
        prop_assert_eq!(&line["text"], &text);
        prop_assert_eq!(&line["debug"], &format!("{text:?}"));
        prop_assert_eq!(&line["unsigned"], unsigned);
        prop_assert_eq!(&line["signed"], signed);
        prop_assert_eq!(line["float"].is_null(), !float.is_finite());
        for (index, (name, value)) in fields.iter().enumerate() {
            let is_last = fields.iter().skip(index + 1).all(|(later, _)| later != name);
            // Names of the event's own are taken too.
            if is_last && !["unsigned", "signed"].contains(&name.as_str()) {
                // Two that give way to the same name are one field, whichever comes last.
                let others = fields.iter().any(|(other, _)| other != name && free(other) == free(name));
                prop_assert!(others || line[&free(name)] == read(value), "{name:?} in {lines}");
            }
        }
    }

    #[test]
    fn any_shape_stays_one_line_of_json_with_unique_keys(
        shape in 0_usize..7,
        texts in [text(), text(), text(), text()],
        fields in prop::collection::vec((name(), field()), 0..6),
    ) {
        let names = ["json", "ecs", "datadog", "gcp", "otel", "pino", "cloudwatch"];
        let [method, path, span, service] = &texts;
        let layer = |writer| {
            let schema = Schema::named(names[shape]).unwrap().project(service);
            JsonLayer::new(writer).schema(schema).service(service).field(span, 1).location(true)
        };
        let lines = written(layer, || {
            request().scope(|| child(&fields).enter(|| {
                let entered = tracing::info_span!("span", name = span, other = ?span).entered();
                entered.record("name", path);
                tracing::event!(name: "buttress.access", target: "access", tracing::Level::INFO, {
                    message = path.as_str(), method, path, status = 200_u64, level = span,
                    request_id = path, protocol = span.as_str(), duration_ms = f64::NAN,
                });
                tracing::error!(error = %path, fatal = true, "{}", method);
            }));
        });
        prop_assert_eq!(lines.lines().map(parsed).count(), 2);
    }

    #[test]
    fn a_terminal_sees_nothing_but_text(
        texts in [text(), text()],
        fields in prop::collection::vec((name(), field()), 0..6),
    ) {
        let [first, second] = &texts;
        let lines = written(PrettyLayer::new, || {
            child(&fields).enter(|| {
                let _span = tracing::info_span!("span", name = first).entered();
                tracing::info!(first, debug = ?second, display = %second, "{first}");
            });
        });
        prop_assert!(!lines.contains(|c: char| c.is_control() && c != '\n'), "{:?}", lines);
        let below = usize::from(!fields.is_empty()) + 1;
        prop_assert!(lines.lines().count() <= 1 + below, "{:?}", lines);
    }
}
