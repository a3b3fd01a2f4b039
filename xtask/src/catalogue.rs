//! `docs/systems.md`: what the family must have in the end, and the proof of what it has.
//!
//! A row is `| # | what | crate | state | API | test | example |`. The last three hold names in
//! back-ticks, set apart by commas, or `–`:
//!
//! - API: `buttress_request_id::RequestIdLayer::header`
//! - test: `crates/request-id/tests/behaviour.rs::an_id_is_echoed`
//! - example: `example-axum: GET /users/{id}`, `example-tonic: Greeter/SayHello`

use std::path::Path;

use crate::Failure;
use crate::rust_source::Source;
use crate::workspace::{self, Member, published};

#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    number: u32,
    what: &'a str,
    owner: &'a str,
    state: State,
    apis: Vec<&'a str>,
    tests: Vec<&'a str>,
    examples: Vec<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works, and the row says what proves it.
    Done,
    /// Planned.
    Open,
    /// Wanted, and not planned yet.
    Later,
}

/// An empty cell.
const NONE: &str = "–";

/// Each row of the file. Rows of other tables have another number of cells.
fn rows(text: &str) -> Result<Vec<Row<'_>>, Failure> {
    text.lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let number = cells.first()?.parse().ok()?;
            Some(row(number, &cells).map_err(|problem| format!("row {number}: {problem}").into()))
        })
        .collect()
}

fn row<'a>(number: u32, cells: &[&'a str]) -> Result<Row<'a>, Failure> {
    let [_, what, owner, state, api, test, example] = cells else {
        return Err(format!("{} cells instead of 7", cells.len()).into());
    };
    let state = match *state {
        "done" => State::Done,
        "open" => State::Open,
        "later" => State::Later,
        other => return Err(format!("the state is `{other}`; done, open or later").into()),
    };
    if what.is_empty() || owner.is_empty() {
        return Err("says not what it is, or where".into());
    }
    Ok(Row {
        number,
        what,
        owner,
        state,
        apis: names(api)?,
        tests: names(test)?,
        examples: names(example)?,
    })
}

/// The names of a cell: in back-ticks, set apart by commas.
fn names(cell: &str) -> Result<Vec<&str>, Failure> {
    if cell == NONE {
        return Ok(Vec::new());
    }
    cell.split(", ")
        .map(|name| {
            name.strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'))
                .filter(|name| !name.contains('`'))
                .ok_or_else(|| format!("`{name}` is not a name in back-ticks, nor {NONE}").into())
        })
        .collect()
}

/// What is wrong with the rows, one sentence each.
fn problems(root: &Path, members: &[Member], rows: &[Row<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    for row in rows {
        let proven = !row.apis.is_empty() && !row.tests.is_empty();
        if row.state == State::Done && !proven {
            problems.push(format!("row {}: done, without an API and a test", row.number));
        }
        let checks = [
            (&row.apis, api as fn(&Path, &[Member], &str) -> _),
            (&row.tests, test),
            (&row.examples, example),
        ];
        for (names, check) in checks {
            for name in names {
                if let Err(problem) = check(root, members, name) {
                    problems.push(format!("row {}: `{name}`: {problem}", row.number));
                }
            }
        }
    }
    problems
}

/// `crate_name::module::Type::method`: each part is public where it is said to be.
fn api(_: &Path, members: &[Member], path: &str) -> Result<(), Failure> {
    let path = path.trim_end_matches('!').trim_end_matches("()");
    let (package, items) = path.split_once("::").ok_or("no path into a crate")?;
    let member = published(members)
        .find(|member| member.name().replace('-', "_") == package)
        .ok_or_else(|| format!("no published crate `{package}`"))?;
    let texts = texts(member, "src", "rs")?;
    let sources: Vec<Source<'_>> = texts.iter().map(|text| Source::parse(text)).collect();
    let mut owner = None;
    for item in items.split("::") {
        let there = sources.iter().any(|source| match owner {
            Some(owner) => source.has_public_member(owner, item),
            None => source.has_public_item(item),
        });
        if !there {
            return Err(format!("`{item}` is not public in {package}").into());
        }
        owner = item.starts_with(char::is_uppercase).then_some(item);
    }
    Ok(())
}

/// `path/from/the/root.rs::test_name`.
fn test(root: &Path, _: &[Member], name: &str) -> Result<(), Failure> {
    let (file, test) = name.split_once("::").ok_or("no test named in the file")?;
    let text = workspace::read(&root.join(file))?;
    if Source::parse(&text).has_function(test) {
        return Ok(());
    }
    Err(format!("no `fn {test}(` in {file}").into())
}

/// `package: GET /route` or `package: Service/Method`.
fn example(_: &Path, members: &[Member], name: &str) -> Result<(), Failure> {
    let (package, what) = name.split_once(": ").ok_or("no `package: what`")?;
    let member = members
        .iter()
        .find(|member| member.name() == package)
        .ok_or_else(|| format!("no package `{package}`"))?;
    let mut texts = texts(member, "src", "rs")?;
    texts.extend(self::texts(member, "", "proto")?);
    let sources: Vec<Source<'_>> = texts.iter().map(|text| Source::parse(text)).collect();
    let shown = match what.split_once(' ') {
        Some((_, route)) => {
            let route = route.split('?').next().unwrap_or(route);
            sources.iter().any(|source| source.has_text(route))
        }
        None => what.split('/').all(|part| {
            let has = |source: &Source<'_>| source.has_word(part) || source.has_text(part);
            sources.iter().any(has)
        }),
    };
    if shown {
        return Ok(());
    }
    Err(format!("{package} has no `{what}`").into())
}

fn texts(member: &Member, folder: &str, extension: &str) -> Result<Vec<String>, Failure> {
    workspace::files(&member.dir.join(folder), extension)
        .iter()
        .map(|file| workspace::read(file))
        .collect()
}

mod tests;
