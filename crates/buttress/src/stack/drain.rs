//! The slot for what counts requests to the end of their bodies. Without the feature `shutdown`
//! there is nothing to fill it with.

#[cfg(not(feature = "shutdown"))]
pub(super) use self::empty::*;
#[cfg(feature = "shutdown")]
pub(super) use self::filled::*;

#[cfg(not(feature = "shutdown"))]
mod empty {
    #[derive(Clone, Debug)]
    pub(crate) enum Filling {}
    pub(crate) type Drained<S> = S;
    pub(crate) type DrainedFuture<F> = F;
    pub(crate) type DrainedBody<B> = B;

    pub(crate) fn drained<S>(_: Option<&Filling>, inner: S) -> Drained<S> {
        inner
    }
}

#[cfg(feature = "shutdown")]
mod filled {
    pub(crate) use buttress_shutdown::{
        Drain as Drained, DrainBody as DrainedBody, DrainFuture as DrainedFuture,
        DrainLayer as Filling,
    };
    use tower_layer::Layer;

    pub(crate) fn drained<S>(layer: Option<&Filling>, inner: S) -> Drained<S> {
        match layer {
            Some(layer) => layer.layer(inner),
            None => Drained::uncounted(inner),
        }
    }
}
