use std::fmt;

use crate::Law;

/// A law that a layer breaks, and what was seen. It prints as what an assertion says: the law, what
/// was seen, what to do.
///
/// ```
/// use buttress_conformance::{Law, Laws};
/// use tower_layer::Identity;
///
/// // A layer that counts nothing, said to count calls.
/// let findings = Laws::of(Identity::new()).counts_calls(|| 0).findings();
/// assert_eq!(findings[0].law(), Law::SharedState);
/// println!("{}", findings[0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    law: Law,
    seen: String,
}

/// Whether a layer keeps a law.
pub(crate) type Verdict<T = ()> = Result<T, Finding>;

impl Finding {
    pub(crate) fn new(law: Law, seen: impl Into<String>) -> Self {
        Self { law, seen: seen.into() }
    }

    /// Of a law that was left out, found where another cannot be checked for it.
    pub(crate) fn in_the_way_of(mut self, law: Law) -> Self {
        self.seen.push_str(" (it was left out, but as it is the law of ");
        self.seen.push_str(law.name());
        self.seen.push_str(" cannot be checked)");
        self
    }

    /// The law that is broken.
    #[must_use]
    pub const fn law(&self) -> Law {
        self.law
    }

    /// What was seen.
    #[must_use]
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

impl Law {
    /// `Ok` if the law is kept.
    pub(crate) fn kept(self, kept: bool, seen: impl FnOnce() -> String) -> Verdict {
        if kept { Ok(()) } else { Err(Finding::new(self, seen())) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { law, seen } = self;
        writeln!(f, "the law of {law} is broken: {}", law.statement())?;
        writeln!(f, "  seen: {seen}")?;
        write!(f, "  to do: {}", law.remedy())
    }
}

impl std::error::Error for Finding {}
