//! What the layers around a client tell one another.

use std::num::NonZeroU32;

use http::Request;

/// Which try of one request this is, counted from 1.
///
/// Who repeats requests puts it among the extensions of each try after the first; a breaker
/// further in lets none of those be a probe, since what failed a moment ago is a bad question to
/// ask a service that is coming back.
///
/// ```
/// use buttress_core::outbound::Attempt;
/// use http::Request;
///
/// let mut request = Request::new(());
/// assert!(Attempt::of(&request).is_first());
///
/// request.extensions_mut().insert(Attempt::after(1));
/// assert_eq!(Attempt::of(&request).number(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The first.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The one after so many.
    #[must_use]
    pub const fn after(attempts: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(attempts))
    }

    /// Which it is; 1 is the first.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// Whether nothing was tried before.
    #[must_use]
    pub const fn is_first(self) -> bool {
        self.number() == 1
    }

    /// As the request says: the first, where it says nothing.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        request.extensions().get().copied().unwrap_or(Self::FIRST)
    }
}
