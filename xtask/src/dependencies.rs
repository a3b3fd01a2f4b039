//! `cargo xtask deps`: what each published crate costs its user, and which way the arrows point.

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Failure;
use crate::cargo::{Invocation, root, target_dir};
use crate::console::{Colour, Console, say};
use crate::workspace::{self, Member, published};

const CORE: &str = "buttress-core";
const FACADE: &str = "buttress";

/// Crates beyond axum's own that a leaf may bring: its contracts, and a handful for its subject.
const LEAF_BUDGET: usize = 8;
/// The same for the facade's default features: the whole stack of a server, tower-http included.
const FACADE_BUDGET: usize = 30;

/// Capabilities that may stand on another one: what they write out, `redact` must have read.
const UPON_ANOTHER: [(&str, &str); 3] = [
    ("buttress-config", "buttress-redact"),
    ("buttress-log", "buttress-redact"),
    ("buttress-trace", "buttress-redact"),
];

/// Runtimes, servers and frameworks: a user has chosen one, and a layer has no say in it.
const OF_THE_USER: [&str; 9] = [
    "axum",
    "axum-core",
    "hyper",
    "hyper-util",
    "tokio",
    "tokio-util",
    "tonic",
    "tower",
    "tower-http",
];

/// Who may bring one of these all the same, and why.
const ALLOWED: [(&str, &str, &str); 7] = [
    (FACADE, "tokio", "the timer of the timeout slot"),
    (FACADE, "tower-http", "the stack has slots for its CORS, CSRF and compression"),
    ("buttress-health", "tokio", "the tasks and the timers of its runner"),
    ("buttress-pool", "tokio", "the timers and the tasks of its pools"),
    ("buttress-retry", "tokio", "the timers of its waits, its timeouts and its deadlines"),
    ("buttress-shutdown", "tokio", "the listener, the streams and the tasks that it drains"),
    ("buttress-shutdown", "tokio-util", "its cancellation token, which tasks are given"),
];

/// The target whose dependencies count, so that the figures are the same on every machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A crate and its version.
type Package = (String, String);

#[derive(Debug)]
struct Cost {
    name: String,
    brings: BTreeSet<Package>,
    budget: usize,
}

pub(crate) fn run(console: Console, arguments: &[String]) -> Result<ExitCode, Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(format!("`deps` takes no `{unknown}`").into());
    }
    let members = workspace::members(root())?;
    say("crates that the default features bring beyond axum's own\n");
    let mut violations = Vec::new();
    for cost in costs(&members)? {
        let count = format!("{:>2} of {:<2}", cost.brings.len(), cost.budget);
        let count = match cost.excess() {
            None => console.paint(Colour::Green, count),
            Some(excess) => {
                violations.push(excess);
                console.paint(Colour::Red, count)
            }
        };
        let names: Vec<&str> = cost.brings.iter().map(|(name, _)| name.as_str()).collect();
        let line = format!("  {:<21} {count}  {}", cost.name, names.join(" "));
        say(line.trim_end());
    }
    violations.extend(breaches(&members)?);
    for violation in &violations {
        say(console.paint(Colour::Red, format_args!("\n{violation}")));
    }
    Ok(match violations.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

impl Cost {
    fn excess(&self) -> Option<String> {
        (self.brings.len() > self.budget).then(|| {
            format!(
                "{} brings {} crates beyond axum's own; its budget is {}",
                self.name,
                self.brings.len(),
                self.budget
            )
        })
    }
}

fn costs(members: &[Member]) -> Result<Vec<Cost>, Failure> {
    let axum = axum_alone()?;
    let ours: BTreeSet<&str> = members.iter().map(Member::name).collect();
    published(members)
        .map(|member| {
            let tree = tree(&["-p", member.name()])?;
            Ok(Cost {
                name: member.name().to_owned(),
                brings: tree
                    .into_iter()
                    .filter(|package| !axum.contains(package) && !ours.contains(package.0.as_str()))
                    .collect(),
                budget: if member.name() == FACADE { FACADE_BUDGET } else { LEAF_BUDGET },
            })
        })
        .collect()
}

/// What breaks the dependency law, one sentence each.
fn breaches(members: &[Member]) -> Result<Vec<String>, Failure> {
    let mut breaches = wrong_arrows(members);
    for member in published(members) {
        breaches.extend(chosen_for_the_user(member)?);
    }
    Ok(breaches)
}

/// Arrows point down, optional ones too: the facade, then the capabilities, then the core.
fn wrong_arrows(members: &[Member]) -> Vec<String> {
    let ours: BTreeSet<&str> = members.iter().map(Member::name).collect();
    let mut breaches = Vec::new();
    for member in published(members).filter(|member| member.name() != FACADE) {
        let from = member.name();
        for dependency in &member.manifest.dependencies {
            let to = dependency.name.as_str();
            let allowed = from != CORE && to == CORE || UPON_ANOTHER.contains(&(from, to));
            if ours.contains(to) && !allowed {
                breaches.push(match from {
                    CORE => format!("{from} depends on {to}; it may depend on no other member"),
                    _ => format!("{from} depends on {to}; a capability may depend on {CORE} only"),
                });
            }
        }
    }
    breaches
}

/// Under its default features. The facade answers for what it names itself, a leaf for all.
fn chosen_for_the_user(member: &Member) -> Result<Vec<String>, Failure> {
    let name = member.name();
    let packages = match name {
        FACADE => tree(&["-p", name, "--depth", "1"])?,
        _ => tree(&["-p", name])?,
    };
    let allowed =
        |package: &str| ALLOWED.iter().any(|(who, what, _)| (*who, *what) == (name, package));
    Ok(packages
        .iter()
        .map(|(package, _)| package.as_str())
        .filter(|package| OF_THE_USER.contains(package) && !allowed(package))
        .map(|package| format!("{name} brings {package}; that takes a feature of that name"))
        .collect())
}

fn tree(selection: &[&str]) -> Result<BTreeSet<Package>, Failure> {
    let tree = ["tree", "-e", "normal", "--prefix", "none", "--target", TARGET];
    let printed = Invocation::cargo(tree.iter().chain(selection)).capture()?;
    Ok(packages(&printed))
}

/// axum with its default features. In this workspace others turn on more, so a package that
/// depends on nothing else is asked, with our lock file.
fn axum_alone() -> Result<BTreeSet<Package>, Failure> {
    /// Tests of one process ask at the same time, and each removes what it made.
    static CALLS: AtomicUsize = AtomicUsize::new(0);

    let version = workspace::requirement(root(), "axum")?;
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let dir = target_dir().join(format!("axum-alone-{}-{call}", std::process::id()));
    fs::create_dir_all(dir.join("src"))?;
    fs::write(dir.join("src/lib.rs"), "")?;
    fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock"))?;
    fs::write(
        dir.join("Cargo.toml"),
        format!(
            "[package]\nname = \"axum-alone\"\nedition = \"2024\"\n\
             [workspace]\n[dependencies]\naxum = \"{version}\"\n"
        ),
    )?;
    let manifest = dir.join("Cargo.toml");
    let packages = tree(&["--manifest-path", &manifest.to_string_lossy()]);
    fs::remove_dir_all(&dir)?;
    packages
}

/// Lines as `name v1.2.3 (proc-macro) (*)`.
fn packages(printed: &str) -> BTreeSet<Package> {
    printed
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
