//! The samples of all sources, brought together by name.

use std::collections::{HashMap, HashSet};

use buttress_core::source::{Kind, Sample};

use super::text::Page;

/// Families in the order in which their first samples came.
pub(crate) struct Families {
    families: Vec<Family>,
    by_name: HashMap<String, usize>,
}

struct Family {
    name: String,
    help: String,
    kind: Kind,
    samples: Vec<(SampleLabels, f64)>,
    shown: HashSet<SampleLabels>,
}

type SampleLabels = Vec<(String, String)>;

impl Families {
    pub(crate) fn new() -> Self {
        Self { families: Vec::new(), by_name: HashMap::new() }
    }

    pub(crate) fn add(&mut self, sample: &Sample<'_>) {
        let mut name = allowed(sample.name, true);
        if sample.kind == Kind::Counter && !name.ends_with("_total") {
            name.push_str("_total");
        }
        let at = *self.by_name.entry(name).or_insert_with_key(|name| {
            self.families.push(Family {
                name: name.clone(),
                help: sample.help.to_owned(),
                kind: sample.kind,
                samples: Vec::new(),
                shown: HashSet::new(),
            });
            self.families.len() - 1
        });
        let Some(family) = self.families.get_mut(at) else { return };
        let labels = labels(sample.labels);
        // To Prometheus, an empty label is one that is not there.
        let mut sorted = labels.clone();
        sorted.retain(|(_, value)| !value.is_empty());
        sorted.sort_unstable();
        if family.shown.insert(sorted) {
            family.samples.push((labels, sample.value));
        }
    }

    pub(crate) fn write(&self, page: &mut Page) {
        for Family { name, help, kind, samples, .. } in &self.families {
            let kind = match kind {
                Kind::Counter => "counter",
                _ => "gauge",
            };
            // Of two families of one name the first is shown: ours, or the earlier source's.
            if page.has(name, kind) {
                continue;
            }
            page.family(name, kind, None, help);
            for (labels, value) in samples {
                page.number(name, labels, *value);
            }
        }
    }
}

fn labels(labels: &[(&str, &str)]) -> SampleLabels {
    let mut named: SampleLabels = Vec::with_capacity(labels.len());
    for (name, value) in labels {
        let mut name = allowed(name, false);
        // Names that begin with two are Prometheus' own, and `__name__` would be the metric's.
        while name.starts_with("__") {
            name.remove(0);
        }
        if !named.iter().any(|(known, _)| *known == name) {
            named.push((name, (*value).to_owned()));
        }
    }
    named
}

/// A name as the format allows it: `[a-zA-Z_][a-zA-Z0-9_]*`, and of a metric `:` too.
fn allowed(name: &str, colons: bool) -> String {
    let mut allowed: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || (colons && c == ':') { c } else { '_' })
        .collect();
    if !allowed.starts_with(|c: char| !c.is_ascii_digit()) {
        allowed.insert(0, '_');
    }
    allowed
}
