//! What is written down of a configuration, made from its type.

use std::{
    env,
    error::Error,
    fmt::{self, Write},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{declared::Declared, dotenv, findings::Findings, print, report::Report};

/// Set to 1 while tests run, it has them write what they would compare.
const UPDATE: &str = "UPDATE_CONFIG_DOCS";

/// Between these the table of variables stands in a page.
const BEGIN: &str = "<!-- variables -->";
const END: &str = "<!-- /variables -->";

/// The variables of a configuration, as a `.env.example` and as a table: [`Environment::docs`].
///
/// There is no default of a secret in it.
///
/// ```
/// use buttress_config::{Environment, Secret, config};
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// How many at once.
///         workers: u16 = var("WORKERS").default(4),
///         /// Signs the sessions.
///         secret: Secret<String> = var("SESSION_SECRET"),
///     }
/// }
///
/// let docs = Environment::process().docs::<Settings>();
/// assert!(docs.env_example().contains("# How many at once.\n"));
/// assert!(docs.env_example().contains("\n#WORKERS=4\n"));
/// assert!(docs.env_example().contains("\nSESSION_SECRET=\n"));
/// assert!(docs.markdown().contains("| `WORKERS` | How many at once. |"));
/// ```
///
/// A test keeps the files fresh. It fails with the first line that differs, and
/// `UPDATE_CONFIG_DOCS=1 cargo test` writes them anew:
///
/// ```no_run
/// # use buttress_config::{Environment, config};
/// # config! {
/// #     struct Settings {
/// #         /// How many at once.
/// #         workers: u16 = var("WORKERS").default(4),
/// #     }
/// # }
/// #[test]
/// # fn hidden() {}
/// fn what_is_written_of_the_variables_is_true() -> Result<(), buttress_config::Stale> {
///     let docs = Environment::process().docs::<Settings>();
///     docs.check_env_example(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example"))?;
///     docs.check_markdown(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))
/// }
/// ```
///
/// [`Environment::docs`]: crate::Environment::docs
pub struct Docs {
    variables: Vec<Declared>,
    mistakes: Report,
}

/// The names alone: there may be the defaults of secrets in the rest.
impl fmt::Debug for Docs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Docs {
    pub(crate) fn new(findings: Findings) -> Self {
        let mistakes = findings.report(&std::collections::BTreeSet::new());
        Self { variables: findings.declared, mistakes }
    }

    /// What is wrong with the declarations themselves: defaults that cannot be read.
    #[must_use]
    pub const fn mistakes(&self) -> &Report {
        &self.mistakes
    }

    /// The names of the variables, in the order of the declarations.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// A file of variables to begin with: `cp .env.example .env`. What need not be set is commented
    /// out, with its default.
    #[must_use]
    pub fn env_example(&self) -> String {
        let mut out = String::new();
        let mut section = "";
        for variable in &self.variables {
            if variable.section != section {
                section = &variable.section;
                if !section.is_empty() {
                    out.push_str("# ----\n");
                    comment(&mut out, section);
                    out.push('\n');
                }
            }
            comment(&mut out, &variable.about);
            comment(&mut out, &format!("Takes {}", form(variable)));
            let comment_out = if variable.must_be_set() { "" } else { "#" };
            let value = dotenv::quote(&value(variable));
            // Into a `String` nothing fails.
            let _ = writeln!(out, "{comment_out}{}={value}\n", variable.name);
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }

    /// A table of the variables.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::from("| variable | | value | default |\n|---|---|---|---|\n");
        for variable in &self.variables {
            let names = variable.names().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                names.join(", "),
                cell(&variable.about),
                cell(&value_column(variable)),
                default_column(variable),
            );
        }
        out
    }

    /// Whether the file is what [`env_example`](Self::env_example) says.
    ///
    /// # Errors
    /// When it is not, cannot be read, or when a default is wrong.
    pub fn check_env_example(&self, path: impl AsRef<Path>) -> Result<(), Stale> {
        self.check(path.as_ref(), |_| Some(self.env_example()))
    }

    /// Whether the table between the lines `<!-- variables -->` and `<!-- /variables -->` of the
    /// file is what [`markdown`](Self::markdown) says.
    ///
    /// # Errors
    /// When it is not, when the lines are not there, when the file cannot be read, or when a
    /// default is wrong.
    pub fn check_markdown(&self, path: impl AsRef<Path>) -> Result<(), Stale> {
        self.check(path.as_ref(), |page| {
            let (before, rest) = page.split_once(BEGIN)?;
            let (_, after) = rest.split_once(END)?;
            Some(format!("{before}{BEGIN}\n{}{END}{after}", self.markdown()))
        })
    }

    fn check(&self, path: &Path, fresh: impl Fn(&str) -> Option<String>) -> Result<(), Stale> {
        let stale = |why| Stale { path: path.to_owned(), why };
        if !self.mistakes.is_empty() {
            return Err(stale(Why::Mistakes(self.mistakes.clone())));
        }
        let update = env::var_os(UPDATE).is_some_and(|update| update == "1");
        let page = match fs::read_to_string(path) {
            Err(error) if update && error.kind() == io::ErrorKind::NotFound => String::new(),
            page => page.map_err(|error| stale(Why::Io(error)))?,
        };
        // As a checkout on Windows has it.
        let page = page.replace("\r\n", "\n");
        let fresh = fresh(&page).ok_or_else(|| stale(Why::NoPlace))?;
        // Some editors take the last line break away.
        if page.trim_end() == fresh.trim_end() {
            return Ok(());
        }
        if update {
            return fs::write(path, fresh).map_err(|error| stale(Why::Io(error)));
        }
        let same = page.lines().zip(fresh.lines()).take_while(|(old, new)| old == new).count();
        let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
        Err(stale(Why::Differs { number: same + 1, is: line(&page), should_be: line(&fresh) }))
    }
}

/// A file that does not say what the type does.
///
/// `Debug` prints the text, so that a test may end with `unwrap`.
pub struct Stale {
    path: PathBuf,
    why: Why,
}

enum Why {
    Differs { number: usize, is: String, should_be: String },
    NoPlace,
    Mistakes(Report),
    Io(io::Error),
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Differs { number, is, should_be } => write!(
                f,
                "{path}:{number} is stale\n     is: {is}\n should: {should_be}\n\
                 {UPDATE}=1 cargo test writes it anew"
            ),
            Why::NoPlace => write!(f, "{path} has no lines {BEGIN} and {END} for the table"),
            Why::Mistakes(report) => write!(f, "{report}"),
            Why::Io(error) => {
                write!(
                    f,
                    "{path} cannot be read or written: {error}\n{UPDATE}=1 cargo test writes it"
                )
            }
        }
    }
}

impl fmt::Debug for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Stale {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.why {
            Why::Io(error) => Some(error),
            Why::Mistakes(report) => Some(report),
            Why::Differs { .. } | Why::NoPlace => None,
        }
    }
}

/// What stands behind the name in the example.
fn value(variable: &Declared) -> String {
    if variable.is_secret {
        return String::new();
    }
    let default = variable.defaults.iter().find(|(profile, _)| profile.is_none());
    let default = default.map(|(_, text)| print::default(text));
    default.or_else(|| variable.example.clone()).unwrap_or_default()
}

/// How it is written, and what else there is to know of it.
fn form(variable: &Declared) -> String {
    let mut out = value_column(variable);
    if variable.must_be_set() {
        out.push_str("; must be set");
    } else if variable.is_required_in_production {
        out.push_str("; must be set in production");
    }
    for (profile, text) in &variable.defaults {
        let text = if variable.is_secret { "has a default".into() } else { print::default(text) };
        if let Some(profile) = profile {
            let _ = write!(out, "; in {profile}: {text}");
        }
    }
    if let Some(otherwise) = &variable.otherwise {
        let _ = write!(out, "; where it is not set: {otherwise}");
    }
    for alias in &variable.aliases {
        let _ = write!(out, "; {alias} is the same");
    }
    out.push('.');
    out
}

fn value_column(variable: &Declared) -> String {
    let mut out = variable.right();
    if variable.is_secret {
        let file = crate::declared::file_twin(&variable.name);
        let _ = write!(out, "; a secret, which may stand in a file named by {file}");
    }
    out
}

fn default_column(variable: &Declared) -> String {
    let mut parts = Vec::new();
    for (profile, text) in &variable.defaults {
        let text = match text.as_str() {
            _ if variable.is_secret => String::from("not shown"),
            "" => String::from("empty"),
            text => format!("`{}`", cell(&print::default(text))),
        };
        parts.push(profile.map_or(text.clone(), |profile| format!("{text} in {profile}")));
    }
    if let Some(otherwise) = &variable.otherwise {
        parts.push(cell(otherwise));
    }
    if variable.must_be_set() {
        parts.push(String::from("must be set"));
    } else if variable.is_required_in_production {
        parts.push(String::from("must be set in production"));
    }
    parts.join("; ")
}

fn comment(out: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{}", format!("# {line}").trim_end());
    }
}

fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
