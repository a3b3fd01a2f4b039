use super::*;

const EXAMPLE: &str = r##"
//! pub struct Commented;
pub struct Layer<'a, T> { pub name: &'a str, hidden: T }
pub(crate) struct Internal;
struct Private;
pub use other::{Renamed as Visible, inner::Direct};

impl<'a, T: Into<String>> Layer<'a, T> {
    pub const LIMIT: usize = 128;
    pub const fn new() -> Self { let brace = '{'; let text = "}"; inner() }
    #[must_use]
    pub fn header(self, name: &str) -> Self { pub_fn(r#"fn quoted("#) }
    fn private(&self) {}
}

impl Clone for Private { fn clone(&self) -> Self { Self } }

/* pub fn gone() {} /* nested */ */
pub trait Reject {
    fn reject(&self);
}

#[non_exhaustive]
pub enum Accept { Never, FromTrusted(Vec<Network>), Valid { strict: bool } }

pub async fn spawn() {}
macro_rules! assert_law { () => {} }

#[cfg(test)]
mod tests {
    #[test]
    fn an_id_is_echoed() { route("/users/{id}") }
}
"##;

#[test]
fn public_items_are_found_and_no_others() {
    let source = Source::parse(EXAMPLE);
    for name in ["Layer", "Reject", "Accept", "spawn", "Visible", "Direct", "assert_law"] {
        assert!(source.has_public_item(name), "{name}");
    }
    for name in ["Commented", "Internal", "Private", "gone", "tests", "quoted", "inner", "Renamed"]
    {
        assert!(!source.has_public_item(name), "{name}");
    }
}

#[test]
fn members_are_found_with_their_owner() {
    let source = Source::parse(EXAMPLE);
    for (owner, name) in [
        ("Layer", "new"),
        ("Layer", "header"),
        ("Layer", "LIMIT"),
        ("Layer", "name"),
        ("Private", "clone"),
        ("Reject", "reject"),
        ("Accept", "Never"),
        ("Accept", "FromTrusted"),
        ("Accept", "Valid"),
    ] {
        assert!(source.has_public_member(owner, name), "{owner}::{name}");
    }
    for (owner, name) in [
        ("Layer", "private"),
        ("Layer", "hidden"),
        ("Layer", "quoted"),
        ("Reject", "new"),
        ("Accept", "Network"),
        ("Accept", "strict"),
        ("Private", "header"),
    ] {
        assert!(!source.has_public_member(owner, name), "{owner}::{name}");
    }
}

#[test]
fn functions_words_and_texts_are_found_in_code_only() {
    let source = Source::parse(EXAMPLE);
    assert!(source.has_function("an_id_is_echoed"));
    assert!(!source.has_function("gone") && !source.has_function("quoted"));
    assert!(source.has_text("/users/{id}") && !source.has_text("nested"));
    assert!(source.has_word("Into") && !source.has_word("Commented"));
}

#[test]
fn no_input_stops_it() {
    for text in ["", "'", "\"", "/*", "r#\"", "'\\", "b'x", "é'é'", "impl X {", "pub", "'a"] {
        let source = Source::parse(text);
        assert!(!source.has_public_item("x") && !source.has_public_member("X", "x"));
    }
}
