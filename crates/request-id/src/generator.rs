//! What a new id looks like.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::HeaderValue;

use crate::{Uuid, id::is_valid};

/// Makes new ids.
///
/// ```
/// use buttress_request_id::Generator;
///
/// assert_eq!(Generator::Uuid7.generate().len(), 36);
/// assert_eq!(Generator::Ulid.generate().len(), 26);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Generator {
    /// [`Uuid::v7`]: sorts by time.
    #[default]
    Uuid7,
    /// The same bits as a ULID: 26 characters, sorts by time.
    Ulid,
    /// [`Uuid::v4`]: random; for ids that must not tell when they were made.
    Uuid4,
    /// Ids of the application's own: [`Generator::custom`].
    Custom(Custom),
}

/// A function that makes ids; see [`Generator::custom`].
///
/// ```
/// use buttress_request_id::{Custom, Generator};
///
/// fn own(generator: &Generator) -> Option<&Custom> {
///     match generator {
///         Generator::Custom(function) => Some(function),
///         _ => None,
///     }
/// }
/// assert!(own(&Generator::custom(|| "web-1.42")).is_some());
/// assert!(own(&Generator::Ulid).is_none());
/// ```
#[derive(Clone)]
pub struct Custom(Arc<Function<dyn Fn() -> Option<HeaderValue> + Send + Sync>>);

struct Function<F: ?Sized> {
    refused: AtomicBool,
    make: F,
}

impl Generator {
    /// Takes new ids from `make`.
    ///
    /// What it makes must be a valid id ([`is_valid`]). Where it is not, the request gets a
    /// UUIDv7, and the first time a warning is logged: an id that breaks the rule would be refused
    /// by the next service anyway, and a request is not turned away for it.
    ///
    /// ```
    /// use buttress_request_id::Generator;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let count = AtomicU64::new(1);
    /// let counting = Generator::custom(move || format!("web-1.{}", count.fetch_add(1, Ordering::Relaxed)));
    /// assert_eq!(counting.generate(), "web-1.1");
    ///
    /// let broken = Generator::custom(|| "two words");
    /// assert_eq!(broken.generate().len(), 36);
    /// ```
    pub fn custom<F, T>(make: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: TryInto<HeaderValue>,
    {
        Self::Custom(Custom(Arc::new(Function {
            refused: AtomicBool::new(false),
            make: move || make().try_into().ok(),
        })))
    }

    /// A new id, as it goes into a header. Clones of the value share its memory.
    #[must_use]
    pub fn generate(&self) -> HeaderValue {
        match self {
            Self::Uuid7 => Uuid::v7().to_header_value(),
            Self::Ulid => Uuid::v7().to_ulid_header_value(),
            Self::Uuid4 => Uuid::v4().to_header_value(),
            Self::Custom(Custom(function)) => (function.make)()
                .filter(|id| is_valid(id.as_bytes()))
                .unwrap_or_else(|| function.replacement()),
        }
    }
}

impl<F: ?Sized> Function<F> {
    #[cold]
    fn replacement(&self) -> HeaderValue {
        if !self.refused.swap(true, Relaxed) {
            tracing::warn!("the generator of request ids made an invalid one: UUIDv7 stands in");
        }
        Uuid::v7().to_header_value()
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<fn>")
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uuid7 => "UUIDv7",
            Self::Ulid => "ULID",
            Self::Uuid4 => "UUIDv4",
            Self::Custom(_) => "custom",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::Generator;
    use crate::is_valid;

    #[test]
    fn whatever_makes_it_an_id_is_valid() {
        let generators = [
            Generator::Uuid7,
            Generator::Ulid,
            Generator::Uuid4,
            Generator::custom(|| "mine"),
            Generator::custom(String::new),
            Generator::custom(|| "x".repeat(129)),
            Generator::custom(|| "line\nfeed"),
            Generator::custom(|| HeaderValue::from_static("a/b")),
        ];
        for generator in generators {
            let id = generator.generate();
            assert!(is_valid(id.as_bytes()), "{generator:?} made {id:?}");
        }
    }

    #[test]
    fn a_clone_of_a_custom_generator_goes_on_with_it() {
        let count = std::sync::atomic::AtomicU64::new(0);
        let one =
            Generator::custom(move || count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let other = one.clone();
        assert_eq!((one.generate(), other.generate()), (0.into(), 1.into()));
    }
}
