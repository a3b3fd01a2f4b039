//! A reader of the text formats that shares nothing with the writer, and strict where a scraper
//! is: it panics at the first line that is not as the format says.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test is meant to panic; each test uses a part"
)]

use std::collections::{BTreeMap, HashMap, HashSet};

use buttress_metrics::{Exposition, Format, HttpMetrics};

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) family: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) exemplar: Option<(BTreeMap<String, String>, f64, f64)>,
}

#[derive(Clone, Debug, Default)]
struct Family {
    kind: Option<String>,
    help: Option<String>,
    unit: Option<String>,
}

/// What is read of a page.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) lines: Vec<Line>,
    pub(crate) help: HashMap<String, String>,
}

pub(crate) fn read(text: &str, format: Format) -> Read {
    let is_open = format == Format::OpenMetrics;
    assert!(text.is_empty() || text.ends_with('\n'), "the last line ends");
    let mut rows: Vec<_> = text.split_terminator('\n').collect();
    if is_open {
        assert_eq!(rows.pop(), Some("# EOF"));
    }
    let mut families: HashMap<String, Family> = HashMap::new();
    let mut present = String::new();
    let mut ended = HashSet::new();
    let mut seen = HashSet::new();
    let mut lines: Vec<Line> = Vec::new();
    for row in rows {
        if let Some(comment) = row.strip_prefix("# ") {
            let (what, rest) = comment.split_once(' ').unwrap();
            let (name, rest) = rest.split_once(' ').unwrap();
            assert!(is_name(name, true), "{row}");
            if name != present {
                assert!(ended.insert(name.to_owned()), "{name} is not in one place");
                present = name.to_owned();
            }
            let family = families.entry(name.to_owned()).or_default();
            let place = match what {
                "TYPE" => &mut family.kind,
                "HELP" => &mut family.help,
                "UNIT" if is_open => {
                    assert!(name.ends_with(&format!("_{rest}")), "{row}");
                    &mut family.unit
                }
                _ => panic!("{row}"),
            };
            assert!(place.replace(unescape(rest, is_open)).is_none(), "said twice: {row}");
            continue;
        }
        let line = sample(row, &present, &families, is_open);
        assert!(seen.insert((line.name.clone(), line.labels.clone())), "shown twice: {row}");
        lines.push(line);
    }
    histograms(&lines);
    let help = families.into_iter().map(|(name, family)| (name, family.help.unwrap())).collect();
    Read { lines, help }
}

fn sample(row: &str, present: &str, families: &HashMap<String, Family>, is_open: bool) -> Line {
    let end = row.find(['{', ' ']).unwrap();
    let (name, rest) = row.split_at(end);
    assert!(is_name(name, true), "{row}");
    let (labels, rest) = labels(rest, row);
    let rest = rest.strip_prefix(' ').unwrap();
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (rest, None),
        Some((value, exemplar)) => (value, Some(exemplar)),
    };
    let kind = families[present].kind.clone().unwrap();
    let suffix = name.strip_prefix(present).unwrap_or_else(|| panic!("{row} is not of {present}"));
    match (&*kind, suffix) {
        ("gauge", "") | ("histogram", "_bucket" | "_sum" | "_count") => {}
        ("counter", "_total") if is_open => {}
        ("counter", "") if !is_open => assert!(name.ends_with("_total")),
        _ => panic!("{row} in a {kind}"),
    }
    assert_eq!(labels.contains_key("le"), suffix == "_bucket", "{row}");
    let exemplar = exemplar.map(|exemplar| {
        assert!(is_open && (suffix == "_bucket" || suffix == "_total"), "{row}");
        let (labels, rest) = self::labels(exemplar, row);
        let chars: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(chars <= 128, "{row}");
        let (value, at) = rest.strip_prefix(' ').unwrap().split_once(' ').unwrap();
        (labels, number(value), number(at))
    });
    Line {
        family: present.to_owned(),
        kind,
        name: name.to_owned(),
        labels,
        value: number(value),
        exemplar,
    }
}

/// The labels at the start of `text`, and what follows them.
fn labels<'a>(text: &'a str, row: &str) -> (BTreeMap<String, String>, &'a str) {
    let mut labels = BTreeMap::new();
    let Some(mut rest) = text.strip_prefix('{') else { return (labels, text) };
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return (labels, rest);
        }
        let (name, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("{row}"));
        assert!(is_name(name, false), "{row}");
        let mut end = 0;
        while quoted.as_bytes()[end] != b'"' {
            end += if quoted.as_bytes()[end] == b'\\' { 2 } else { 1 };
        }
        let value = unescape(&quoted[..end], true);
        assert!(labels.insert(name.to_owned(), value).is_none(), "{row}");
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn is_name(name: &str, colons: bool) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    name.chars().all(allowed) && name.starts_with(|c: char| !c.is_ascii_digit())
}

fn unescape(text: &str, quotes: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quotes => '"',
                other => panic!("an escape of {other:?}: {text}"),
            }),
            c => out.push(c),
        }
    }
    out
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        text => {
            let is_number = |byte: u8| byte.is_ascii_digit() || b".+-eE".contains(&byte);
            assert!(text.bytes().all(is_number), "{text}");
            text.parse().unwrap()
        }
    }
}

/// Buckets rise, in their bounds and in their counts, to the count of all.
fn histograms(lines: &[Line]) {
    type Series = (String, BTreeMap<String, String>);
    let mut buckets: HashMap<Series, Vec<(f64, f64)>> = HashMap::new();
    let mut counts: HashMap<Series, f64> = HashMap::new();
    for line in lines.iter().filter(|line| line.kind == "histogram") {
        let mut labels = line.labels.clone();
        let le = labels.remove("le");
        let series = (line.family.clone(), labels);
        if let Some(le) = le {
            let le = number(&le);
            if let Some((_, value, _)) = line.exemplar {
                assert!(value <= le, "{line:?}");
            }
            buckets.entry(series).or_default().push((le, line.value));
        } else if line.name.ends_with("_count") {
            counts.insert(series, line.value);
        }
    }
    assert_eq!(buckets.len(), counts.len());
    for (series, buckets) in buckets {
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{series:?}: {buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, counts[&series])));
    }
}

/// The page of these metrics alone; it is the same in both formats.
pub(crate) fn page(metrics: &HttpMetrics) -> Vec<Line> {
    let page = Exposition::new().http(metrics);
    let read = |format| read(&page.render(format), format).lines;
    let (plain, open) = (read(Format::Prometheus), read(Format::OpenMetrics));
    assert_eq!(plain.len(), open.len());
    for (plain, open) in plain.iter().zip(&open) {
        assert_eq!((&plain.name, plain.value), (&open.name, open.value));
    }
    plain
}

/// Each series in short, and its count.
pub(crate) fn counts(metrics: &HttpMetrics) -> Vec<(String, u64)> {
    let lines = page(metrics);
    let lines = lines.iter().filter(|line| line.name.ends_with("_request_duration_seconds_count"));
    let order = [
        ("http_request_method", ""),
        ("url_scheme", ""),
        ("server_address", ""),
        ("server_port", ""),
        ("http_route", "route="),
        ("network_protocol_version", ""),
        ("http_response_status_code", ""),
        ("error_type", "error="),
        ("otel_metric_overflow", "overflow="),
    ];
    lines
        .map(|line| {
            let mut labels = line.labels.clone();
            let words: Vec<_> = order
                .iter()
                .filter_map(|(name, prefix)| Some(format!("{prefix}{}", labels.remove(*name)?)))
                .collect();
            assert!(labels.is_empty(), "{labels:?}");
            (words.join(" "), line.value.to_string().parse().unwrap())
        })
        .collect()
}

/// The only series, of one sample.
pub(crate) fn one(metrics: &HttpMetrics) -> String {
    let counts = counts(metrics);
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!(counts[0].1, 1, "{counts:?}");
    counts[0].0.clone()
}
