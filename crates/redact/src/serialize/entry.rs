//! A key looked at before it is written, and the value that is written for it.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{
    Scope,
    scalar::{Scalar, WithScalar},
};
use crate::{Censor, Verdict, scratch};

/// What is known of an entry by its key.
#[derive(Clone, Copy)]
pub(super) struct Entry<'r> {
    pub(super) below: Scope<'r>,
    pub(super) verdict: Verdict<'r>,
    /// The key itself is sensitive by its look.
    pub(super) hides_key: bool,
}

impl<'r> Entry<'r> {
    /// By any key. One that is a struct or a list has no name to be judged by: the format decides
    /// whether it takes such keys at all.
    pub(super) fn of<T: Serialize + ?Sized>(scope: Scope<'r>, key: &T) -> Self {
        let judged = key.serialize(WithScalar(|scalar: Scalar<'_>| match scalar {
            Scalar::Nothing => Self::named(scope, ""),
            Scalar::Text(name) => Self::named(scope, name),
            Scalar::Other(name) => {
                scratch::formatted(format_args!("{name}"), |name| Self::named(scope, name))
            }
        }));
        judged.unwrap_or_else(|_| Self::named(scope, ""))
    }

    /// By a field's name, which is in the program and nothing to hide.
    pub(super) fn field(scope: Scope<'r>, name: &str) -> Self {
        let (below, censor) = scope.key(name);
        Self { below, verdict: scope.rules.verdict(censor), hides_key: false }
    }

    fn named(scope: Scope<'r>, name: &str) -> Self {
        Self { hides_key: !scope.rules.is_clear(name), ..Self::field(scope, name) }
    }
}

/// The value of a sensitive key.
pub(super) struct Censored<'a, T: ?Sized> {
    pub(super) value: &'a T,
    pub(super) censor: &'a Censor,
}

impl<T: Serialize + ?Sized> Serialize for Censored<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Taken by the scalar, if it comes to that.
        let mut left = Some(serializer);
        let scalar = WithScalar(|scalar: Scalar<'_>| {
            left.take().map(|serializer| match scalar {
                Scalar::Nothing => serializer.serialize_none(),
                Scalar::Text(text) => self.shown(&text, serializer),
                Scalar::Other(value) => self.shown(value, serializer),
            })
        });
        match self.value.serialize(scalar) {
            Ok(Some(done)) => done,
            _ => match left {
                Some(serializer) => serializer.serialize_str(self.censor.whole()),
                None => Err(serde::ser::Error::custom("the value was serialized twice")),
            },
        }
    }
}

impl<T: ?Sized> Censored<'_, T> {
    fn shown<S: Serializer>(
        &self,
        value: &dyn fmt::Display,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if self.censor.needs_text() {
            return serializer.collect_str(&Shown { censor: self.censor, value });
        }
        serializer.serialize_str(self.censor.whole())
    }
}

/// What a censor makes of a scalar.
pub(super) struct Shown<'a> {
    pub(super) censor: &'a Censor,
    pub(super) value: &'a dyn fmt::Display,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.censor.write(self.value, f)
    }
}
