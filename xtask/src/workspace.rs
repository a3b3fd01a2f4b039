//! The members, read from their manifests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::manifest::{self, Manifest};

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) manifest: Manifest,
    pub(crate) dir: PathBuf,
}

impl Member {
    pub(crate) fn name(&self) -> &str {
        &self.manifest.name
    }
}

/// Every member that the root's `[workspace] members` names, by path.
pub(crate) fn members(root: &Path) -> Result<Vec<Member>, Failure> {
    let text = read(&root.join("Cargo.toml"))?;
    let entries = manifest::entries(&text);
    let patterns = entries
        .iter()
        .find(|entry| entry.path == ["workspace", "members"])
        .ok_or("the root's Cargo.toml names no members")?;
    let mut members = Vec::new();
    for pattern in manifest::array(&patterns.value) {
        for dir in directories(root, pattern)? {
            members
                .push(Member { manifest: Manifest::parse(&read(&dir.join("Cargo.toml"))?), dir });
        }
    }
    Ok(members)
}

/// Those that users get.
pub(crate) fn published(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| member.manifest.publish)
}

/// The version that `[workspace.dependencies]` asks of a crate.
pub(crate) fn requirement(root: &Path, name: &str) -> Result<String, Failure> {
    let text = read(&root.join("Cargo.toml"))?;
    let entries = manifest::entries(&text);
    let entry = entries
        .iter()
        .find(|entry| entry.path == ["workspace", "dependencies", name])
        .ok_or_else(|| format!("[workspace.dependencies] does not name `{name}`"))?;
    let version = manifest::inline(&entry.value)
        .find_map(|(key, value)| (key == "version").then_some(value))
        .unwrap_or(&entry.value);
    Ok(manifest::unquoted(version).to_owned())
}

pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Every file below a folder whose name ends so, sorted; none if there is no such folder.
pub(crate) fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for path in children(&dir) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|known| known == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn directories(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let Some(parent) = pattern.strip_suffix("/*") else {
        return Ok(vec![root.join(pattern)]);
    };
    let parent = root.join(parent);
    let found: Vec<PathBuf> =
        children(&parent).into_iter().filter(|dir| dir.join("Cargo.toml").is_file()).collect();
    if found.is_empty() {
        return Err(format!("`{pattern}` in the root's Cargo.toml names no package").into());
    }
    Ok(found)
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::root;

    #[test]
    fn the_members_are_found_as_the_root_names_them() {
        let members = members(root()).unwrap();
        let names: Vec<&str> = members.iter().map(Member::name).collect();
        for name in ["buttress-core", "buttress", "example-axum", "xtask"] {
            assert!(names.contains(&name), "{name} not in {names:?}");
        }
        assert!(!names.contains(&""));
    }

    #[test]
    fn a_requirement_is_read_in_both_notations() {
        assert_eq!(requirement(root(), "axum").unwrap(), "0.8");
        assert!(requirement(root(), "tonic").unwrap().starts_with("0.14"));
        requirement(root(), "no-such-crate").unwrap_err();
    }
}
