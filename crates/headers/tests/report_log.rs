//! What of a report reaches the log.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{cell::RefCell, fmt, sync::Once};

use buttress_headers::{ReportTotals, report_collector};
use futures_util::FutureExt;
use http::{Request, StatusCode, header::CONTENT_TYPE};
use tower::ServiceExt;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Sends a document, and says what was logged meanwhile.
fn logged(content_type: &str, document: String) -> (Vec<String>, ReportTotals) {
    static LOG: Once = Once::new();
    LOG.call_once(|| tracing_subscriber::registry().with(Log).init());

    let collector = report_collector();
    let request = Request::post("/").header(CONTENT_TYPE, content_type).body(document).unwrap();
    let answer = collector.clone().oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    (LINES.take(), collector.totals())
}

#[test]
fn of_a_thousand_reports_thirty_two_are_logged() {
    let document = format!("[{}]", vec![r#"{"type":"csp-violation"}"#; 1000].join(","));
    let (lines, totals) = logged("application/reports+json", document);
    assert_eq!(lines.len(), 32);
    assert_eq!((totals.csp_reports(), totals.dropped()), (32, 968));
}

#[test]
fn what_is_logged_is_stripped_and_escaped() {
    let document = r#"{"csp-report":{
        "document-uri":"https://user:password@a.example/page?token=secret#secret",
        "effective-directive":"script-src\u001b[31m",
        "blocked-uri":"https://evil.example/\r\n2026-01-01 ERROR forged",
        "source-file":"https://a.example/\u202eapp.js",
        "script-sample":"secret","original-policy":"secret","line-number":-1}}"#;
    let (lines, _) = logged("application/csp-report", document.to_owned());
    let [line] = &*lines else { panic!("{lines:?}") };
    assert_eq!(
        line,
        "csp_report message=browser report type=csp-violation disposition=unknown \
         document=https://a.example/page directive=script-src\\u{1b}[31m \
         blocked=https://evil.example/\\u{d}\\u{a}2026-01-01\\u{20}ERROR\\u{20}forged \
         source=https://a.example/\\u{202e}app.js"
    );
}

#[test]
fn another_report_of_a_browser_is_logged_with_its_type() {
    let document = r#"[{"type":"deprecation","url":"https://a.example/","body":
        {"id":"WebSQL","sourceFile":"https://a.example/a.js","lineNumber":3,"columnNumber":4}}]"#;
    let (lines, totals) = logged("application/reports+json", document.to_owned());
    assert_eq!(
        lines,
        ["csp_report message=browser report type=deprecation document=https://a.example/ \
          directive=WebSQL blocked= source=https://a.example/a.js line=3 column=4"]
    );
    assert_eq!((totals.csp_reports(), totals.other_reports()), (0, 1));
}

/// Keeps each event of this thread as one line, exactly as its fields were given.
struct Log;

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}
