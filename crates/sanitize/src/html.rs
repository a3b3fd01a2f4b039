//! A field that holds HTML.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// HTML of a client, of which what could run is taken out when it is read: scripts, handlers of
/// events, styles, frames, links with other schemes than those of the web (by ammonia's defaults).
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
    /// Cleans a text.
    #[must_use]
    pub fn clean(text: &str) -> Self {
        Self(ammonia::clean(text))
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

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Html {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(from).map(|text| Self::clean(&text))
    }
}

impl Serialize for Html {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}
