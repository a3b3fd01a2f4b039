//! The keys of a service: one that seals, and those that still open.

use std::{borrow::Borrow, fmt, mem, sync::Arc};

use buttress_core::Secret;
use zeroize::Zeroizing;

use crate::{
    context::{Context, Purpose, Scope},
    envelope::{self, BinaryHead, MIN_BODY, SUITE, Text, new_body},
    error::{KeyError, KeyErrorKind, SealError, SealErrorKind},
    key::{Key, variable},
    sealed::{Opened, Plain, Sealed},
};

/// The keys: the primary one, which seals, and old ones, which only open.
///
/// A value is opened with the key whose id it names, in one attempt. It is cheap to clone, and
/// all clones share the keys.
///
/// To rotate: make the new key the primary and the last one old, on every node; [`reseal`] what
/// is stored; take the old key away.
///
/// ```
/// use buttress_seal::{Key, KeyRing, Secret, Sealed, context};
///
/// let k1 = Key::generate()?.with_id("k1")?;
/// let k1_text = k1.to_text();
/// let old = KeyRing::new(k1);
/// let sealed: Sealed<String> = old.seal("hunter2", context!("api_keys.secret", 7))?;
///
/// let k1 = Key::parse(k1_text.expose())?;
/// let ring = KeyRing::new(Key::generate()?.with_id("k2")?).and_old(k1)?;
/// assert!(ring.needs_reseal(&sealed));
/// let again = ring.reseal(&sealed, context!("api_keys.secret", 7))?;
/// assert_eq!(again.key_id(), "k2");
/// let secret: Secret<String> = ring.open(&again, context!("api_keys.secret", 7))?;
/// assert_eq!(secret.expose(), "hunter2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`reseal`]: Self::reseal
#[derive(Clone)]
pub struct KeyRing {
    primary: Arc<Key>,
    // From the newest to the oldest.
    old: Arc<[Arc<Key>]>,
    /// How many of the old ones may open.
    openable: usize,
}

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub fn new(primary: Key) -> Self {
        Self { primary: Arc::new(primary), old: Arc::new([]), openable: usize::MAX }
    }

    /// With a key that still opens what it has sealed; the newest first.
    ///
    /// # Errors
    /// Where the ring has a key of this id, or this key under another id.
    pub fn and_old(self, key: Key) -> Result<Self, KeyError> {
        for other in self.keys() {
            if other.id() == key.id() {
                let message = format!("two keys of the ring have the id {}", key.id());
                return Err(KeyError::new(KeyErrorKind::DuplicateId, message));
            }
            if other.is_same_key(&key) {
                let message = format!("the keys {} and {} are the same", other.id(), key.id());
                return Err(KeyError::new(KeyErrorKind::DuplicateKey, message));
            }
        }
        let old = self.old.iter().map(Arc::clone).chain([Arc::new(key)]).collect();
        Ok(Self { old, ..self })
    }

    /// The ring of two environment variables: `name` holds the primary key, and `name` with `_OLD`
    /// behind it the old ones, if there are any, the newest first, with blanks or commas between.
    ///
    /// # Errors
    /// As [`Key::from_env`] and [`and_old`](Self::and_old).
    pub fn from_env(name: &str) -> Result<Self, KeyError> {
        let mut ring = Self::new(Key::from_env(name)?);
        let name = format!("{name}_OLD");
        if let Some(old) = variable(&name)? {
            for key in Key::parse_list(&old).map_err(|error| error.about(&name))? {
                ring = ring.and_old(key).map_err(|error| error.about(&name))?;
            }
        }
        Ok(ring)
    }

    /// Keys older than this one open nothing any more: a service that has been resealed refuses
    /// what an attacker brings back from an old backup, while the keys stay in its configuration.
    /// The order of age is that of [`and_old`](Self::and_old).
    ///
    /// # Errors
    /// Where the ring has no key of this id.
    pub fn oldest_openable(self, id: &str) -> Result<Self, KeyError> {
        let Some(openable) = self.keys().position(|key| key.id() == id) else {
            // What was asked for comes from a configuration, and it might be a key by mistake.
            let message = "the oldest openable key is none of the ring";
            return Err(KeyError::new(KeyErrorKind::UnknownId, message));
        };
        Ok(Self { openable, ..self })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn primary_id(&self) -> &str {
        self.primary.id()
    }

    /// The ids of the keys that open: the primary one's, and those of the old, newest first.
    pub fn openable_ids(&self) -> impl Iterator<Item = &str> {
        self.openable_keys().map(Key::id)
    }

    /// Seals a value into its place.
    ///
    /// # Errors
    /// [`TooLarge`](SealErrorKind::TooLarge) above [`MAX_VALUE`](crate::MAX_VALUE);
    /// [`Randomness`](SealErrorKind::Randomness).
    pub fn seal<T: Plain + ?Sized>(
        &self,
        value: &T,
        context: impl Borrow<Context>,
    ) -> Result<Sealed<T::Opened>, SealError> {
        self.seal_text(value.plain(), Purpose::Secret, context.borrow().as_bytes())
            .map(Sealed::trusted)
    }

    /// Opens a value in its place.
    ///
    /// # Errors
    /// [`UnknownKeyId`](SealErrorKind::UnknownKeyId), which names the key;
    /// [`Authentication`](SealErrorKind::Authentication) and
    /// [`Truncated`](SealErrorKind::Truncated) for what was not sealed like this, with this key,
    /// for this place; [`Malformed`](SealErrorKind::Malformed) where it is authentic and no `T`.
    pub fn open<T: Opened>(
        &self,
        sealed: &Sealed<T>,
        context: impl Borrow<Context>,
    ) -> Result<Secret<T>, SealError> {
        opened(self.open_text(sealed.as_str(), Purpose::Secret, context.borrow().as_bytes())?)
    }

    /// Whether another key than the primary one has sealed it, or so it says.
    #[must_use]
    pub fn needs_reseal<T>(&self, sealed: &Sealed<T>) -> bool {
        self.is_stale(sealed.as_str())
    }

    /// Opens a value and seals it with the primary key, whoever sealed it before.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`seal`](Self::seal).
    pub fn reseal<T>(
        &self,
        sealed: &Sealed<T>,
        context: impl Borrow<Context>,
    ) -> Result<Sealed<T>, SealError> {
        let context = context.borrow().as_bytes();
        let plain = self.open_text(sealed.as_str(), Purpose::Secret, context)?;
        self.seal_text(&plain, Purpose::Secret, context).map(Sealed::trusted)
    }

    /// Seals a text that may be sealed already: for a column that is just being sealed.
    ///
    /// What opens in this place is answered as it is, under whatever key. Everything else is
    /// sealed as the text that it is, however it looks: another row's value, a later version's,
    /// or a password that begins with `sealed.v1.`.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_if_needed(
        &self,
        text: &str,
        context: impl Borrow<Context>,
    ) -> Result<Sealed<String>, SealError> {
        let context = context.borrow();
        match self.open_text(text, Purpose::Secret, context.as_bytes()) {
            Ok(_) => Ok(Sealed::trusted(text)),
            Err(_) => self.seal(text, context),
        }
    }

    /// Opens a text that may not be sealed yet: for a column that is just being sealed.
    ///
    /// What begins with `sealed.v` is never taken for plain text: it opens, or it fails.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_if_sealed(
        &self,
        text: &str,
        context: impl Borrow<Context>,
    ) -> Result<Secret<String>, SealError> {
        if !text.starts_with("sealed.v") {
            return Ok(Secret::from(text));
        }
        opened(self.open_text(text, Purpose::Secret, context.borrow().as_bytes())?)
    }

    /// Seals a value into the binary form, for columns of bytes: a fourth shorter than text.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_binary<T: Plain + ?Sized>(
        &self,
        value: &T,
        context: impl Borrow<Context>,
    ) -> Result<Vec<u8>, SealError> {
        self.seal_bytes(value.plain(), context.borrow().as_bytes())
    }

    /// Opens a value of the binary form.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where it has not the form of one.
    pub fn open_binary<T: Opened>(
        &self,
        sealed: &[u8],
        context: impl Borrow<Context>,
    ) -> Result<Secret<T>, SealError> {
        opened(self.open_bytes(sealed, context.borrow().as_bytes())?)
    }

    /// Whether another key than the primary one has sealed these bytes, or so they say.
    ///
    /// # Errors
    /// Where they have not the form of a sealed value.
    pub fn needs_reseal_binary(&self, sealed: &[u8]) -> Result<bool, SealError> {
        let (head, _) = BinaryHead::split(sealed)?;
        Ok(head.key_id != self.primary_id())
    }

    /// A value to store once beside the data, by which a service can tell at its start that it
    /// has the keys of that data: see [`verify_canary`](Self::verify_canary).
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn canary(&self) -> Result<Sealed<String>, SealError> {
        self.seal(CANARY, canary_context())
    }

    /// Whether this ring has the key that the canary was sealed with.
    ///
    /// ```
    /// use buttress_seal::{Key, KeyRing, SealErrorKind};
    ///
    /// let ring = KeyRing::new(Key::generate()?.with_id("k1")?);
    /// let canary = ring.canary()?;
    /// ring.verify_canary(canary.as_str())?;
    ///
    /// let other = KeyRing::new(Key::generate()?.with_id("k1")?);
    /// let error = other.verify_canary(canary.as_str()).unwrap_err();
    /// assert_eq!(error.kind(), SealErrorKind::KeyMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyMismatch`](SealErrorKind::KeyMismatch) where the key's id is right and the key is not;
    /// else as [`open`](Self::open).
    pub fn verify_canary(&self, canary: &str) -> Result<(), SealError> {
        match self.open_text(canary, Purpose::Secret, canary_context().as_bytes()) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == SealErrorKind::Authentication => {
                Err(SealErrorKind::KeyMismatch.into())
            }
            Err(error) => Err(error),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&*self.primary).chain(self.old.iter().map(|key| &**key))
    }

    fn openable_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys().take(self.openable.saturating_add(1))
    }

    /// The key of this id, if it may open.
    pub(crate) fn key(&self, id: &str) -> Result<&Key, SealError> {
        let key = self.openable_keys().find(|key| key.id() == id);
        key.ok_or_else(|| SealError::unknown_key(id.into()))
    }

    pub(crate) fn primary(&self) -> &Key {
        &self.primary
    }

    /// What is sealed now, for this.
    pub(crate) fn scope<'a>(&'a self, purpose: Purpose, context: &'a [u8]) -> Scope<'a> {
        Scope { suite: SUITE, key_id: self.primary_id(), purpose, context }
    }

    pub(crate) fn is_stale(&self, text: &str) -> bool {
        Text::split(text)
            .is_ok_and(|parts| parts.key_id != self.primary_id() || parts.suite() != Some(SUITE))
    }

    pub(crate) fn seal_text(
        &self,
        plain: &[u8],
        purpose: Purpose,
        context: &[u8],
    ) -> Result<String, SealError> {
        let mut body = new_body(SUITE, plain.len(), 0)?;
        self.scope(purpose, context).seal(self.primary.prk(), plain, &mut body)?;
        Ok(envelope::to_text(self.primary_id(), &body))
    }

    fn seal_bytes(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        let head = BinaryHead { suite: SUITE, key_id: self.primary_id() };
        // The room for the body and what is before it, then the body without its suite.
        let mut out = new_body(SUITE, plain.len(), BinaryHead::len(self.primary_id()))?;
        out.clear();
        head.write(&mut out);
        self.scope(Purpose::Secret, context).seal(self.primary.prk(), plain, &mut out)?;
        Ok(out)
    }

    fn open_bytes(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, message) = BinaryHead::split(sealed)?;
        if message.len() > envelope::MAX_MESSAGE {
            return Err(SealErrorKind::TooLarge.into());
        }
        let key = self.key(head.key_id)?;
        if head.suite != SUITE {
            return Err(SealErrorKind::Authentication.into());
        }
        let mut message = Zeroizing::new(message.to_vec());
        let scope = Scope { suite: SUITE, key_id: key.id(), purpose: Purpose::Secret, context };
        scope.open(key.prk(), &mut message, 0)?;
        Ok(message)
    }

    pub(crate) fn open_text(
        &self,
        text: &str,
        purpose: Purpose,
        context: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts = Text::split(text)?;
        let key = self.key(parts.key_id)?;
        let mut body = parts.decode()?;
        if body.len() < MIN_BODY {
            return Err(SealErrorKind::Truncated.into());
        }
        if body.first() != Some(&SUITE) {
            return Err(SealErrorKind::Authentication.into());
        }
        if body.len() > 1 + envelope::MAX_MESSAGE {
            return Err(SealErrorKind::TooLarge.into());
        }
        let scope = Scope { suite: SUITE, key_id: key.id(), purpose, context };
        scope.open(key.prk(), &mut body, 1)?;
        Ok(body)
    }
}

/// What is in every canary: nothing that is secret.
const CANARY: &str = "canary";

fn canary_context() -> Context {
    Context::new("sealed.v1/canary")
}

pub(crate) fn opened<T: Opened>(mut plain: Zeroizing<Vec<u8>>) -> Result<Secret<T>, SealError> {
    let value = T::from_plain(mem::take(&mut *plain)).ok_or(SealErrorKind::Malformed)?;
    Ok(Secret::new(value))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("primary", &self.primary_id())
            .field("openable", &self.openable_ids().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
