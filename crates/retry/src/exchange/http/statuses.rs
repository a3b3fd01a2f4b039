//! Which statuses a retry may mend.

use std::fmt;

use http::StatusCode;

use crate::error::{ConfigError, ConfigErrorKind as Kind};

const FIRST: u16 = 400;
const COUNT: u16 = 200;
const WORD: u16 = 64;

/// A bit for each of 400 to 599.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statuses([u64; 4]);

impl Statuses {
    /// # Errors
    /// What is no failure, and those that say themselves that it will be the same next time.
    pub(crate) fn add(&mut self, status: StatusCode) -> Result<(), ConfigError> {
        let never =
            [StatusCode::NOT_IMPLEMENTED, StatusCode::HTTP_VERSION_NOT_SUPPORTED].contains(&status);
        let Some((word, bit)) = self.at(status).filter(|_| !never) else {
            let message = format!("{} is not mended by a retry", status.as_u16());
            return Err(ConfigError::new(Kind::Status, message));
        };
        *word |= bit;
        Ok(())
    }

    pub(crate) fn remove(&mut self, status: StatusCode) {
        if let Some((word, bit)) = self.at(status) {
            *word &= !bit;
        }
    }

    pub(crate) fn has(mut self, status: StatusCode) -> bool {
        self.at(status).is_some_and(|(word, bit)| *word & bit != 0)
    }

    fn at(&mut self, status: StatusCode) -> Option<(&mut u64, u64)> {
        let offset = status.as_u16().checked_sub(FIRST).filter(|offset| *offset < COUNT)?;
        let word = self.0.get_mut(usize::from(offset / WORD))?;
        Some((word, 1 << (offset % WORD)))
    }
}

/// 408, 425, 429, 502, 503 and 504: the server was not reached, or says to come back.
impl Default for Statuses {
    fn default() -> Self {
        let mut statuses = Self([0; 4]);
        for code in [408, 425, 429, 502, 503, 504] {
            let status = StatusCode::from_u16(code).unwrap_or_default();
            // They are all ones that can be added.
            let _ = statuses.add(status);
        }
        statuses
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = (FIRST..600).filter_map(|code| StatusCode::from_u16(code).ok());
        f.debug_set()
            .entries(all.filter(|status| self.has(*status)).map(|status| status.as_u16()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_set_and_what_may_be_chosen() {
        let mut statuses = Statuses::default();
        assert_eq!(format!("{statuses:?}"), "{408, 425, 429, 502, 503, 504}");
        assert!(statuses.add(StatusCode::INTERNAL_SERVER_ERROR).is_ok());
        statuses.remove(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(format!("{statuses:?}"), "{408, 425, 500, 502, 503, 504}");
        for code in [200, 301, 501, 505, 600, 999] {
            let status = StatusCode::from_u16(code).unwrap();
            assert!(statuses.add(status).is_err(), "{code}");
            assert!(!statuses.has(status));
        }
    }
}
