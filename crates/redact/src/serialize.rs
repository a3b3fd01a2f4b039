//! Any `Serialize` through the rules, as it streams.

mod compound;
mod entry;
mod scalar;
mod serializer;

use std::fmt;

use serde::{Serialize, Serializer};

use self::serializer::Redactor;
use crate::{Rules, path::Place};

/// A value that is serialised through the default rules, at any depth, with no copy made of it.
///
/// ```
/// use buttress_redact::Redacted;
/// use serde_json::json;
///
/// let user = json!({"name": "Ada", "logins": [{"apiKey": 4711, "max_tokens": 9}]});
/// assert_eq!(
///     serde_json::to_value(Redacted(&user))?,
///     json!({"name": "Ada", "logins": [{"apiKey": "[REDACTED]", "max_tokens": 9}]}),
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # What is replaced
/// - The value under a sensitive key, as a whole, whatever it is; nothing stays nothing (`None`,
///   `null`, `()`).
/// - In any other text what is sensitive by its look; and so a number, and a map's key.
/// - What a sensitive enum variant holds: the leaves are replaced, and its shape stays.
/// - `serde_json`'s `RawValue`, because nothing is known of what is in it.
///
/// [`Censor::remove`](crate::Censor::remove) leaves fields of structs and entries of maps out, and
/// makes elements of lists and what a variant holds an empty text. A format that needs to know the
/// number of entries beforehand may refuse the map then.
///
/// `Debug` prints nothing of the value.
#[derive(Clone, Copy, Default)]
pub struct Redacted<T>(pub T);

/// A value that is serialised through rules of yours, from [`Rules::redacted`].
#[derive(Clone, Copy)]
pub struct RedactedBy<'a, T: ?Sized> {
    rules: &'a Rules,
    value: &'a T,
}

impl Rules {
    /// The value, serialised through these rules. See [`Redacted`].
    ///
    /// ```
    /// use buttress_redact::{Censor, Rules};
    /// use serde_json::json;
    ///
    /// let rules = Rules::new()
    ///     .redact_path("users[*].email")?
    ///     .redact_path_with("**.iban", Censor::keep_last(4))?;
    /// let value = json!({"users": [{"email": "ada@example.com", "iban": "DE02120300000000202051"}]});
    /// assert_eq!(
    ///     serde_json::to_value(rules.redacted(&value))?,
    ///     json!({"users": [{"email": "[REDACTED]", "iban": "[..2051]"}]}),
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn redacted<'a, T: Serialize + ?Sized>(&'a self, value: &'a T) -> RedactedBy<'a, T> {
        RedactedBy { rules: self, value }
    }
}

impl<T: Serialize> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Rules::standard().redacted(&self.0).serialize(serializer)
    }
}

impl<T: Serialize + ?Sized> Serialize for RedactedBy<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scope = Scope { rules: self.rules, place: self.rules.paths().start(), forced: None };
        self.value.serialize(Redactor::new(serializer, scope))
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacted").finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for RedactedBy<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactedBy").finish_non_exhaustive()
    }
}

/// Where in the value we are, and what goes for all of what is below.
#[derive(Clone, Copy)]
struct Scope<'r> {
    rules: &'r Rules,
    place: Place,
    // The censor of every leaf, inside of a sensitive variant.
    forced: Option<u16>,
}

impl<'r> Scope<'r> {
    /// One key down, and the censor of what is there.
    fn key(self, key: &str) -> (Self, Option<u16>) {
        let (scope, hit) = self.step(key);
        (scope, hit.or_else(|| self.rules.keys().judge(key.bytes())))
    }

    /// One element down.
    fn index(self, index: usize) -> (Self, Option<u16>) {
        if self.rules.paths().is_empty() {
            return (self, None);
        }
        let (place, hit) = self.rules.paths().step_index(self.place, index);
        (Self { place, ..self }, hit)
    }

    fn step(self, key: &str) -> (Self, Option<u16>) {
        if self.rules.paths().is_empty() {
            return (self, None);
        }
        let (place, hit) = self.rules.paths().step(self.place, key);
        (Self { place, ..self }, hit)
    }

    /// A variant's content: censored leaf by leaf if its name is sensitive.
    fn variant(self, variant: &str) -> Self {
        let (scope, hit) = self.key(variant);
        Self { forced: self.forced.or(hit), ..scope }
    }

    fn below<'v, T: ?Sized>(self, value: &'v T) -> Below<'r, 'v, T> {
        Below { value, scope: self }
    }
}

/// A value with its place.
struct Below<'r, 'v, T: ?Sized> {
    value: &'v T,
    scope: Scope<'r>,
}

impl<T: Serialize + ?Sized> Serialize for Below<'_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Redactor::new(serializer, self.scope))
    }
}

/// A text with what is sensitive by its look censored.
struct Text<'a> {
    rules: &'a Rules,
    text: &'a str,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.text(self.text, f)
    }
}
