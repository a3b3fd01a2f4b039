//! The gate: no case of ours takes more instructions than it took when its count was written down.

use std::collections::BTreeMap;

use crate::{Case, Failure, table::thousands};

/// What each case took; see the file itself.
const WRITTEN_DOWN: &str = include_str!("../instructions.toml");

/// Room for another compiler's and another allocator's ways.
const PERCENT: u64 = 10;
/// A tenth of nearly nothing is no room at all.
const AT_LEAST: u64 = 20;

/// One case at the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes no more than before, with the room there is.
    Passed,
    /// It takes this much more than the room there is.
    Exceeded {
        /// What it takes.
        now: u64,
        /// What it may take, the room included.
        limit: u64,
    },
    /// Nothing is written down for it.
    Unknown,
}

/// Compares the counts of our sides, with the bare ones taken off, to what is written down.
///
/// # Errors
///
/// When the file that holds them cannot be read.
pub fn judge(
    cases: &[Case],
    counts: &BTreeMap<String, u64>,
) -> Result<Vec<(String, Verdict)>, Failure> {
    let written_down = read(WRITTEN_DOWN)?;
    Ok(cases
        .iter()
        .filter_map(|case| {
            let now = case.added(counts).first().copied().flatten()?;
            Some((case.name.clone(), verdict(now, written_down.get(&case.name).copied())))
        })
        .collect())
}

fn verdict(now: u64, before: Option<u64>) -> Verdict {
    let Some(before) = before else {
        return Verdict::Unknown;
    };
    let limit = before + (before * PERCENT / 100).max(AT_LEAST);
    if now > limit { Verdict::Exceeded { now, limit } } else { Verdict::Passed }
}

/// The lines that `instructions.toml` holds for these counts.
#[must_use]
pub fn lines(cases: &[Case], counts: &BTreeMap<String, u64>) -> String {
    cases
        .iter()
        .filter_map(|case| {
            let now = case.added(counts).first().copied().flatten()?;
            Some(format!("\"{}\" = {}\n", case.name, thousands(now).replace(',', "_")))
        })
        .collect()
}

/// The one form of TOML that the file needs: `"name" = 1_234`, and comments.
fn read(text: &str) -> Result<BTreeMap<String, u64>, Failure> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let entry = line.rsplit_once(" = ").and_then(|(name, count)| {
                let name = name.strip_prefix('"')?.strip_suffix('"')?;
                Some((name.to_owned(), count.replace('_', "").parse().ok()?))
            });
            entry.ok_or_else(|| {
                format!("instructions.toml: `{line}` is not `\"name\" = count`").into()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Verdict, WRITTEN_DOWN, read, verdict};
    use crate::cases;

    #[test]
    fn a_tenth_more_passes_and_a_little_more_does_not() {
        assert_eq!(verdict(1_100, Some(1_000)), Verdict::Passed);
        assert_eq!(verdict(1_101, Some(1_000)), Verdict::Exceeded { now: 1_101, limit: 1_100 });
        assert_eq!(verdict(25, Some(5)), Verdict::Passed);
        assert_eq!(verdict(26, Some(5)), Verdict::Exceeded { now: 26, limit: 25 });
        assert_eq!(verdict(1, None), Verdict::Unknown);
    }

    #[test]
    fn every_case_has_its_count_written_down_and_no_count_is_left_over() {
        let written_down = read(WRITTEN_DOWN).unwrap();
        let known: Vec<String> = cases::<&str>(&[]).into_iter().map(|case| case.name).collect();
        for name in &known {
            assert!(written_down.contains_key(name), "{name} is not in instructions.toml");
        }
        assert_eq!(written_down.len(), known.len());
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let error = read("# a comment\n\n\"a\" = 1_000\nb = 2\n").unwrap_err();
        assert_eq!(error.to_string(), "instructions.toml: `b = 2` is not `\"name\" = count`");
    }
}
