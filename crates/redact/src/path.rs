//! Paths in pino's syntax: `a.b.c`, `a["x-y"].d`, `a[*].b`, `*.c`; and `**.k` for any depth.

use crate::{ConfigError, ConfigErrorKind};

/// All segments of all paths together, and so the bits of [`Place`].
pub(crate) const MAX_SEGMENTS: usize = 512;

const WORDS: usize = MAX_SEGMENTS / 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// One key, as it is written.
    Key(Box<str>),
    /// Any one key or element.
    Any,
    /// Any number of them, none included.
    Deep,
}

/// The paths in one list, and how to follow all of them at once.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    steps: Vec<Step>,
    start: Place,
}

#[derive(Debug)]
struct Step {
    segment: Segment,
    // The last segment of a path: a match is a hit.
    censor: Option<u16>,
}

/// How far along its paths a value is: the segments that its children may match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place([u64; WORDS]);

/// Parses one path.
pub(crate) fn parse(path: &str) -> Result<Vec<Segment>, ConfigError> {
    let mut parser = Parser { path, rest: path, segments: Vec::new() };
    if path.is_empty() {
        return Err(parser.error("it is empty"));
    }
    parser.segment()?;
    while !parser.rest.is_empty() {
        if parser.rest.starts_with('[') {
            parser.bracket()?;
        } else if parser.take('.') {
            parser.segment()?;
        } else {
            return Err(parser.error("a '.' or a '[' is missing here"));
        }
    }
    if parser.segments.last() == Some(&Segment::Deep) {
        return Err(parser.error("'**' needs a key after it, as in **.k"));
    }
    Ok(parser.segments)
}

struct Parser<'a> {
    path: &'a str,
    rest: &'a str,
    segments: Vec<Segment>,
}

// === impl Paths ===

impl Paths {
    /// With no more than [`MAX_SEGMENTS`] segments; a segment past it is never reached.
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = (&'a [Segment], u16)>) -> Self {
        let mut all = Self::default();
        for (segments, censor) in paths {
            let first = all.steps.len();
            let last = segments.len().saturating_sub(1);
            all.steps.extend(segments.iter().enumerate().map(|(index, segment)| Step {
                segment: segment.clone(),
                censor: (index == last).then_some(censor),
            }));
            let mut start = all.start;
            all.add(&mut start, first);
            all.start = start;
        }
        all
    }

    /// `**` may stand for nothing: what follows it is open too.
    fn add(&self, place: &mut Place, step: usize) {
        place.insert(step);
        if self.steps.get(step).is_some_and(|step| step.segment == Segment::Deep) {
            self.add(place, step + 1);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) const fn start(&self) -> Place {
        self.start
    }

    /// One key down. Of two paths that end here the later one counts.
    pub(crate) fn step(&self, place: Place, key: &str) -> (Place, Option<u16>) {
        self.step_where(place, |segment| segment == key)
    }

    /// One element of a list down.
    #[cfg(feature = "serde")]
    pub(crate) fn step_index(&self, place: Place, index: usize) -> (Place, Option<u16>) {
        self.step_where(place, |segment| segment.parse() == Ok(index))
    }

    fn step_where(&self, place: Place, is: impl Fn(&str) -> bool) -> (Place, Option<u16>) {
        let mut below = Place::default();
        let mut hit = None;
        for at in place.iter() {
            let Some(step) = self.steps.get(at) else { break };
            let matches = match &step.segment {
                Segment::Key(key) => is(key),
                Segment::Any => true,
                Segment::Deep => {
                    below.insert(at);
                    self.add(&mut below, at + 1);
                    continue;
                }
            };
            match step.censor {
                Some(censor) if matches => hit = Some(censor),
                None if matches => self.add(&mut below, at + 1),
                _ => {}
            }
        }
        (below, hit)
    }

    /// The censor for a dotted name: its parts are the keys.
    pub(crate) fn judge(&self, name: &str) -> Option<u16> {
        if self.is_empty() {
            return None;
        }
        // The whole name may be one key too: a["b.c"].
        let (_, mut hit) = self.step(self.start(), name);
        let mut place = self.start();
        for key in name.split('.') {
            if hit.is_some() {
                break;
            }
            (place, hit) = self.step(place, key);
        }
        hit
    }
}

// === impl Place ===

impl Place {
    fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = usize::try_from(left.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                left &= left - 1;
                Some(index * 64 + bit)
            })
        })
    }
}

// === impl Parser ===

impl Parser<'_> {
    fn segment(&mut self) -> Result<(), ConfigError> {
        if self.rest.starts_with('[') {
            return self.bracket();
        }
        if self.take_str("**") {
            if self.segments.last() == Some(&Segment::Deep) {
                return Err(self.error("'**' twice is no deeper than once"));
            }
            self.segments.push(Segment::Deep);
            return Ok(());
        }
        if self.take('*') {
            self.segments.push(Segment::Any);
            return Ok(());
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        if key.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.error("an index stands in brackets, as in a[0]"));
        }
        self.rest = rest;
        match rest.chars().next() {
            None | Some('.' | '[') if key.is_empty() => Err(self.error("a key is missing here")),
            None | Some('.' | '[') => {
                self.segments.push(Segment::Key(key.into()));
                Ok(())
            }
            Some(other) => {
                Err(self.error(&format!("{other:?} stands in quotes only, as in a[\"x-y\"]")))
            }
        }
    }

    /// `[*]`, `[0]`, `["x-y"]`, `['x-y']`, `` [`x-y`] ``.
    fn bracket(&mut self) -> Result<(), ConfigError> {
        self.take('[');
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let segment = if let Some(quote) = quote {
            self.take(quote);
            let Some((key, rest)) = self.rest.split_once(quote) else {
                return Err(self.error("the quote is not closed"));
            };
            self.rest = rest;
            Segment::Key(key.into())
        } else if self.rest.starts_with("**") {
            return Err(self.error("'**' stands outside of brackets, as in a.**.k"));
        } else if self.take('*') {
            Segment::Any
        } else {
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let (index, rest) = self.rest.split_at_checked(end).unwrap_or_default();
            if index.is_empty() {
                return Err(self.error("brackets hold a quoted key, an index or a '*'"));
            }
            self.rest = rest;
            Segment::Key(index.into())
        };
        if !self.take(']') {
            return Err(self.error("a ']' is missing here"));
        }
        self.segments.push(segment);
        Ok(())
    }

    fn take(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_str(&mut self, expected: &str) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn error(&self, what: &str) -> ConfigError {
        let read = self.path.len() - self.rest.len();
        let column = self.path.get(..read).map_or(0, |read| read.chars().count()) + 1;
        ConfigError::new(
            ConfigErrorKind::InvalidPath,
            format!("path {:?}, column {column}: {what}", self.path),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rules, Verdict};

    #[test]
    fn a_path_hits_what_it_says_and_nothing_else() {
        for (path, keys, hit) in [
            ("a", &["a"][..], true),
            ("a", &["b"], false),
            ("a", &["A"], false),
            ("a.b.c", &["a", "b", "c"], true),
            ("a.b.c", &["a", "b"], false),
            ("a[\"x-y\"].d", &["a", "x-y", "d"], true),
            ("a['x.y']", &["a", "x.y"], true),
            ("[`a b`]", &["a b"], true),
            ("a[*].b", &["a", "0", "b"], true),
            ("a[*].b", &["a", "b"], false),
            ("a[3]", &["a", "3"], true),
            ("a[3]", &["a", "4"], false),
            ("*.c", &["a", "c"], true),
            ("*.c", &["c"], false),
            ("*.c", &["a", "b", "c"], false),
            ("a.*", &["a", "anything"], true),
            ("**.k", &["k"], true),
            ("**.k", &["a", "b", "c", "k"], true),
            ("**.k", &["a", "b"], false),
            ("a.**.k", &["a", "k"], true),
            ("a.**.k", &["a", "b", "c", "k"], true),
            ("a.**.k", &["b", "k"], false),
            ("**.a.b", &["a", "a", "b"], true),
            ("**.a.*.b", &["x", "a", "a", "b"], true),
            ("$x._y.z1", &["$x", "_y", "z1"], true),
            ("stra\u{df}e.\u{4e2d}", &["stra\u{df}e", "\u{4e2d}"], true),
        ] {
            let path_segments = parse(path).unwrap();
            let paths = Paths::new([(path_segments.as_slice(), 7)]);
            let mut place = paths.start();
            let mut last = None;
            for key in keys {
                assert_eq!(last, None, "{path} hits early in {keys:?}");
                (place, last) = paths.step(place, key);
            }
            assert_eq!(last, hit.then_some(7), "{path} in {keys:?}");
        }
    }

    #[test]
    fn a_bad_path_is_refused_with_what_and_where() {
        for (path, message) in [
            ("", "path \"\", column 1: it is empty"),
            (".", "path \".\", column 1: a key is missing here"),
            ("a.", "path \"a.\", column 3: a key is missing here"),
            ("a..b", "path \"a..b\", column 3: a key is missing here"),
            ("a[", "path \"a[\", column 3: brackets hold a quoted key, an index or a '*'"),
            ("a[]", "path \"a[]\", column 3: brackets hold a quoted key, an index or a '*'"),
            ("a[x]", "path \"a[x]\", column 3: brackets hold a quoted key, an index or a '*'"),
            ("a[1", "path \"a[1\", column 4: a ']' is missing here"),
            ("a['x]", "path \"a['x]\", column 4: the quote is not closed"),
            ("a['x'", "path \"a['x'\", column 6: a ']' is missing here"),
            ("a['x']b", "path \"a['x']b\", column 7: a '.' or a '[' is missing here"),
            ("a-b", "path \"a-b\", column 2: '-' stands in quotes only, as in a[\"x-y\"]"),
            (
                "\u{e9}.x y",
                "path \"\u{e9}.x y\", column 4: ' ' stands in quotes only, as in a[\"x-y\"]",
            ),
            ("a]", "path \"a]\", column 2: ']' stands in quotes only, as in a[\"x-y\"]"),
            ("a.0", "path \"a.0\", column 3: an index stands in brackets, as in a[0]"),
            ("a*", "path \"a*\", column 2: '*' stands in quotes only, as in a[\"x-y\"]"),
            ("*a", "path \"*a\", column 2: a '.' or a '[' is missing here"),
            ("**", "path \"**\", column 3: '**' needs a key after it, as in **.k"),
            ("a.**", "path \"a.**\", column 5: '**' needs a key after it, as in **.k"),
            ("***", "path \"***\", column 3: a '.' or a '[' is missing here"),
            ("**.**.a", "path \"**.**.a\", column 6: '**' twice is no deeper than once"),
            ("a[**]", "path \"a[**]\", column 3: '**' stands outside of brackets, as in a.**.k"),
        ] {
            let error = Rules::new().redact_path(path).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::InvalidPath);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn more_paths_than_can_be_followed_are_refused() {
        let long = vec!["a"; MAX_SEGMENTS].join(".");
        let rules = Rules::none().redact_path(&long).unwrap();
        assert!(matches!(rules.key(&long), Verdict::Censor(_)));
        let error = rules.redact_path("b").unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TooManyPaths);
    }

    #[test]
    fn a_path_wins_over_an_allowed_key() {
        let rules = Rules::new().redact_path("book.author").unwrap();
        assert!(matches!(rules.key("book.author"), Verdict::Censor(_)));
        assert!(matches!(rules.key("author"), Verdict::Clear));
    }
}
