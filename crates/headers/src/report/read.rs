//! From the bytes of a document to the few facts that are kept of each report.

use serde_json::{Map, Value};

use super::{
    clean,
    totals::{Disposition, Kind},
};

/// A document with more than this many reports is read no further.
const MAX_REPORTS: usize = 32;

/// The two media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/csp-report` (CSP2 §4.4): one object in an object, with dashes in its names.
    CspReport,
    /// `application/reports+json` (Reporting API): an array, with camel case in its bodies.
    Reports,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) reports: Vec<Report>,
    /// How many of the array were not read, or were no reports.
    pub(super) dropped: usize,
}

/// One report, cleaned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) kind: Kind,
    /// Its type: `csp-violation`, `deprecation`.
    pub(super) name: String,
    /// The page.
    pub(super) document: String,
    pub(super) directive: String,
    pub(super) blocked: String,
    /// Where in the page's sources.
    pub(super) source: String,
    pub(super) line: Option<u64>,
    pub(super) column: Option<u64>,
}

/// `None` where it is no document of this format.
pub(super) fn read(format: Format, bytes: &[u8]) -> Option<Batch> {
    // Nesting is bounded by serde_json (128), size by the body's limit.
    match (format, serde_json::from_slice(bytes).ok()?) {
        (Format::CspReport, Value::Object(document)) => {
            let Value::Object(report) = document.get("csp-report")? else {
                return None;
            };
            Some(Batch { reports: vec![csp_report(report)], dropped: 0 })
        }
        (Format::Reports, Value::Array(array)) => {
            let reports: Vec<_> = array.iter().take(MAX_REPORTS).filter_map(reported).collect();
            Some(Batch { dropped: array.len() - reports.len(), reports })
        }
        _ => None,
    }
}

fn csp_report(report: &Map<String, Value>) -> Report {
    Report {
        kind: Kind::Csp(disposition(report)),
        name: "csp-violation".to_owned(),
        document: url(report, "document-uri"),
        directive: either(report, "effective-directive", "violated-directive"),
        blocked: url(report, "blocked-uri"),
        source: url(report, "source-file"),
        line: number(report, "line-number"),
        column: number(report, "column-number"),
    }
}

fn reported(value: &Value) -> Option<Report> {
    let Value::Object(report) = value else {
        return None;
    };
    let Value::String(name) = report.get("type")? else {
        return None;
    };
    let nothing = Map::new();
    let body = match report.get("body") {
        Some(Value::Object(body)) => body,
        _ => &nothing,
    };
    let is_csp = name == "csp-violation";
    let document = if is_csp { url(body, "documentURL") } else { String::new() };
    Some(Report {
        kind: if is_csp { Kind::Csp(disposition(body)) } else { Kind::Other },
        name: clean::word(name),
        document: if document.is_empty() { url(report, "url") } else { document },
        directive: either(body, "effectiveDirective", "id"),
        blocked: url(body, "blockedURL"),
        source: url(body, "sourceFile"),
        line: number(body, "lineNumber"),
        column: number(body, "columnNumber"),
    })
}

impl Report {
    pub(super) fn log(&self) {
        let disposition = match self.kind {
            Kind::Csp(disposition) => Some(disposition.as_str()),
            Kind::Other => None,
        };
        tracing::info!(
            target: "csp_report",
            r#type = &*self.name,
            disposition,
            document = &*self.document,
            directive = &*self.directive,
            blocked = &*self.blocked,
            source = &*self.source,
            line = self.line,
            column = self.column,
            "browser report",
        );
    }
}

fn disposition(report: &Map<String, Value>) -> Disposition {
    match text(report, "disposition") {
        "enforce" => Disposition::Enforce,
        "report" => Disposition::Report,
        _ => Disposition::Unknown,
    }
}

fn url(report: &Map<String, Value>, name: &str) -> String {
    clean::url(text(report, name))
}

fn either(report: &Map<String, Value>, first: &str, second: &str) -> String {
    let first = text(report, first);
    clean::word(if first.is_empty() { text(report, second) } else { first })
}

fn number(report: &Map<String, Value>, name: &str) -> Option<u64> {
    report.get(name)?.as_u64()
}

fn text<'a>(report: &'a Map<String, Value>, name: &str) -> &'a str {
    report.get(name).and_then(Value::as_str).unwrap_or_default()
}
