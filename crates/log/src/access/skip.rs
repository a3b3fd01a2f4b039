//! The paths of which nobody needs to read.

use std::fmt;

use super::{ConfigError, ConfigErrorKind};

#[derive(Clone, Debug, Default)]
pub(super) struct Skipped(Vec<Pattern>);

#[derive(Clone, Debug)]
enum Pattern {
    Exact(Box<str>),
    /// With the slash at its end.
    Below(Box<str>),
}

impl Skipped {
    pub(super) fn add(&mut self, path: &str) -> Result<(), ConfigError> {
        let refused = |why: &str| {
            let message = format!("path {path:?}: {why}");
            Err(ConfigError::new(ConfigErrorKind::InvalidPath, message))
        };
        if !path.starts_with('/') {
            return refused("it begins with '/'");
        }
        let below = path.strip_suffix('*').filter(|parent| parent.ends_with('/'));
        if below.unwrap_or(path).contains('*') {
            return refused("'*' stands as the last segment only, as in /health/*");
        }
        if path.contains(['?', '#']) {
            return refused("a path has no '?' and no '#'");
        }
        self.0.push(match below {
            Some(parent) => Pattern::Below(parent.into()),
            None => Pattern::Exact(path.into()),
        });
        Ok(())
    }

    pub(super) fn has(&self, path: Option<&str>) -> bool {
        path.is_some_and(|path| {
            self.0.iter().any(|pattern| match pattern {
                Pattern::Exact(exact) => **exact == *path,
                Pattern::Below(parent) => path.len() > parent.len() && path.starts_with(&**parent),
            })
        })
    }
}

/// As they were given: `, skips /metrics, /health/*`, or nothing.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pattern) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { ", skips " } else { ", " })?;
            match pattern {
                Pattern::Exact(exact) => f.write_str(exact)?,
                Pattern::Below(parent) => write!(f, "{parent}*")?,
            }
        }
        Ok(())
    }
}
