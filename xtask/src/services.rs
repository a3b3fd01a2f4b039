//! The servers that the tests start: found on this machine, or installed through apt.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::cargo::Invocation;
use crate::console::{Console, say};

/// A server that tests start for themselves.
#[derive(Debug)]
struct Server {
    binary: &'static str,
    /// The Debian package that has it.
    package: &'static str,
}

const SERVERS: [Server; 2] = [
    Server { binary: "redis-server", package: "redis-server" },
    Server { binary: "postgres", package: "postgresql" },
];

/// Debian keeps `postgres` off the path: `<here>/<version>/bin/postgres`.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Who may install packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Root,
    /// `sudo` asks for no password.
    Sudo,
    None,
}

/// Installs what is missing. Where that is not allowed, the error is the command to run.
pub(crate) fn ensure(console: Console) -> Result<(), Failure> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|server| server.package).collect();
    let packages = packages.join(" ");
    let rights = rights();
    if rights == Rights::None || on_path("apt-get").is_none() {
        return Err(format!("missing; run: {}", advice(&packages)).into());
    }
    // Stale lists still install what has not moved.
    if let Err(failure) = apt(rights, "update").stream(console) {
        say(format_args!("{failure}; going on with the lists there are"));
    }
    let install = format!("install -y --no-install-recommends {packages}");
    apt(rights, &install).stream(console)?;
    match self::missing().as_slice() {
        [] => Ok(()),
        [server, ..] => Err(format!(
            "`{}` is installed, and still there is no `{}`",
            server.package, server.binary
        )
        .into()),
    }
}

fn missing() -> Vec<&'static Server> {
    SERVERS.iter().filter(|server| find(server.binary).is_none()).collect()
}

fn advice(packages: &str) -> String {
    format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}")
}

fn apt(rights: Rights, arguments: &str) -> Invocation {
    let quiet = "DEBIAN_FRONTEND=noninteractive";
    let words = arguments.split(' ');
    match rights {
        Rights::Sudo => {
            let sudo = ["-n", "env", quiet, "apt-get"];
            Invocation::program("sudo", sudo.into_iter().chain(words))
        }
        _ => Invocation::program("env", [quiet, "apt-get"].into_iter().chain(words)),
    }
}

fn rights() -> Rights {
    let user = Invocation::program("id", ["-u"]).capture();
    if user.is_ok_and(|id| id.trim() == "0") {
        Rights::Root
    } else if Invocation::program("sudo", ["-n", "true"]).succeeds() {
        Rights::Sudo
    } else {
        Rights::None
    }
}

fn find(binary: &str) -> Option<PathBuf> {
    on_path(binary).or_else(|| {
        let versions = Path::new(POSTGRES_VERSIONS).read_dir().ok()?;
        versions
            .flatten()
            .map(|version| version.path().join("bin").join(binary))
            .find(|path| path.is_file())
    })
}

fn on_path(binary: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(binary)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_can_be_pasted() {
        assert_eq!(
            advice("redis-server postgresql"),
            "sudo apt-get update && \
             sudo apt-get install -y --no-install-recommends redis-server postgresql"
        );
    }

    #[test]
    fn sudo_keeps_apt_from_asking() {
        assert_eq!(
            apt(Rights::Sudo, "update").to_string(),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update"
        );
    }

    #[test]
    fn a_binary_is_found_on_the_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-server").is_none());
    }
}
