//! Without the feature `tokio` there is no timer: a type that is never made, so that call sites
//! need no `cfg`.

use std::{
    task::{Context, Poll},
    time::Duration,
};

#[derive(Debug)]
pub(crate) enum Clock {}

impl Clock {
    pub(crate) fn new(_: Duration) -> Option<Self> {
        None
    }

    pub(crate) const fn wait(&mut self, _: &mut Context<'_>) -> Poll<()> {
        match *self {}
    }

    pub(crate) const fn stop(&mut self) {
        match *self {}
    }
}
