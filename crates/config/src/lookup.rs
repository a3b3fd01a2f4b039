//! Where variables are looked for.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use buttress_core::Secret;

use crate::{
    declared::{Declared, file_twin},
    effective::Origin,
    print,
    unit::Unit,
};

/// A file of variables is no larger, and neither is a secret.
const LARGEST_FILE: u64 = 1 << 20;

/// What one place has.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    /// `None` is what is no Unicode.
    pub(crate) variables: BTreeMap<String, Option<Secret<String>>>,
}

/// A variable as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) text: Secret<String>,
    pub(crate) origin: Origin,
}

/// Why it cannot be said what a variable holds.
#[derive(Debug)]
pub(crate) enum Unclear {
    NotUnicode { name: String, origin: Origin },
    Conflict { names: Vec<String>, origin: Origin },
    File { name: String, origin: Origin, error: io::Error },
}

/// In the first place that has it, under the first of its names.
pub(crate) fn look_up(
    places: &[Place],
    variable: &Declared,
    empty_is_unset: bool,
) -> Result<Option<Found>, Unclear> {
    for place in places {
        let get = |name: &str| {
            let (name, value) = place.variables.get_key_value(name)?;
            let is_unset = (empty_is_unset || variable.empty_is_unset)
                && value.as_ref().is_some_and(|value| value.expose().trim().is_empty());
            (!is_unset).then_some((name, value))
        };
        let mut found: Vec<_> = variable.names().filter_map(get).collect();
        let twin = variable.is_secret.then(|| file_twin(&variable.name));
        let twin = twin.as_deref().and_then(get);
        let origin = || place.origin.clone();
        found.dedup_by(|other, one| says_the_same(*one, *other));
        match (found.as_slice(), twin) {
            ([], None) => {}
            ([], Some((name, path))) => return from_file(name, path.as_ref(), origin()).map(Some),
            ([(name, Some(text))], None) => {
                let (name, text) = ((*name).clone(), text.clone());
                return Ok(Some(Found { name, text, origin: origin() }));
            }
            ([(name, None)], None) => {
                return Err(Unclear::NotUnicode { name: (*name).clone(), origin: origin() });
            }
            (several, twin) => {
                let names = several.iter().map(|(name, _)| (*name).clone());
                let names = names.chain(twin.map(|(name, _)| name.clone())).collect();
                return Err(Unclear::Conflict { names, origin: origin() });
            }
        }
    }
    Ok(None)
}

/// A bare number does so only where both names count in the same unit.
fn says_the_same(
    (one_name, one): (&String, &Option<Secret<String>>),
    (other_name, other): (&String, &Option<Secret<String>>),
) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    let is_bare = one.expose().trim().bytes().all(|byte| byte.is_ascii_digit());
    one.expose() == other.expose()
        && (!is_bare || Unit::of_name(one_name) == Unit::of_name(other_name))
}

/// What the variable holds, in any place and under any of its names.
pub(crate) fn all<'a>(
    places: &'a [Place],
    variable: &'a Declared,
) -> impl Iterator<Item = &'a str> {
    places.iter().flat_map(|place| {
        variable
            .names()
            .filter_map(|name| Some(place.variables.get(name)?.as_ref()?.expose().as_str()))
    })
}

fn from_file(name: &str, path: Option<&Secret<String>>, origin: Origin) -> Result<Found, Unclear> {
    let Some(path) = path else {
        return Err(Unclear::NotUnicode { name: name.to_owned(), origin });
    };
    // Who took the twin for the variable has put the secret itself there: no path is told that
    // is none.
    let file = Path::new(path.expose());
    let name = name.to_owned();
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => return Err(Unclear::File { name, origin, error }),
    };
    // Editors and `echo` end a file with a line break; one, no more. Some begin it with a mark.
    let text = text.expose();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let origin = Origin::SecretFile(print::escaped(path.expose()));
    Ok(Found { name, text: Secret::new(line.to_owned()), origin })
}

/// A text of reasonable size, of a file that ends: to open a pipe that nobody writes to takes for
/// ever.
pub(crate) fn read(path: &Path) -> io::Result<Secret<String>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    let bytes = Secret::new(bytes);
    if bytes.expose().len() as u64 > LARGEST_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    if bytes.expose().contains(&0) {
        // No variable of a process can hold one.
        return Err(io::Error::other("it has a NUL in it, as a text in UTF-16 has"));
    }
    let text = str::from_utf8(bytes.expose());
    text.map(Secret::from).map_err(|_| io::Error::other("it is no text in UTF-8"))
}
