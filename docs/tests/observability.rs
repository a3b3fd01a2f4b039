//! The dashboard and the alert rules name metrics and labels that there are, and Prometheus' own
//! tool accepts them, where it is installed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test is meant to panic, and says what it leaves out"
)]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use axum::body::Body;
use buttress_breaker::{BreakerLayer, BulkheadLayer, Policy};
use buttress_core::{context, observe::ObserveLayer};
use buttress_health::{Entry, Memory, Registry};
use buttress_limit::{Key, LimitLayer, RedisStore, Rule, SlowDown, seconds};
use buttress_log::Sink;
use buttress_metrics::{
    Exposition, Format, HttpMetrics, MAX_SERIES, ProcessMetrics, RuntimeMetrics,
};
use buttress_retry::RetryLayer;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("observability")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana-dashboard.json")).unwrap()
}

/// Names of metrics and of labels.
#[derive(Debug, Default)]
struct Names {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

/// Those of a page of a service that failed once and has too many routes.
async fn exposed() -> Names {
    let metrics = HttpMetrics::server();
    let service =
        ObserveLayer::new(metrics.clone()).layer(service_fn(|request: Request<()>| async move {
            context::current().unwrap().set_route(request.uri().path().into());
            let mut response = Response::new(Body::from("hello"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            Ok::<_, Infallible>(response)
        }));
    for route in 0..=MAX_SERIES {
        let request = Request::get(format!("http://a/{route}")).body(()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let (writer, _guard) = Sink::to(std::io::sink()).open().unwrap();
    // It is there to be asked; nobody has to answer.
    let redis = RedisStore::new("redis://127.0.0.1").unwrap();
    let slow = SlowDown::new(1, seconds(1), seconds(1)).unwrap();
    let limit = LimitLayer::with_store(redis, Key::everyone(), [Rule::auth()]).unwrap();
    let (health, _runner) = Registry::new().check(Entry::optional(Memory::new())).unwrap().split();
    let page = Exposition::new()
        .http(&metrics)
        .source(health)
        .source(limit.slow_down(slow).handle())
        .source(RetryLayer::http().handle())
        .source(BreakerLayer::new("upstream", Policy::new()).unwrap().per_host().handle())
        .source(BulkheadLayer::new("upstream", 64).unwrap().handle())
        .source(writer)
        .source(ProcessMetrics::new())
        .source(RuntimeMetrics::current().unwrap());
    let mut names = Names::default();
    for line in page.render(Format::Prometheus).lines().filter(|line| !line.starts_with('#')) {
        let of_line = Names::of(line);
        names.metrics.extend(of_line.metrics);
        names.labels.extend(of_line.labels);
    }
    names
}

const OPERATORS: [&str; 6] = ["and", "or", "unless", "offset", "bool", "Inf"];
const LABEL_LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

impl Names {
    /// What an expression (or a line of a page) names.
    fn of(expression: &str) -> Self {
        let mut names = Self::default();
        let mut rest = expression;
        while let Some(first) = rest.chars().next() {
            if first == '"' {
                rest = quoted(rest).1;
            } else if first == '[' {
                rest = rest.split_once(']').unwrap().1;
            } else if first == '{' {
                rest = names.matchers(rest);
            } else if first.is_ascii_digit() {
                rest = word(rest).1;
            } else if first.is_ascii_alphabetic() || first == '_' {
                let (name, after) = word(rest);
                rest = after.trim_start();
                if LABEL_LISTS.contains(&name) {
                    let (list, after) = rest.split_once(')').unwrap();
                    let labels = list.trim_start_matches('(').split(',').map(str::trim);
                    let labels = labels.filter(|label| !label.is_empty());
                    names.labels.extend(labels.map(str::to_owned));
                    rest = after;
                } else if !OPERATORS.contains(&name) && !is_called(rest) {
                    names.metrics.insert(name.to_owned());
                }
            } else {
                rest = rest.strip_prefix(first).unwrap();
            }
        }
        names
    }

    /// The labels in braces; what comes after them.
    fn matchers<'a>(&mut self, from: &'a str) -> &'a str {
        let mut rest = from;
        loop {
            rest = rest.trim_start_matches(['{', ',', ' ', '\n', '=', '~', '!']);
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            } else if rest.starts_with('"') {
                rest = quoted(rest).1;
            } else {
                let (label, after) = word(rest);
                assert!(!label.is_empty(), "{from}");
                self.labels.insert(label.to_owned());
                rest = after;
            }
        }
    }
}

/// Whether a function's arguments come next, or an aggregation's labels.
fn is_called(rest: &str) -> bool {
    rest.starts_with('(') || ["by", "without"].contains(&word(rest).0)
}

fn word(text: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:.".contains(c);
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// A text in quotes without any in it, and what comes after.
fn quoted(text: &str) -> (&str, &str) {
    text.strip_prefix('"').unwrap().split_once('"').unwrap()
}

/// The expressions of the dashboard as they would be asked, by panel.
fn dashboard_expressions() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let asked = target["expr"].as_str().unwrap();
            let asked = asked.replace("$__rate_interval", "5m").replace("$__range", "1h");
            expressions.push((title.to_owned(), asked));
        }
    }
    expressions
}

/// The expressions of the rules, by the rule's name, and the names that they record.
fn rules() -> (Vec<(String, String)>, BTreeSet<String>) {
    let text = read("alerts.yaml");
    let mut expressions = Vec::new();
    let mut recorded = BTreeSet::new();
    let mut name = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_start().trim_start_matches("- ");
        if let Some(record) = line.strip_prefix("record: ") {
            name = record.to_owned();
            recorded.insert(name.clone());
        } else if let Some(alert) = line.strip_prefix("alert: ") {
            name = alert.to_owned();
        } else if let Some(expression) = line.strip_prefix("expr: ") {
            let mut expression = expression.trim_start_matches('|').to_owned();
            // A block is further in than its key.
            while let Some(more) = lines.next_if(|line| line.starts_with(&" ".repeat(10))) {
                expression.push('\n');
                expression.push_str(more);
            }
            expressions.push((name.clone(), expression));
        }
    }
    (expressions, recorded)
}

#[tokio::test]
async fn what_is_asked_for_is_there() {
    let exposed = exposed().await;
    let (rules, recorded) = rules();
    assert!(rules.len() > 10 && recorded.len() > 5);
    // What Prometheus adds of its own, and what an expression makes.
    let known_metrics = |name: &str| name == "up" || recorded.contains(name);
    let known_labels = ["job", "instance", "le", "class"];
    for (place, expression) in dashboard_expressions().into_iter().chain(rules) {
        let asked = Names::of(&expression);
        assert!(!asked.metrics.is_empty(), "{place}: {expression}");
        for name in &asked.metrics {
            let there = exposed.metrics.contains(name) || known_metrics(name);
            assert!(there, "{place}: no metric {name}");
        }
        for label in &asked.labels {
            let there = exposed.labels.contains(label) || known_labels.contains(&&**label);
            assert!(there, "{place}: no label {label}");
        }
    }
}

#[test]
fn names_are_told_from_what_surrounds_them() {
    let names = Names::of(
        "sum by (job, le) (rate(a_total{x=\"b{\",y!~\"c\"}[5m] offset 1h)) / on (z) d:e > 2.5e3 or time()",
    );
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        (list(&names.metrics), list(&names.labels)),
        ("a_total d:e".into(), "job le x y z".into())
    );
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard = dashboard();
    // As Grafana 11.0 writes it; 10 reads it too.
    assert_eq!(dashboard["schemaVersion"], 39);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<_> =
        variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance", "route"]);

    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} covers another");
            }
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

/// Runs it in the rules' folder. `None` where it is not installed.
fn promtool(arguments: &[&str]) -> Option<(bool, String)> {
    let output = match Command::new("promtool").args(arguments).current_dir(folder()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("left out, since promtool is not installed: promtool {arguments:?}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn promtool_accepts_the_rules() {
    let Some((accepted, said)) = promtool(&["check", "rules", "alerts.yaml"]) else { return };
    assert!(accepted, "{said}");
}

#[test]
fn the_alerts_go_off_when_they_should() {
    let Some((passed, said)) = promtool(&["test", "rules", "alerts.test.yaml"]) else { return };
    assert!(passed, "{said}");
}

#[test]
fn each_alert_has_a_test() {
    let tests = read("alerts.test.yaml");
    let (rules, recorded) = rules();
    for (name, _) in rules.iter().filter(|(name, _)| !recorded.contains(name)) {
        assert!(tests.contains(&format!("alertname: {name}")), "{name}");
    }
}

#[test]
fn the_recipe_says_of_each_alert_how_severe_it_is() {
    let recipe = read("../recipes/prometheus.md");
    let alerts = read("alerts.yaml");
    let mut count = 0;
    for alert in alerts.split("- alert: ").skip(1) {
        let (name, rest) = alert.split_once('\n').unwrap();
        let (_, severity) = rest.split_once("severity: ").unwrap();
        let (severity, _) = severity.split_once('}').unwrap();
        assert!(recipe.contains(&format!("| `{name}` | {severity} |")), "{name}: {severity}");
        count += 1;
    }
    assert_eq!(recipe.matches("\n| `").count(), count);
}

#[test]
fn promtool_accepts_the_scrape_of_the_recipe() {
    let recipe = read("../recipes/prometheus.md");
    let (_, config) = recipe.split_once("```yaml\n").unwrap();
    let (config, _) = config.split_once("\n```").unwrap();
    assert!(config.contains("scrape_configs"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus.yaml");
    fs::write(&file, config).unwrap();
    // The files that it names are on another machine.
    let check = ["check", "config", "--syntax-only", &file.to_string_lossy()];
    let Some((accepted, said)) = promtool(&check) else { return };
    assert!(accepted, "{said}");
}

#[test]
fn promtool_accepts_the_dashboard() {
    let expressions = dashboard_expressions();
    assert!(expressions.len() > 20);
    let rules: Vec<_> = expressions
        .iter()
        .zip(0..)
        .map(|((_, expression), at)| json!({"record": format!("dashboard:{at}"), "expr": expression}))
        .collect();
    // JSON is YAML.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard-rules.yaml");
    let groups = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&file, groups.to_string()).unwrap();
    let Some((accepted, said)) = promtool(&["check", "rules", &file.to_string_lossy()]) else {
        return;
    };
    assert!(accepted, "{said}");
}
