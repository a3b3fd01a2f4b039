//! Comments that may have HTML in them: `POST /comments`.

use axum::Json;
use buttress::sanitize::{self, Html, Valid};
use garde::Validate;
use serde::{Deserialize, Serialize};

/// In bytes, once it is clean.
const LONGEST_TEXT: usize = 10_000;

/// Only what is declared to hold HTML is cleaned. An author may be called `a<b&c`, and is escaped
/// where the name is shown.
#[derive(Debug, Deserialize, Serialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comment {
    #[garde(length(chars, min = 1, max = 40))]
    author: String,
    #[garde(range(min = 1, max = 5))]
    stars: u8,
    #[garde(custom(says_something))]
    text: Html,
}

/// Answers with the comment as a page may show it.
pub(crate) async fn comment(
    Valid(sanitize::Json(comment)): Valid<sanitize::Json<Comment>>,
) -> Json<Comment> {
    Json(comment)
}

/// Also when what could run has been taken out.
fn says_something(text: &Html, _: &()) -> garde::Result {
    match text.as_str().len() {
        1..=LONGEST_TEXT => Ok(()),
        0 => Err(garde::Error::new("nothing is left of it")),
        _ => Err(garde::Error::new("is longer than 10000 bytes")),
    }
}
