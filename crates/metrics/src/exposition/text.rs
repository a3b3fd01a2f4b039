//! The text formats: Prometheus 0.0.4 and `OpenMetrics` 1.0.

use std::fmt::Write;

use super::{Format, seconds};
use crate::exemplar::Exemplar;

/// A page that is being written.
pub(crate) struct Page {
    format: Format,
    out: String,
    /// The families that have a head, so that none gets a second one, and whether it is a
    /// histogram.
    families: Vec<(String, bool)>,
}

impl Page {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format, out: String::new(), families: Vec::new() }
    }

    /// Whether there is a family that is called so in either format, or a histogram one of whose
    /// samples is.
    pub(crate) fn has(&self, name: &str, kind: &str) -> bool {
        let suffixes = ["_bucket", "_count", "_sum", "_created"];
        let of_histogram = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        self.families.iter().any(|(known, is_histogram)| {
            known == stem(name, kind) || (*is_histogram && of_histogram == Some(known))
        })
    }

    /// The head of a family. A counter's `name` ends in `_total`, which belongs to its samples'
    /// name in `OpenMetrics`, and to both in the older format.
    pub(crate) fn family(&mut self, name: &str, kind: &str, unit: Option<&str>, help: &str) {
        self.families.push((stem(name, kind).to_owned(), kind == "histogram"));
        let is_open = self.format == Format::OpenMetrics;
        let name = if is_open { stem(name, kind) } else { name };
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "# TYPE {name} {kind}");
        if let (Some(unit), true) = (unit, is_open) {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
        let _ = write!(self.out, "# HELP {name} ");
        for c in help.chars() {
            match c {
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '"' if is_open => self.out.push_str("\\\""),
                c => self.out.push(c),
            }
        }
        self.out.push('\n');
    }

    pub(crate) fn integer<N: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(N, String)],
        value: u64,
    ) {
        self.name(name, "", labels, None);
        let _ = writeln!(self.out, " {value}");
    }

    pub(crate) fn number<N: AsRef<str>>(&mut self, name: &str, labels: &[(N, String)], value: f64) {
        self.name(name, "", labels, None);
        self.out.push(' ');
        self.value(value);
        self.out.push('\n');
    }

    /// `buckets` are each bucket's own counts: one more than there are bounds. Where nothing was
    /// counted there is nothing to show.
    pub(crate) fn histogram<N: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(N, String)],
        bounds: &[f64],
        buckets: &[u64],
        sum: f64,
        exemplar: impl Fn(usize) -> Option<Exemplar>,
    ) {
        let count: u64 = buckets.iter().sum();
        if count == 0 {
            return;
        }
        let mut reached = 0;
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        for (at, (bound, here)) in bounds.zip(buckets).enumerate() {
            reached += here;
            self.name(name, "_bucket", labels, Some(bound));
            let _ = write!(self.out, " {reached}");
            if self.format == Format::OpenMetrics
                && *here > 0
                && let Some(exemplar) = exemplar(at)
            {
                self.exemplar(&exemplar);
            }
            self.out.push('\n');
        }
        self.name(name, "_sum", labels, None);
        self.out.push(' ');
        self.value(sum);
        self.out.push('\n');
        self.name(name, "_count", labels, None);
        let _ = writeln!(self.out, " {count}");
    }

    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn name<N: AsRef<str>>(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[(N, String)],
        le: Option<f64>,
    ) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        if labels.is_empty() && le.is_none() {
            return;
        }
        self.out.push('{');
        for (at, (name, value)) in labels.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.label(name.as_ref(), value);
        }
        if let Some(le) = le {
            if !labels.is_empty() {
                self.out.push(',');
            }
            self.out.push_str("le=\"");
            self.value(le);
            // In OpenMetrics a bound is a float, and looks like one.
            if self.format == Format::OpenMetrics && le.is_finite() && le.fract() == 0.0 {
                self.out.push_str(".0");
            }
            self.out.push('"');
        }
        self.out.push('}');
    }

    fn label(&mut self, name: &str, value: &str) {
        self.out.push_str(name);
        self.out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '"' => self.out.push_str("\\\""),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.out.push_str(" # {");
        for (at, (name, value)) in exemplar.ids.labels().iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.label(name, value);
        }
        let _ = write!(self.out, "}} {}", seconds(exemplar.nanos));
        let _ = write!(self.out, " {:.3}", exemplar.at.as_secs_f64());
    }

    fn value(&mut self, value: f64) {
        let _ = match value {
            f64::INFINITY => self.out.write_str("+Inf"),
            f64::NEG_INFINITY => self.out.write_str("-Inf"),
            value if value.is_nan() => self.out.write_str("NaN"),
            value => write!(self.out, "{value}"),
        };
    }
}

/// A family's name in `OpenMetrics`.
fn stem<'a>(name: &'a str, kind: &str) -> &'a str {
    match kind {
        "counter" => name.strip_suffix("_total").unwrap_or(name),
        _ => name,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a float has 15 digits, and that is what is shown")]
pub(crate) fn float(number: impl Into<u128>) -> f64 {
    number.into() as f64
}
