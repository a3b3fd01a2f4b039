use std::error::Error;
use std::fmt;

/// The error that a probe answers with when it is told to: it can be told from any other, so a
/// layer that swaps an error for its own is seen.
///
/// ```
/// use buttress_conformance::ProbeError;
///
/// let error = ProbeError::new("the inner failed");
/// assert_eq!(error.to_string(), "the inner failed");
/// assert_ne!(error, ProbeError::new("something else"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError(&'static str);

impl ProbeError {
    /// An error with this text, by which it is known again.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ProbeError {}
