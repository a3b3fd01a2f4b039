//! Without the feature `otel` there is nothing to export to: types of no size that do nothing, so
//! that call sites need no `cfg`.

#![expect(clippy::unused_self, reason = "they stand for those that use it")]

use std::sync::Arc;

use crate::{attributes::Attributes, recorder::Recorder, series::Measured, settings::Kind};

#[derive(Clone, Debug, Default)]
pub(crate) struct Export(());

impl Export {
    pub(crate) const fn instruments(&self, _: Kind) -> Instruments {
        Instruments(())
    }

    pub(crate) const fn observe(&self, _: &Arc<Recorder>) {}
}

pub(crate) struct Instruments(());

impl Instruments {
    #[inline]
    pub(crate) fn record(&self, _: &Exported, _: Measured, _: impl FnOnce() -> Attributes) {}
}

#[derive(Default)]
pub(crate) struct Exported(());
