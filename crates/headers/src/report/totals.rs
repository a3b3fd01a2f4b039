//! What the collector counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use buttress_core::source::{Metrics, Sample};

/// What a report is about, as far as it is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A violation of a Content-Security-Policy.
    Csp(Disposition),
    /// Another report of the Reporting API: a deprecation, an intervention, a crash.
    Other,
}

/// Whether the policy was enforced, or only reported on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Enforce,
    Report,
    /// Not said: browsers before CSP3.
    Unknown,
}

impl Disposition {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a document was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    MediaType,
    TooLarge,
    Malformed,
    Body,
}

impl Refusal {
    const ALL: [Self; 5] =
        [Self::Method, Self::MediaType, Self::TooLarge, Self::Malformed, Self::Body];

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::MediaType => "media_type",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Body => "body",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    enforce: AtomicU64,
    report: AtomicU64,
    unknown: AtomicU64,
    other: AtomicU64,
    dropped: AtomicU64,
    method: AtomicU64,
    media_type: AtomicU64,
    too_large: AtomicU64,
    malformed: AtomicU64,
    body: AtomicU64,
}

impl Totals {
    pub(super) fn taken(&self, kind: Kind) {
        self.of(kind).fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.of_refusal(refusal).fetch_add(1, Relaxed);
    }

    pub(super) fn dropped(&self, reports: usize) {
        self.dropped.fetch_add(reports as u64, Relaxed);
    }

    const fn of(&self, kind: Kind) -> &AtomicU64 {
        match kind {
            Kind::Csp(Disposition::Enforce) => &self.enforce,
            Kind::Csp(Disposition::Report) => &self.report,
            Kind::Csp(Disposition::Unknown) => &self.unknown,
            Kind::Other => &self.other,
        }
    }

    const fn of_refusal(&self, refusal: Refusal) -> &AtomicU64 {
        match refusal {
            Refusal::Method => &self.method,
            Refusal::MediaType => &self.media_type,
            Refusal::TooLarge => &self.too_large,
            Refusal::Malformed => &self.malformed,
            Refusal::Body => &self.body,
        }
    }
}

/// What a [`ReportCollector`](super::ReportCollector) has counted since it was made.
///
/// As a source of [`Metrics`]: `csp_reports_total{disposition}`, `browser_reports_total` (what is
/// not about a Content-Security-Policy), `browser_reports_dropped_total` (past the 32 of a document,
/// or no report at all) and `browser_reports_refused_total{reason}` (documents).
///
/// ```
/// let totals = buttress_headers::report_collector().totals();
/// assert_eq!((totals.csp_reports(), totals.refused()), (0, 0));
/// ```
#[derive(Clone, Debug)]
pub struct ReportTotals {
    totals: Arc<Totals>,
}

impl ReportTotals {
    pub(super) const fn new(totals: Arc<Totals>) -> Self {
        Self { totals }
    }

    /// Reports of Content-Security-Policy violations.
    #[must_use]
    pub fn csp_reports(&self) -> u64 {
        let Totals { enforce, report, unknown, .. } = &*self.totals;
        enforce.load(Relaxed) + report.load(Relaxed) + unknown.load(Relaxed)
    }

    /// Reports of other things.
    #[must_use]
    pub fn other_reports(&self) -> u64 {
        self.totals.other.load(Relaxed)
    }

    /// Reports that were past the 32 of a document, or no reports at all.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.totals.dropped.load(Relaxed)
    }

    /// Documents that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        Refusal::ALL.iter().map(|refusal| self.totals.of_refusal(*refusal).load(Relaxed)).sum()
    }
}

impl Metrics for ReportTotals {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let mut counter = |name, help, labels: &[(&str, &str)], value: &AtomicU64| {
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
            let value = value.load(Relaxed) as f64;
            each(Sample::counter(name, help, value).labels(labels));
        };
        for disposition in [Disposition::Enforce, Disposition::Report, Disposition::Unknown] {
            counter(
                "csp_reports_total",
                "Reports of Content-Security-Policy violations.",
                &[("disposition", disposition.as_str())],
                self.totals.of(Kind::Csp(disposition)),
            );
        }
        counter(
            "browser_reports_total",
            "Browser reports of other things.",
            &[],
            &self.totals.other,
        );
        counter(
            "browser_reports_dropped_total",
            "Browser reports past the limit of a document, or malformed.",
            &[],
            &self.totals.dropped,
        );
        for refusal in Refusal::ALL {
            counter(
                "browser_reports_refused_total",
                "Documents that the report collector refused.",
                &[("reason", refusal.reason())],
                self.totals.of_refusal(refusal),
            );
        }
    }
}
