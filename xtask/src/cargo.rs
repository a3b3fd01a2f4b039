//! Commands as a user would type them: from the workspace's root, with the user's environment.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::console::{Colour, Console, say};

/// A command, and how it is shown.
#[derive(Debug)]
pub(crate) struct Invocation {
    command: Command,
    /// Its name and arguments, as one types them.
    shown: String,
    environment: String,
}

impl Invocation {
    /// The cargo that runs this program.
    pub(crate) fn cargo<I>(arguments: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self::new(&program, "cargo", arguments)
    }

    pub(crate) fn program<I>(name: &str, arguments: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self::new(name.as_ref(), name, arguments)
    }

    fn new<I>(program: &OsStr, name: &str, arguments: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut command = Command::new(program);
        command.current_dir(root());
        let mut shown = name.to_owned();
        for argument in arguments {
            let argument = argument.as_ref();
            command.arg(argument);
            shown.push(' ');
            shown.push_str(&quoted(argument));
        }
        // `cargo run` describes this package to its child. Build scripts that watch these
        // variables (ring's does) would run again at each change between here and the shell.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(describes_this_package) {
                command.env_remove(name);
            }
        }
        Self { command, shown, environment: String::new() }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.environment.push_str(&format!("{name}={} ", quoted(value)));
        self
    }

    /// Runs it with our own output, and says what runs.
    pub(crate) fn stream(mut self, console: Console) -> Result<(), Failure> {
        say(console.paint(Colour::Faint, format_args!("$ {self}")));
        if !console.has_colour() {
            self.command.env("CARGO_TERM_COLOR", "never");
            self.command.env("CARGO_TERM_PROGRESS_WHEN", "never");
        }
        let status = self
            .command
            .status()
            .map_err(|error| format!("`{}` could not be started: {error}", self.shown))?;
        if status.success() {
            return Ok(());
        }
        Err(format!("`{}`: {status}", self.shown).into())
    }

    /// Its standard output.
    pub(crate) fn capture(mut self) -> Result<String, Failure> {
        let output = self
            .command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("`{}` could not be started: {error}", self.shown))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let status = output.status;
            return Err(format!("`{}`: {status}: {}", self.shown, stderr.trim()).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Whether it can be started and ends well; prints nothing.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.environment)?;
        f.write_str(&self.shown)
    }
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where cargo builds: `CARGO_TARGET_DIR`, or `target` in the root.
pub(crate) fn target_dir() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
    root().join(named.unwrap_or_else(|| "target".into()))
}

fn describes_this_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
        || variable == "CARGO_PRIMARY_PACKAGE"
}

/// As one word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_pasted_into_a_shell() {
        let shown = Invocation::cargo(["test", "--test", "loom*"])
            .env("RUSTFLAGS", "--cfg loom")
            .to_string();
        assert_eq!(shown, "RUSTFLAGS='--cfg loom' cargo test --test 'loom*'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn the_root_holds_the_lock_file() {
        assert!(root().join("Cargo.lock").is_file());
    }

    #[test]
    fn a_failed_command_tells_its_name() {
        let failure = Invocation::program("false", [""; 0]).capture().unwrap_err();
        assert!(failure.to_string().starts_with("`false`: exit status: 1"));
        assert!(!Invocation::program("no-such-program", ["x"]).succeeds());
    }
}
