//! Tasks that keep the context of the request that started them.

use std::future::Future;

use tokio::task::JoinHandle;

use super::{current, in_request};

/// [`tokio::spawn`], in the current request's context.
///
/// The task is not bound to the request: it goes on when the client leaves.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`tokio::spawn`] does.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(in_request(future))
}

/// [`tokio::task::spawn_blocking`], in the current request's context.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`tokio::task::spawn_blocking`] does.
pub fn blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let context = current();
    tokio::task::spawn_blocking(move || match context {
        Some(context) => context.scope(f),
        None => f(),
    })
}
