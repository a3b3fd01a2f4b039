//! Errors that prove that a request was never acted upon, so that any request may be sent again.
//!
//! A refused connection is known without more ([`connect_refused`]). What else is proof is in the
//! errors of the client that is used; these functions know those of hyper's family, behind
//! features of their names. Each looks at one error; the layer asks it of an error and of all its
//! causes.
//!
//! ```
//! use buttress_retry::{RetryLayer, unsent};
//!
//! # #[cfg(feature = "h2")]
//! let layer = RetryLayer::grpc().errors::<tonic::transport::Error>().unsent(unsent::h2);
//! # #[cfg(feature = "hyper-util")]
//! let layer = RetryLayer::http().hyper_util();
//! ```

use std::{any::Any, error::Error, fmt, io, sync::Arc};

type Cause = dyn Error + 'static;
type Boxed = Box<dyn Error + Send + Sync>;
type Find = Arc<dyn Fn(&dyn Any) -> Option<&Cause> + Send + Sync>;
type Prove = Arc<dyn Fn(&Cause) -> bool + Send + Sync>;

/// How many causes are looked at: more than there ever are, and an end where they go in a circle.
const MAX_CAUSES: usize = 32;

/// The server's port is closed: nobody has read anything.
#[must_use]
pub fn connect_refused(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// h2 says that the stream was not processed: `REFUSED_STREAM` (RFC 9113 §8.7), or GOAWAY with
/// `NO_ERROR`, which h2 gives only to streams above the last that the server has taken (§6.8).
#[cfg(feature = "h2")]
#[must_use]
pub fn h2(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<h2::Error>().is_some_and(|error| {
        let reason = error.reason();
        let refused = error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM);
        let going = error.is_go_away() && error.is_remote() && reason == Some(h2::Reason::NO_ERROR);
        refused || going
    })
}

/// hyper-util's client had no connection, and could not make one: refused, no route, no such name.
#[cfg(feature = "hyper-util")]
#[must_use]
pub fn hyper_util(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// What a layer knows of its client's errors.
#[derive(Clone)]
pub(crate) struct Unsent {
    find: Vec<Find>,
    prove: Vec<Prove>,
}

impl Unsent {
    pub(crate) fn know<E: Error + 'static>(&mut self) {
        self.find.push(Arc::new(|any| any.downcast_ref::<E>().map(|error| error as _)));
    }

    pub(crate) fn prove(&mut self, prove: impl Fn(&Cause) -> bool + Send + Sync + 'static) {
        self.prove.push(Arc::new(prove));
    }

    pub(crate) fn is_proof<E: 'static>(&self, error: &E) -> bool {
        let mut cause = self.cause(error);
        for _ in 0..MAX_CAUSES {
            let Some(error) = cause else { return false };
            if self.prove.iter().any(|prove| prove(error)) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// An `S::Error` need not be an error at all, and `Box<dyn Error>` is none.
    fn cause<'e, E: 'static>(&self, error: &'e E) -> Option<&'e Cause> {
        let any: &dyn Any = error;
        if let Some(boxed) = any.downcast_ref::<Boxed>() {
            return Some(&**boxed);
        }
        if let Some(error) = any.downcast_ref::<io::Error>() {
            return Some(error);
        }
        self.find.iter().find_map(|find| find(any))
    }
}

impl Default for Unsent {
    fn default() -> Self {
        Self { find: Vec::new(), prove: vec![Arc::new(connect_refused)] }
    }
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent")
            .field("errors", &self.find.len())
            .field("proofs", &self.prove.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[derive(Debug)]
    struct Circle;

    impl fmt::Display for Circle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("circle")
        }
    }

    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Circle)
        }
    }

    fn refused() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    #[test]
    fn a_refused_connection_is_found_among_the_causes() {
        let mut unsent = Unsent::default();
        assert!(unsent.is_proof(&refused()));
        assert!(!unsent.is_proof(&io::Error::from(io::ErrorKind::ConnectionReset)));
        assert!(unsent.is_proof::<Boxed>(&Outer(refused()).into()));
        assert!(!unsent.is_proof(&Outer(refused())), "a type that it does not know");
        unsent.know::<Outer>();
        assert!(unsent.is_proof(&Outer(refused())));
        assert!(!unsent.is_proof(&"no error at all"));
        assert!(!unsent.is_proof::<Boxed>(&Circle.into()));
    }
}
