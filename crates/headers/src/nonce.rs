//! The nonce of one request.

use std::{
    error::Error,
    fmt,
    sync::{Arc, OnceLock},
};

/// 128 bits, as CSP3 §7.1 asks for.
const BYTES: usize = 16;

/// The Content-Security-Policy nonce of one request.
///
/// It is in the request's extensions where the layer's policy has a
/// [`Source::Nonce`](crate::Source::Nonce) (in axum: `Extension<CspNonce>`). It is made when it is
/// first asked for: 16 bytes from the operating system, in base64url, 22 characters. Within a
/// request, and in all clones, it is the same. Ask before the response is returned: the header
/// goes out with it.
///
/// An answer whose nonce was asked for must not be stored, so it gets `Cache-Control: no-store`,
/// whatever the layer sets on others, unless its handler has set a `Cache-Control`.
///
/// ```
/// use buttress_headers::{CspNonce, NonceError};
/// use http::{Request, Response};
///
/// fn page(request: &Request<()>) -> Result<Response<String>, NonceError> {
///     let nonce = match request.extensions().get::<CspNonce>() {
///         Some(nonce) => nonce.get()?,
///         None => "", // no layer, so no policy that would ask for it
///     };
///     Ok(Response::new(format!("<script nonce=\"{nonce}\">start()</script>")))
/// }
/// # assert!(page(&Request::new(())).is_ok());
/// ```
#[derive(Clone)]
pub struct CspNonce(Arc<OnceLock<State>>);

#[derive(Debug)]
enum State {
    Made(String),
    /// The answer is on its way, with a policy that has no nonce.
    Closed,
}

impl CspNonce {
    /// One that was not asked for yet. The layer makes it; a test of a handler may too.
    ///
    /// A request that has one already, from an outer layer, keeps it.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a nonce that comes by itself is a mistake")]
    pub fn new() -> Self {
        Self(Arc::new(OnceLock::new()))
    }

    /// The nonce, for `nonce="…"`. It needs no escaping: `[A-Za-z0-9_-]{22}`.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give, or when the answer's headers are
    /// already written without a nonce. Neither time a nonce is made up: leave the inline script
    /// out, or answer 500.
    pub fn get(&self) -> Result<&str, NonceError> {
        if self.0.get().is_none() {
            let made = State::Made(generate()?);
            // Another clone may have been faster; then its nonce is the one.
            let _ = self.0.set(made);
        }
        self.made().ok_or(NonceError(Reason::TooLate))
    }

    /// The nonce if it was asked for.
    fn made(&self) -> Option<&str> {
        match self.0.get()? {
            State::Made(nonce) => Some(nonce),
            State::Closed => None,
        }
    }

    /// The nonce if it was asked for; from now on none is made.
    pub(crate) fn close(&self) -> Option<&str> {
        self.0.get_or_init(|| State::Closed);
        self.made()
    }
}

/// Shows whether it was made, and never the nonce: who has it can run scripts in the page.
impl fmt::Debug for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.0.get() {
            None => "not asked for",
            Some(State::Made(_)) => "made",
            Some(State::Closed) => "closed",
        };
        f.debug_tuple("CspNonce").field(&state).finish()
    }
}

/// There is no nonce to be had.
///
/// ```
/// use buttress_headers::{CspNonce, NonceError};
///
/// fn script(nonce: &CspNonce) -> Result<String, NonceError> {
///     match nonce.get() {
///         Ok(nonce) => Ok(format!("<script nonce=\"{nonce}\">start()</script>")),
///         // No browser would run it: the policy is sent, and names no nonce.
///         Err(error) if error.is_too_late() => Ok(String::new()),
///         Err(error) => Err(error),
///     }
/// }
/// # use buttress_headers::SecurityHeadersLayer;
/// # use http::{Request, Response};
/// # use tower::{Layer, ServiceExt, service_fn};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), NonceError> {
/// # assert!(script(&CspNonce::new())?.contains("nonce="));
/// # let service = service_fn(|request: Request<()>| async move {
/// #     Ok::<_, std::convert::Infallible>(Response::new(request.into_parts().0.extensions))
/// # });
/// # let answer = SecurityHeadersLayer::web_strict().layer(service).oneshot(Request::new(()));
/// # assert_eq!(script(answer.await.unwrap().body().get().unwrap())?, "");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NonceError(Reason);

#[derive(Debug)]
enum Reason {
    NoEntropy(getrandom::Error),
    TooLate,
}

impl NonceError {
    /// Whether the answer's headers had already been written.
    #[must_use]
    pub const fn is_too_late(&self) -> bool {
        matches!(self.0, Reason::TooLate)
    }
}

impl fmt::Display for NonceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::NoEntropy(_) => "the operating system has no random bytes for a nonce",
            Reason::TooLate => "the policy was sent before the nonce was asked for",
        })
    }
}

impl Error for NonceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Reason::NoEntropy(error) => Some(error),
            Reason::TooLate => None,
        }
    }
}

fn generate() -> Result<String, NonceError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| NonceError(Reason::NoEntropy(error)))?;
    Ok(base64url(&bytes))
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0, |group, byte| (group << 8) | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(digit((group >> (18 - 6 * at)) & 0x3f));
        }
    }
    text
}

fn digit(six_bits: u32) -> char {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    alphabet.get(six_bits as usize).map_or('A', |byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_rfc_4648() {
        let cases: &[(&[u8], &str)] = &[
            (b"", ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"fooba", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xff, 0xfe, 0xfb], "__77"),
        ];
        for (bytes, text) in cases {
            assert_eq!(base64url(bytes), *text);
        }
    }

    #[test]
    fn a_nonce_is_the_same_in_every_clone_and_differs_from_any_other() {
        let nonce = CspNonce::new();
        let clone = nonce.clone();
        assert_eq!(nonce.get().unwrap(), clone.get().unwrap());
        assert_eq!(nonce.get().unwrap().len(), 22);
        assert_ne!(nonce.get().unwrap(), CspNonce::new().get().unwrap());
    }

    #[test]
    fn threads_that_ask_at_once_get_one_nonce() {
        let nonce = CspNonce::new();
        let start = std::sync::Barrier::new(8);
        let asked: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        nonce.get().unwrap().to_owned()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(asked.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_closed_nonce_says_that_it_is_too_late() {
        let nonce = CspNonce::new();
        assert_eq!(nonce.close(), None);
        assert!(nonce.get().unwrap_err().is_too_late());
    }

    #[test]
    fn a_nonce_that_was_asked_for_outlives_the_closing() {
        let nonce = CspNonce::new();
        let asked = nonce.get().unwrap().to_owned();
        assert_eq!(nonce.close(), Some(&*asked));
        assert_eq!(nonce.get().unwrap(), asked);
    }

    #[test]
    fn debug_does_not_show_the_nonce() {
        let nonce = CspNonce::new();
        let asked = nonce.get().unwrap().to_owned();
        assert!(!format!("{nonce:?}").contains(&asked));
    }
}
