use std::{fmt, sync::Arc};

use http::HeaderName;
use tower_layer::Layer;

use crate::{Accept, Generator, RequestId, X_REQUEST_ID};

/// Gives each request an id, and its answer the same.
///
/// As it comes from [`new`](Self::new): [`X_REQUEST_ID`] is read and echoed, a valid id is taken
/// from anyone, and otherwise a UUIDv7 is made.
///
/// ```
/// use buttress_core::client_ip::ClientIp;
/// use buttress_request_id::{Accept, Generator, RequestIdLayer, X_CORRELATION_ID};
///
/// let layer = RequestIdLayer::new()
///     .also_read([X_CORRELATION_ID])
///     .also_echo([X_CORRELATION_ID])
///     .generator(Generator::Ulid)
///     .accept(Accept::FromTrusted(ClientIp::behind(["10.0.0.0/8"])?));
/// assert_eq!(
///     layer.to_string(),
///     "x-request-id, or x-correlation-id; accepted from [10.0.0.0/8], else ULID; \
///      echoed, also as x-correlation-id",
/// );
/// # Ok::<(), buttress_core::client_ip::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequestIdLayer {
    shared: Option<Arc<Shared>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) header: HeaderName,
    pub(crate) also_read: Vec<HeaderName>,
    pub(crate) also_echo: Vec<HeaderName>,
    pub(crate) generator: Generator,
    pub(crate) accept: Accept,
    pub(crate) echo: bool,
}

impl RequestIdLayer {
    /// The layer with its defaults.
    pub fn new() -> Self {
        Self {
            shared: Some(Arc::new(Shared {
                header: X_REQUEST_ID,
                also_read: Vec::new(),
                also_echo: Vec::new(),
                generator: Generator::default(),
                accept: Accept::default(),
                echo: true,
            })),
        }
    }

    /// A layer that does nothing, at the price of a branch: for a slot that is empty.
    ///
    /// It makes no context either, and stays as it is whatever is set on it.
    pub const fn disabled() -> Self {
        Self { shared: None }
    }

    /// The header that is read first, set on the request, and echoed. Default [`X_REQUEST_ID`].
    pub fn header(self, name: HeaderName) -> Self {
        self.with(|shared| shared.header = name)
    }

    /// Headers that are read, in this order, where the first one has no id that can be taken.
    ///
    /// A valid value that is not used stays on the request; one that is refused is removed.
    pub fn also_read(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.with(|shared| shared.also_read = names.into_iter().collect())
    }

    /// Headers that the id is echoed in besides the first one.
    ///
    /// For clients of two habits at once: one that looks for `x-request-id`, and one that looks
    /// for `x-correlation-id`.
    pub fn also_echo(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.with(|shared| shared.also_echo = names.into_iter().collect())
    }

    /// What makes an id where none is taken. Default [`Generator::Uuid7`].
    pub fn generator(self, generator: Generator) -> Self {
        self.with(|shared| shared.generator = generator)
    }

    /// Whose ids are taken. Default [`Accept::Valid`].
    pub fn accept(self, accept: Accept) -> Self {
        self.with(|shared| shared.accept = accept)
    }

    /// Whether the answer carries the id. Default true.
    pub fn echo(self, echo: bool) -> Self {
        self.with(|shared| shared.echo = echo)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        if let Some(shared) = &mut self.shared {
            change(Arc::make_mut(shared));
        }
        self
    }
}

impl Default for RequestIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestId<S>;

    fn layer(&self, inner: S) -> RequestId<S> {
        RequestId::new(inner, self.shared.clone())
    }
}

/// What is in force, in one line.
impl fmt::Display for RequestIdLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(shared) = &self.shared else {
            return f.write_str("off");
        };
        write!(f, "{}", shared.header)?;
        for name in &shared.also_read {
            write!(f, ", or {name}")?;
        }
        write!(f, "; {}, else {}", shared.accept, shared.generator)?;
        if !shared.echo {
            return f.write_str("; not echoed");
        }
        f.write_str("; echoed")?;
        for name in &shared.also_echo {
            write!(f, ", also as {name}")?;
        }
        Ok(())
    }
}
