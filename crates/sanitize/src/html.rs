//! A field that holds HTML.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, Unexpected},
};

/// HTML of a client, of which what could run is taken out when it is read: scripts, handlers of
/// events, styles, frames, links with other schemes than those of the web (by ammonia's defaults).
///
/// A parser of HTML looks through all elements that are open for each tag, and through all
/// attributes of a tag for each: what is longer than [`MAX`](Self::MAX), or has more `<` than
/// [`MAX_TAGS`](Self::MAX_TAGS), is not parsed, so that nobody can keep a server busy with it.
///
/// It is for a field that is declared to hold HTML, and is shown as such. Any other text is kept as
/// it was sent, and escaped where it is shown: of `a<b&c` this leaves `a`.
///
/// ```
/// use buttress_sanitize::Html;
///
/// #[derive(serde::Deserialize)]
/// struct Comment {
///     author: String,
///     text: Html,
/// }
///
/// let comment: Comment = serde_json::from_str(
///     r#"{"author": "a<b&c", "text": "<b onclick=\"x()\">hi</b><script>x()</script>"}"#,
/// )?;
/// assert_eq!(comment.author, "a<b&c");
/// assert_eq!(comment.text.as_str(), "<b>hi</b>");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Html(String);

impl Html {
    /// The longest that is parsed, in bytes.
    pub const MAX: usize = 64 * 1024;

    /// The most `<` that are parsed.
    pub const MAX_TAGS: usize = 4_096;

    /// Cleans a text. Of one that would take too long, nothing is taken for HTML: all of it is
    /// escaped.
    #[must_use]
    pub fn clean(text: &str) -> Self {
        Self(if is_cheap(text) { ammonia::clean(text) } else { ammonia::clean_text(text) })
    }

    /// The clean HTML.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The clean HTML.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

fn is_cheap(text: &str) -> bool {
    text.len() <= Html::MAX && text.bytes().filter(|byte| *byte == b'<').count() <= Html::MAX_TAGS
}

const WANTED: &str = "HTML of at most 64 KiB and 4,096 tags";

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Html {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        if !is_cheap(&text) {
            return Err(D::Error::invalid_value(Unexpected::Other("more"), &WANTED));
        }
        Ok(Self::clean(&text))
    }
}

impl Serialize for Html {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}
