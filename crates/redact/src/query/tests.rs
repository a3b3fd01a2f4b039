use proptest::prelude::*;

use super::*;

/// Every pair by every rule.
struct Thorough<'a>(Query<'a>);

impl fmt::Display for Thorough<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pair) in self.0.query.split('&').enumerate() {
            if index > 0 {
                f.write_char('&')?;
            }
            self.0.pair(pair, f)?;
        }
        Ok(())
    }
}

const PIECES: &[&str] = &[
    "&",
    "&",
    "=",
    "=",
    ";",
    "?",
    "#",
    "+",
    "%20",
    "%3D",
    "%26",
    "%",
    "page",
    "2",
    "token",
    "p%61ss",
    "pin",
    "spin",
    "author",
    "token_count",
    "pass",
    "word",
    ".",
    "_",
    "[",
    "]",
    "-",
    "a",
    "\u{e9}",
    "4111111111111111",
    "eyJhbGciOiJIUzI1NiJ9.eyJ",
    "http://a:b@c",
    "%2541",
    "\"",
    "Bearer+abc",
];

proptest! {
    #[test]
    fn the_quick_look_changes_nothing(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..16),
        any in "[ -~]{0,8}",
    ) {
        let text = pieces.concat() + &any;
        let rules = Rules::new().redact_key("q").unwrap().allow_key("a.token").unwrap();
        let query = rules.query(&text);
        prop_assert_eq!(query.to_string(), Thorough(query).to_string(), "{}", text);
    }
}
