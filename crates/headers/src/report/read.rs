//! From the bytes of a document to the few facts that are kept of each report.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{
    clean,
    keep::{Kept, Members, REPORT},
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
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let batch = match format {
        Format::CspReport => {
            let document = REPORT.deserialize(&mut json).ok()?;
            let report = document.as_object()?.get("csp-report")?.as_object()?;
            Batch { reports: vec![csp_report(report)], dropped: 0 }
        }
        Format::Reports => json.deserialize_seq(Reports).ok()?,
    };
    json.end().ok()?;
    Some(batch)
}

/// Reads the array report by report.
struct Reports;

impl<'de> Visitor<'de> for Reports {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of reports")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Batch, A::Error> {
        let mut batch = Batch { reports: Vec::new(), dropped: 0 };
        for _ in 0..MAX_REPORTS {
            let Some(element) = array.next_element_seed(REPORT)? else {
                return Ok(batch);
            };
            match reported(&element) {
                Some(report) => batch.reports.push(report),
                None => batch.dropped += 1,
            }
        }
        while array.next_element::<IgnoredAny>()?.is_some() {
            batch.dropped += 1;
        }
        Ok(batch)
    }
}

fn csp_report(report: &Members) -> Report {
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

fn reported(element: &Kept) -> Option<Report> {
    let report = element.as_object()?;
    let Kept::Text(name) = report.get("type")? else {
        return None;
    };
    let nothing = Members::new();
    let body = report.get("body").and_then(Kept::as_object).unwrap_or(&nothing);
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

fn disposition(report: &Members) -> Disposition {
    match text(report, "disposition") {
        "enforce" => Disposition::Enforce,
        "report" => Disposition::Report,
        _ => Disposition::Unknown,
    }
}

fn url(report: &Members, name: &str) -> String {
    clean::url(text(report, name))
}

fn either(report: &Members, first: &str, second: &str) -> String {
    let first = text(report, first);
    clean::word(if first.is_empty() { text(report, second) } else { first })
}

fn number(report: &Members, name: &str) -> Option<u64> {
    match report.get(name)? {
        Kept::Number(number) => Some(*number),
        Kept::Object(_) | Kept::Text(_) | Kept::Nothing => None,
    }
}

fn text<'a>(report: &'a Members, name: &str) -> &'a str {
    match report.get(name) {
        Some(Kept::Text(text)) => text,
        _ => "",
    }
}
