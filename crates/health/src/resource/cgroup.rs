//! The groups that the process lives in, and what their files say.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What `/proc/self/cgroup` says, below some root.
#[derive(Debug)]
pub(crate) struct Groups {
    root: PathBuf,
    text: String,
}

impl Groups {
    /// Of this process; none where the file cannot be read.
    pub(crate) fn below(root: &Path) -> Self {
        let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        Self { root: root.to_owned(), text }
    }

    /// `0::/path`: the group of cgroup v2 and those above it, which bind it too.
    pub(crate) fn v2(&self) -> impl Iterator<Item = PathBuf> {
        let path = self.text.lines().find_map(|line| line.strip_prefix("0::"));
        let top = self.root.join("sys/fs/cgroup");
        path.into_iter().flat_map(move |path| up_from(&top, path))
    }

    /// `4:memory:/path`: the group of a controller of v1 that has such a file. Inside a container
    /// the path may be the host's, which is not to be seen; what is, is the top.
    pub(crate) fn v1(&self, controller: &str, file: &str) -> Option<PathBuf> {
        let path = self.text.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == controller).then_some(path)
        })?;
        let top = self.root.join("sys/fs/cgroup").join(controller);
        up_from(&top, path).find(|dir| dir.join(file).exists())
    }
}

/// The group's directory and those above it, up to `top`.
fn up_from(top: &Path, path: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."))
        .map(str::to_owned)
        .collect();
    let top = top.to_owned();
    (0..=parts.len()).rev().map(move |length| {
        let mut dir = top.clone();
        dir.extend(parts.iter().take(length));
        dir
    })
}

/// `None` also for `max` and for what is below zero.
pub(crate) fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A line of a file of names and numbers.
pub(crate) fn stat(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}
