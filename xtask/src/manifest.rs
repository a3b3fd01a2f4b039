//! As much of TOML as the workspace's manifests use.

/// One `Cargo.toml`.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) publish: bool,
    /// Those declared, `default` left out, and those that an optional dependency brings.
    pub(crate) features: Vec<String>,
    /// Normal ones, whatever the target.
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) optional: bool,
}

/// `key = value` with the table it stands in: the whole path, and the value as written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: Vec<String>,
    pub(crate) value: String,
}

impl Manifest {
    pub(crate) fn parse(text: &str) -> Self {
        let mut manifest = Self { publish: true, ..Self::default() };
        let entries = entries(text);
        for entry in &entries {
            let path: Vec<&str> = entry.path.iter().map(String::as_str).collect();
            match path.as_slice() {
                ["package", "name"] => manifest.name = unquoted(&entry.value).to_owned(),
                ["package", "publish"] => manifest.publish = entry.value != "false",
                ["features", feature] if *feature != "default" => {
                    manifest.features.push((*feature).to_owned());
                }
                ["dependencies", name, rest @ ..]
                | ["target", _, "dependencies", name, rest @ ..] => {
                    manifest.depend(name, rest, &entry.value);
                }
                _ => {}
            }
        }
        manifest.add_implicit_features(&entries);
        manifest
    }

    fn depend(&mut self, name: &str, rest: &[&str], value: &str) {
        let optional = match rest {
            [] => inline(value).any(|(key, value)| key == "optional" && value == "true"),
            [key, ..] => *key == "optional" && value == "true",
        };
        match self.dependencies.iter_mut().find(|known| known.name == name) {
            Some(known) => known.optional |= optional,
            None => self.dependencies.push(Dependency { name: name.to_owned(), optional }),
        }
    }

    /// An optional dependency that no feature names as `dep:…` is a feature of its own name.
    fn add_implicit_features(&mut self, entries: &[Entry]) {
        let named = |dependency: &str| {
            let word = format!("\"dep:{dependency}\"");
            entries.iter().any(|entry| is_feature(entry) && entry.value.contains(&word))
        };
        for dependency in &self.dependencies {
            if dependency.optional && !named(&dependency.name) {
                self.features.push(dependency.name.clone());
            }
        }
    }
}

fn is_feature(entry: &Entry) -> bool {
    entry.path.first().is_some_and(|table| table == "features")
}

/// The strings of an array.
pub(crate) fn array(value: &str) -> Vec<&str> {
    let inside = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    split_outside(inside.unwrap_or_default(), ',')
        .into_iter()
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(unquoted)
        .collect()
}

/// The pairs of an inline table; none if it is something else.
pub(crate) fn inline(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let inside = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
    split_outside(inside.unwrap_or_default(), ',')
        .into_iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}

pub(crate) fn unquoted(value: &str) -> &str {
    value.trim_matches(['"', '\''])
}

/// Each `key = value`, in order. A value may go over several lines.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut table: Vec<String> = Vec::new();
    let mut lines = text.lines().map(|line| without_comment(line).trim());
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_start_matches('[').trim_end_matches(']');
            table = keys(header);
            continue;
        }
        let Some((key, value)) = split_key(line) else {
            continue;
        };
        let mut value = value.trim().to_owned();
        while open_brackets(&value) > 0 {
            let Some(more) = lines.next() else { break };
            value.push_str(more);
        }
        let mut path = table.clone();
        path.extend(keys(key));
        entries.push(Entry { path, value });
    }
    entries
}

fn split_key(line: &str) -> Option<(&str, &str)> {
    match split_outside(line, '=').as_slice() {
        [key, _, ..] => Some((key.trim(), line.get(key.len() + 1..)?)),
        _ => None,
    }
}

fn keys(dotted: &str) -> Vec<String> {
    split_outside(dotted, '.').into_iter().map(|key| unquoted(key.trim()).to_owned()).collect()
}

fn without_comment(line: &str) -> &str {
    split_outside_quotes(line, '#').into_iter().next().unwrap_or_default()
}

fn open_brackets(value: &str) -> i32 {
    let mut open = 0;
    scan(value, |_, c, quoted| {
        if !quoted {
            open += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
        }
    });
    open
}

/// Split where `separator` is in no string and in no bracket.
fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let mut depth = 0;
    split_where(text, |c, quoted| {
        if quoted {
            return false;
        }
        depth += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
        depth == 0 && c == separator
    })
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    split_where(text, |c, quoted| !quoted && c == separator)
}

fn split_where(text: &str, mut separates: impl FnMut(char, bool) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    scan(text, |at, c, quoted| {
        if separates(c, quoted) {
            parts.extend(text.get(start..at));
            start = at + c.len_utf8();
        }
    });
    parts.extend(text.get(start..));
    parts
}

/// Each character with its place and whether it is in a string.
fn scan(text: &str, mut visit: impl FnMut(usize, char, bool)) {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        visit(at, c, quote.is_some());
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
