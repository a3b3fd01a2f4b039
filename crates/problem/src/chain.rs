//! An error and what caused it.

use std::{error::Error, iter::successors};

/// A chain may be a circle: an error's `source` can say what it likes.
const MAX_CAUSES: usize = 32;

pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = String> + 'a {
    let cause = |error: &&'a (dyn Error + 'static)| (*error).source();
    successors(Some(error), cause).take(MAX_CAUSES).map(ToString::to_string)
}

/// The chain as one text: `first: its cause: and that one's`.
pub(crate) fn one_line(error: &(dyn Error + 'static)) -> String {
    causes(error).collect::<Vec<_>>().join(": ")
}
