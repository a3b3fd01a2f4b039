//! Compression, configured.

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Response, StatusCode};
use http_body::Body;
use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{NotForContentType, SizeAbove},
};

/// tower-http's own default: a gzip stream's head and tail are 18 bytes.
const MIN_SIZE: u64 = 32;

/// Packs answers with gzip for clients that take it (RFC 9110 §12.5.3).
///
/// Left as they are: answers shorter than 32 bytes, gRPC's, images but for SVG, event streams,
/// ranges, and what has a `content-encoding` already. A client that refuses every coding gets the
/// answer as it is, never a 406 over what has been done.
///
/// An answer that holds a secret beside text of the caller's choosing tells the secret by its
/// length once it is packed (BREACH, CVE-2013-3587). Leave such answers out with
/// [`unless`](Self::unless).
///
/// ```
/// use buttress::{Compression, Stack};
/// use http::{Extensions, HeaderMap, StatusCode};
///
/// /// Handlers put this into the answer's extensions.
/// #[derive(Clone)]
/// struct HoldsSecret;
///
/// let secret =
///     |_: StatusCode, _: &HeaderMap, own: &Extensions| own.get::<HoldsSecret>().is_some();
/// let stack = Stack::new().compression(Compression::new().min_size(1024).unless(secret));
/// # let _ = stack;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Compression {
    min_size: u64,
    unless: Option<Arc<Unless>>,
}

type Unless = dyn Fn(StatusCode, &HeaderMap, &Extensions) -> bool + Send + Sync;

impl Compression {
    /// Gzip, for answers of 32 bytes and more.
    pub fn new() -> Self {
        Self { min_size: MIN_SIZE, unless: None }
    }

    /// Leaves answers that are known to be shorter as they are.
    pub const fn min_size(mut self, bytes: u64) -> Self {
        self.min_size = bytes;
        self
    }

    /// Leaves answers as they are of which this is true: by status, headers, and what the service
    /// put into the answer's extensions. It takes the place of what was said before.
    pub fn unless<F>(mut self, unless: F) -> Self
    where
        F: Fn(StatusCode, &HeaderMap, &Extensions) -> bool + Send + Sync + 'static,
    {
        self.unless = Some(Arc::new(unless));
        self
    }

    pub(crate) fn layer(&self) -> CompressionLayer<Self> {
        CompressionLayer::new().no_br().no_deflate().no_zstd().compress_when(self.clone())
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("min_size", &self.min_size)
            .field("unless", &self.unless.as_ref().map(|_| format_args!("<fn>")))
            .finish()
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gzip from {} bytes", self.min_size)?;
        f.write_str(if self.unless.is_some() { ", with exceptions" } else { "" })
    }
}

impl Predicate for Compression {
    fn should_compress<B: Body>(&self, response: &Response<B>) -> bool {
        SizeAbove::new(self.min_size).should_compress(response)
            && NotForContentType::GRPC.should_compress(response)
            && NotForContentType::IMAGES.should_compress(response)
            && NotForContentType::SSE.should_compress(response)
            && !self.unless.as_ref().is_some_and(|unless| {
                unless(response.status(), response.headers(), response.extensions())
            })
    }
}
