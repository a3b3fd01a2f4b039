//! A text of each thread, to format into without allocating.

use std::{cell::Cell, fmt::Write};

/// A buffer that grew past this many bytes is given back.
const MAX_KEPT: usize = 64 * 1024;

thread_local! {
    static TEXT: Cell<String> = const { Cell::new(String::new()) };
}

/// Formats, and calls with the text. What is formatted may itself come here: it gets another
/// buffer. Where formatting fails, the text ends.
pub(crate) fn formatted<R>(args: std::fmt::Arguments<'_>, with: impl FnOnce(&str) -> R) -> R {
    if let Some(text) = args.as_str() {
        return with(text);
    }
    // A thread that is being torn down has no buffer any more.
    let mut text = TEXT.try_with(Cell::take).unwrap_or_default();
    text.clear();
    let _ = text.write_fmt(args);
    let result = with(&text);
    if text.capacity() <= MAX_KEPT {
        let _ = TEXT.try_with(|kept| kept.set(text));
    }
    result
}
