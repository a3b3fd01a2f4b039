//! Data keys that a key service has wrapped.

use std::{
    borrow::Borrow,
    collections::HashMap,
    error::Error,
    fmt,
    future::{self, Future},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use buttress_core::Secret;
use ring::{
    hkdf,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{
    chunked::KEY,
    context::{Context, Purpose, Scope},
    envelope::{self, MAX_WRAPPED, SUITE_WRAPPED, Text, new_body},
    error::{SealError, SealErrorKind},
    key::is_key_id,
    ring::{KeyRing, opened},
    sealed::{Opened, Plain, Sealed},
};

/// A service that wraps keys: AWS KMS, Google Cloud KMS, Vault's transit engine, an HSM. Its own
/// key never leaves it.
///
/// A [`KeyRing`] is one too, under which data keys can be made in a process.
///
/// ```
/// use buttress_seal::{KeyWrap, Secret};
///
/// struct Vault;
///
/// impl KeyWrap for Vault {
///     type Error = std::io::Error;
///
///     fn id(&self) -> &str {
///         "orders-3"
///     }
///
///     async fn wrap(&self, key: &Secret<[u8; 32]>) -> Result<Vec<u8>, Self::Error> {
///         // POST /v1/transit/encrypt/orders
///         # Ok(key.expose().to_vec())
///     }
///
///     async fn unwrap_key(&self, id: &str, wrapped: &[u8]) -> Result<Secret<[u8; 32]>, Self::Error> {
///         // POST /v1/transit/decrypt/orders
///         # wrapped.try_into().map(Secret::new).map_err(|_| std::io::ErrorKind::InvalidData.into())
///     }
/// }
/// ```
pub trait KeyWrap: Send + Sync {
    /// Why the service did not do it.
    type Error: Send;

    /// The id of the service's key that wraps now, which stands in each value in place of a key's
    /// id: 1 to 32 of `A-Z a-z 0-9 _ -`.
    fn id(&self) -> &str;

    /// Wraps a data key with the service's present key: 16 KiB at most.
    fn wrap(
        &self,
        key: &Secret<[u8; 32]>,
    ) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;

    /// Unwraps a data key that was wrapped with the service's key `id`. The id comes from the
    /// value: whoever can change the value can change it.
    fn unwrap_key(
        &self,
        id: &str,
        wrapped: &[u8],
    ) -> impl Future<Output = Result<Secret<[u8; 32]>, Self::Error>> + Send;
}

/// Seals values with data keys, each wrapped by a key service and stored with its values.
///
/// A data key seals for an hour, or a million values, and is kept for opening for five minutes
/// after it was unwrapped, 1,000 of them at most: so the service is asked seldom, and whoever is
/// locked out there is locked out here soon. Several tasks that miss the same key at once ask
/// more than once. Nothing is locked while the service is asked, and a call that is dropped
/// leaves nothing behind.
///
/// A value's text begins as one of a [`KeyRing`] does; its suite is another, and neither opens
/// what the other has sealed.
///
/// ```
/// use buttress_seal::{Key, KeyRing, Sealed, WrappedKeys, context};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = WrappedKeys::new(KeyRing::new(Key::generate()?));
/// let sealed: Sealed<String> = keys.seal("hunter2", context!("users.token", 7)).await?;
/// let secret = keys.open(&sealed, context!("users.token", 7)).await?;
/// assert_eq!(secret.expose(), "hunter2");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WrappedKeys<W> {
    service: Arc<W>,
    keys: Arc<Mutex<Keys>>,
    seals_for: Duration,
    seals_at_most: u64,
    kept_for: Duration,
    kept_at_most: usize,
}

#[derive(Default)]
struct Keys {
    sealing: Option<Sealing>,
    unwrapped: HashMap<Box<[u8]>, Unwrapped>,
}

/// The data key that seals now.
struct Sealing {
    key: Arc<hkdf::Prk>,
    service_key: Box<str>,
    wrapped: Arc<[u8]>,
    made: Instant,
    sealed: u64,
}

struct Unwrapped {
    key: Arc<hkdf::Prk>,
    since: Instant,
}

impl<W> WrappedKeys<W> {
    /// With data keys of this service's wrapping.
    #[must_use]
    pub fn new(service: W) -> Self {
        Self {
            service: Arc::new(service),
            keys: Arc::default(),
            seals_for: Duration::from_secs(3600),
            seals_at_most: 1_000_000,
            kept_for: Duration::from_secs(300),
            kept_at_most: 1_000,
        }
    }

    /// How long, and how many values, one data key seals; whatever is over first. Zero is a data
    /// key for each value.
    #[must_use]
    pub fn data_key_seals(self, time: Duration, values: u64) -> Self {
        Self { seals_for: time, seals_at_most: values, ..self }
    }

    /// How long an unwrapped key is kept, and how many of them. Zero asks the service for each
    /// value.
    #[must_use]
    pub fn unwrapped_kept(self, time: Duration, keys: usize) -> Self {
        Self { kept_for: time, kept_at_most: keys, ..self }
    }

    /// The service that wraps.
    #[must_use]
    pub fn service(&self) -> &W {
        &self.service
    }

    /// How many unwrapped keys are in memory now, expired ones among them until others come.
    #[must_use]
    pub fn unwrapped(&self) -> usize {
        self.lock().unwrapped.len()
    }

    /// Forgets all keys, the one that seals too.
    pub fn forget(&self) {
        *self.lock() = Keys::default();
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: KeyWrap> WrappedKeys<W> {
    /// Seals a value into its place.
    ///
    /// # Errors
    /// As [`KeyRing::seal`], and those of the service.
    pub async fn seal<T: Plain + ?Sized + Sync>(
        &self,
        value: &T,
        context: impl Borrow<Context> + Send,
    ) -> Result<Sealed<T::Opened>, WrapError<W::Error>> {
        let (key, service_key, wrapped) = self.data_key().await?;
        let plain = value.plain();
        let mut body = new_body(SUITE_WRAPPED, plain.len(), 2 + wrapped.len())?;
        let length = u16::try_from(wrapped.len()).map_err(|_| SealErrorKind::TooLarge)?;
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(&wrapped);
        let scope = scope(&service_key, context.borrow());
        scope.seal(&key, plain, &mut body)?;
        Ok(Sealed::trusted(envelope::to_text(&service_key, &body)))
    }

    /// Opens a value in its place.
    ///
    /// # Errors
    /// As [`KeyRing::open`], but that it is the service that knows the keys; and those of the
    /// service.
    pub async fn open<T: Opened>(
        &self,
        sealed: &Sealed<T>,
        context: impl Borrow<Context> + Send,
    ) -> Result<Secret<T>, WrapError<W::Error>> {
        let parts = Text::split(sealed.as_str())?;
        let mut body = parts.decode()?;
        let (length, wrapped) = match body.as_slice() {
            [SUITE_WRAPPED, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                (length, rest.get(..length).ok_or(SealErrorKind::Truncated)?)
            }
            [SUITE_WRAPPED, ..] | [] => {
                return Err(SealError::from(SealErrorKind::Truncated).into());
            }
            _ => return Err(SealError::from(SealErrorKind::Authentication).into()),
        };
        if length > MAX_WRAPPED {
            return Err(SealError::from(SealErrorKind::TooLarge).into());
        }
        let key = self.unwrapped_key(parts.key_id, wrapped).await?;
        scope(parts.key_id, context.borrow()).open(&key, &mut body, 3 + length)?;
        Ok(opened(body)?)
    }

    /// Whether another key than the service's present one has wrapped its data key, or so it says.
    #[must_use]
    pub fn needs_reseal<T>(&self, sealed: &Sealed<T>) -> bool {
        let suite = Text::split(sealed.as_str()).ok().and_then(|parts| parts.suite());
        sealed.key_id() != self.service.id() || suite != Some(SUITE_WRAPPED)
    }

    /// Opens a value and seals it with a data key of the service's present key.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`seal`](Self::seal).
    pub async fn reseal<T>(
        &self,
        sealed: &Sealed<T>,
        context: impl Borrow<Context> + Send + Sync,
    ) -> Result<Sealed<T>, WrapError<W::Error>> {
        let context = context.borrow();
        let bytes = Sealed::<Vec<u8>>::trusted(sealed.as_str());
        let plain = self.open(&bytes, context).await?;
        let again = self.seal(&plain, context).await?;
        Ok(Sealed::trusted(again.into_string()))
    }

    /// The key to seal with, the id of what wrapped it, and it wrapped.
    async fn data_key(&self) -> Result<DataKey, WrapError<W::Error>> {
        let id = self.service.id();
        if !is_key_id(id) {
            return Err(SealError::from(SealErrorKind::Malformed).into());
        }
        if let Some(found) = self.sealing(id, Instant::now()) {
            return Ok(found);
        }
        let bytes = random_key()?;
        let wrapped: Arc<[u8]> =
            self.service.wrap(&bytes).await.map_err(WrapError::Service)?.into();
        if wrapped.len() > MAX_WRAPPED {
            return Err(SealError::from(SealErrorKind::TooLarge).into());
        }
        let key = Arc::new(prk(&bytes));
        let made = Sealing {
            key: Arc::clone(&key),
            service_key: id.into(),
            wrapped: Arc::clone(&wrapped),
            made: Instant::now(),
            sealed: 1,
        };
        self.lock().sealing = Some(made);
        Ok((key, id.into(), wrapped))
    }

    fn sealing(&self, id: &str, now: Instant) -> Option<DataKey> {
        let mut keys = self.lock();
        let sealing = keys.sealing.as_mut().filter(|sealing| {
            &*sealing.service_key == id
                && sealing.sealed < self.seals_at_most
                && now.saturating_duration_since(sealing.made) < self.seals_for
        })?;
        sealing.sealed += 1;
        let key = Arc::clone(&sealing.key);
        Some((key, sealing.service_key.clone(), Arc::clone(&sealing.wrapped)))
    }

    async fn unwrapped_key(
        &self,
        id: &str,
        wrapped: &[u8],
    ) -> Result<Arc<hkdf::Prk>, WrapError<W::Error>> {
        // An id has no dot.
        let name: Box<[u8]> = [id.as_bytes(), b".", wrapped].concat().into();
        let now = Instant::now();
        let is_fresh = |key: &Unwrapped, now: Instant| {
            now.saturating_duration_since(key.since) < self.kept_for
        };
        if let Some(found) = self.lock().unwrapped.get(&name).filter(|key| is_fresh(key, now)) {
            return Ok(Arc::clone(&found.key));
        }
        let bytes = self.service.unwrap_key(id, wrapped).await.map_err(WrapError::Service)?;
        let key = Arc::new(prk(&bytes));
        if self.kept_at_most > 0 && !self.kept_for.is_zero() {
            let now = Instant::now();
            let mut keys = self.lock();
            if keys.unwrapped.len() >= self.kept_at_most && !keys.unwrapped.contains_key(&name) {
                keys.unwrapped.retain(|_, key| is_fresh(key, now));
            }
            if keys.unwrapped.len() >= self.kept_at_most && !keys.unwrapped.contains_key(&name) {
                let oldest = keys.unwrapped.iter().min_by_key(|(_, key)| key.since);
                if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                    keys.unwrapped.remove(&oldest);
                }
            }
            keys.unwrapped.insert(name, Unwrapped { key: Arc::clone(&key), since: now });
        }
        Ok(key)
    }
}

type DataKey = (Arc<hkdf::Prk>, Box<str>, Arc<[u8]>);

fn random_key() -> Result<Secret<[u8; KEY]>, SealError> {
    let mut bytes = Zeroizing::new([0; KEY]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| SealErrorKind::Randomness)?;
    Ok(Secret::new(*bytes))
}

fn prk(bytes: &Secret<[u8; KEY]>) -> hkdf::Prk {
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, bytes.expose())
}

fn scope<'a>(key_id: &'a str, context: &'a Context) -> Scope<'a> {
    let context = context.as_bytes();
    Scope { suite: SUITE_WRAPPED, key_id, purpose: Purpose::Secret, context }
}

/// Data keys under the ring's primary key.
impl KeyWrap for KeyRing {
    type Error = SealError;

    fn id(&self) -> &str {
        self.primary_id()
    }

    fn wrap(
        &self,
        key: &Secret<[u8; 32]>,
    ) -> impl Future<Output = Result<Vec<u8>, SealError>> + Send {
        future::ready(self.seal_binary(key, data_key_context()))
    }

    fn unwrap_key(
        &self,
        _: &str,
        wrapped: &[u8],
    ) -> impl Future<Output = Result<Secret<[u8; 32]>, SealError>> + Send {
        future::ready(self.open_binary(wrapped, data_key_context()))
    }
}

fn data_key_context() -> Context {
    Context::new("sealed.v1/data-key")
}

/// A value that could not be sealed or opened, or a key service that did not help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapError<E> {
    /// The value's own failure.
    Seal(SealError),
    /// What the service said.
    Service(E),
}

impl<E> From<SealError> for WrapError<E> {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl<E> From<SealErrorKind> for WrapError<E> {
    fn from(kind: SealErrorKind) -> Self {
        Self::Seal(kind.into())
    }
}

impl<E> fmt::Display for WrapError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(error) => error.fmt(f),
            Self::Service(_) => f.write_str("the key service did not wrap or unwrap the data key"),
        }
    }
}

impl<E: Error + 'static> Error for WrapError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Seal(_) => None,
            Self::Service(error) => Some(error),
        }
    }
}

impl<W> fmt::Debug for WrappedKeys<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKeys")
            .field("seals_for", &self.seals_for)
            .field("seals_at_most", &self.seals_at_most)
            .field("kept_for", &self.kept_for)
            .field("kept_at_most", &self.kept_at_most)
            .finish_non_exhaustive()
    }
}
