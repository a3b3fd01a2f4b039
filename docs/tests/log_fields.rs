//! The queries of the recipes name fields that the access line has.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{collections::BTreeSet, convert::Infallible, fs, path::Path, time::Duration};

use axum::body::Body;
use buttress_core::{context, observe::ObserveLayer};
use buttress_log::{AccessLog, JsonLayer, Operation, Sink, operation};
use buttress_request_id::RequestIdLayer;
use buttress_trace::Trace;
use http::{Request, Response};
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt};
use tracing_subscriber::prelude::*;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The blocks of code in this language on a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = read(&format!("recipes/{page}"));
    let blocks: Vec<_> = text
        .split("\n```")
        .filter_map(|block| Some(block.strip_prefix(language)?.strip_prefix('\n')?.to_owned()))
        .collect();
    assert!(!blocks.is_empty(), "{page} has no {language}");
    blocks
}

/// The fields of the default shape: those at the top of every line, and the access line's own.
fn documented() -> BTreeSet<String> {
    let mut fields: BTreeSet<_> = [
        "timestamp",
        "level",
        "target",
        "message",
        "service",
        "trace_id",
        "span_id",
        "trace_flags",
    ]
    .map(str::to_owned)
    .into();
    let source = read("../crates/log/src/access/event.rs");
    let (_, list) = source.split_once("\nfields! {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    fields.extend(list.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())));
    assert!(fields.len() > 30, "{fields:?}");
    fields
}

/// The words of a query that are none of its language: texts and regular expressions, functions,
/// numbers and what it names itself are left out.
fn named(query: &str, keywords: &[&str]) -> BTreeSet<String> {
    let mut bare = String::new();
    for (at, part) in query.split('"').enumerate() {
        // Every other part is in quotes; the first word of a template is a field.
        let shown = if at % 2 == 0 { part } else { " " };
        bare.push_str(shown);
    }
    let mut named = BTreeSet::new();
    let mut own = BTreeSet::new();
    let mut rest = &*bare;
    let mut before = "";
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric() || "_@".contains(c)) {
        let (_, from) = rest.split_at(start);
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_@.".contains(c);
        let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        if before == "as" {
            own.insert(word.to_owned());
        } else if !word.starts_with(|c: char| c.is_ascii_digit() || c == '@')
            && !after.trim_start().starts_with('(')
            && !keywords.contains(&word)
        {
            named.insert(word.to_owned());
        }
        (before, rest) = (word, after);
    }
    named.difference(&own).cloned().collect()
}

const INSIGHTS: [&str; 13] = [
    "fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "in", "asc", "desc",
    "not",
];

const LOGQL: [&str; 6] = ["json", "unwrap", "by", "line_format", "sum", "__error__"];

/// What an operation's line and an application's may have besides.
const OF_OTHER_LINES: [&str; 1] = ["error"];

#[test]
fn cloudwatch_asks_for_fields_that_are_documented() {
    let documented = documented();
    let queries = blocks("cloudwatch.md", "insights");
    assert!(queries.len() >= 5);
    for query in queries {
        let fields = named(&query, &INSIGHTS);
        assert!(!fields.is_empty(), "{query}");
        for field in fields {
            let known = documented.contains(&field) || OF_OTHER_LINES.contains(&&*field);
            assert!(known, "no field {field}: {query}");
        }
    }
}

#[test]
fn cloudwatch_asks_for_names_that_its_shape_has() {
    let shape = read("../crates/log/src/schema/cloudwatch.rs");
    let documented = documented();
    for query in blocks("cloudwatch.md", "insights-cloudwatch") {
        for field in named(&query, &INSIGHTS) {
            let name = field.rsplit('.').next().unwrap();
            let known = shape.contains(&format!("\"{name}\""))
                || documented.contains(&field)
                || OF_OTHER_LINES.contains(&&*field);
            assert!(known, "no field {field}: {query}");
        }
    }
}

#[test]
fn metric_filters_ask_for_fields_that_are_documented() {
    let documented = documented();
    let commands = blocks("cloudwatch.md", "sh").join("\n");
    let fields: Vec<_> = commands
        .split("$.")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap())
        .collect();
    assert!(fields.len() > 4);
    for field in fields {
        assert!(documented.contains(field), "{field}");
    }
}

#[test]
fn loki_asks_for_fields_that_are_documented() {
    let documented = documented();
    let queries = blocks("loki-elk.md", "logql");
    assert!(queries.len() >= 5);
    for query in queries {
        let fields = named(&query, &LOGQL);
        assert!(fields.contains("service"), "{query}");
        let shown = query.split("{{.").skip(1).filter_map(|rest| rest.split_once("}}"));
        for field in fields.iter().map(String::as_str).chain(shown.map(|(field, _)| field)) {
            assert!(documented.contains(field), "no field {field}: {query}");
        }
    }
}

#[test]
fn elasticsearch_maps_fields_that_are_documented() {
    let documented = documented();
    let mut mapped = 0;
    for block in blocks("loki-elk.md", "json") {
        let block: Value = serde_json::from_str(&block).unwrap();
        let fields = block.pointer("/template/mappings/properties").and_then(Value::as_object);
        for field in fields.into_iter().flat_map(|fields| fields.keys()) {
            assert!(documented.contains(field), "{field}");
            mapped += 1;
        }
    }
    assert!(mapped > 10);
}

#[test]
fn datadog_is_told_of_fields_that_are_documented() {
    let documented = documented();
    let shape = read("../crates/log/src/schema/datadog.rs");
    let page = read("recipes/loki-elk.md");
    let (_, table) = page.split_once("| field of the access line | attribute |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().filter(|row| row.starts_with("| `"));
    for row in rows {
        let mut cells = row.split(" | ");
        let mut names = || {
            let quoted = cells.next().unwrap().split('`').skip(1).step_by(2);
            quoted.map(str::to_owned).collect::<Vec<_>>()
        };
        for field in names() {
            assert!(documented.contains(&field), "{field}");
        }
        for attribute in names() {
            let last = attribute.rsplit('.').next().unwrap();
            assert!(
                documented.contains(last) || shape.contains(&format!("\"{last}\"")),
                "{attribute}"
            );
        }
    }
}

#[test]
fn fields_are_told_from_the_words_of_a_query() {
    let query =
        r#"filter a = "x y" and ispresent(b) | stats max(c_ms) as top by bin(5m), d | sort top"#;
    let fields: Vec<_> = named(query, &INSIGHTS).into_iter().collect();
    assert_eq!(fields, ["a", "b", "c_ms", "d"]);
}

#[tokio::test]
async fn a_line_has_the_fields_that_are_documented() {
    let file =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("access-{}.log", std::process::id()));
    let (writer, guard) = Sink::file(&file).open().unwrap();
    let lines = tracing_subscriber::registry().with(JsonLayer::new(writer).service("api"));
    let scope = tracing::subscriber::set_default(lines);
    let service = ServiceBuilder::new()
        .layer(RequestIdLayer::new())
        .layer(ObserveLayer::new((Trace::propagate(), AccessLog::new().slow(Duration::ZERO))))
        .service_fn(|_: Request<()>| async {
            let current = context::current().unwrap();
            current.set_route("/users/{id}".into());
            current.set_error_type("panic");
            for kind in [Operation::Db, Operation::Ai, Operation::Http, Operation::Service] {
                operation(kind, "it").finish();
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
    let request = Request::get("/users/42?page=2").header("user-agent", "curl/8.9");
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    drop(response);
    drop(scope);
    let flushed = tokio::task::spawn_blocking(move || guard.flush(Duration::from_secs(30)));
    assert!(flushed.await.unwrap());

    let line: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    fs::remove_file(file).unwrap();
    let documented = documented();
    let fields = line.as_object().unwrap();
    assert!(fields.len() > 25, "{line}");
    for field in fields.keys() {
        assert!(documented.contains(field), "{field}: {line}");
    }
}
