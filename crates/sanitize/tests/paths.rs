//! Paths.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_sanitize::{Action, Place, Policy, Rule};

fn rule(path: &str) -> Option<Rule> {
    Policy::strict_json().check_path(path).err().map(|violation| violation.rule())
}

#[test]
fn every_path_has_its_verdict_and_its_rule() {
    use Rule::*;
    for (path, wanted) in [
        ("/", None),
        ("", None),
        ("*", None),
        ("/a/b", None),
        ("/a//b/", None),
        ("/a.b/.c/..d/e../...", None),
        ("/a;v=1/b", None),
        ("/a%20b/%C3%BC", None),
        ("/a+b", None),
        ("/100%25", None),
        ("/~a/@b/c:d", None),
        // Dot segments, in every notation.
        ("/..", Some(Traversal)),
        ("/.", Some(Traversal)),
        ("..", Some(Traversal)),
        ("/../etc/passwd", Some(Traversal)),
        ("/a/../b", Some(Traversal)),
        ("/a/./b", Some(Traversal)),
        ("/a/%2e%2e/b", Some(Traversal)),
        ("/a/%2E./b", Some(Traversal)),
        ("/a/.%2e", Some(Traversal)),
        ("/a/..;/b", Some(Traversal)),
        ("/a/..;x=1/b", Some(Traversal)),
        ("/a/%2e%2e;/b", Some(Traversal)),
        ("/a/..%3b/b", Some(Traversal)),
        ("/a/\u{ff0e}\u{ff0e}/b", Some(Traversal)),
        ("/a/%EF%BC%8E%EF%BC%8E/b", Some(Traversal)),
        ("/a\u{ff0f}..\u{ff0f}b", Some(Traversal)),
        ("/a/\u{2025}/b", Some(Traversal)),
        ("/a/\u{2024}\u{2024}/b", Some(Traversal)),
        ("/a/\u{fe52}\u{fe52}/b", Some(Traversal)),
        ("/a/\u{fe30}/b", Some(Traversal)),
        ("/a\u{fe68}..\u{fe68}b", Some(Traversal)),
        ("/a/..\u{37e}x/b", Some(Traversal)),
        ("/a/..\u{ff1b}/b", Some(Traversal)),
        ("/a/..\u{fe54}/b", Some(Traversal)),
        // Encoded slashes and backslashes.
        ("/a%2fb", Some(EncodedSlash)),
        ("/a%2Fb", Some(EncodedSlash)),
        ("/..%2f..%2fetc", Some(EncodedSlash)),
        ("/a\\b", Some(Backslash)),
        ("/a%5cb", Some(Backslash)),
        ("/..%5c..%5cetc", Some(Backslash)),
        // What is encoded twice.
        ("/%252e%252e/", Some(DoubleEncoding)),
        ("/a%252fb", Some(DoubleEncoding)),
        ("/a%25%32%66b", Some(DoubleEncoding)),
        ("/%25%35%63", Some(DoubleEncoding)),
        ("/a%2541", Some(DoubleEncoding)),
        // What is no encoding.
        ("/a%", Some(PercentEncoding)),
        ("/a%2", Some(PercentEncoding)),
        ("/a%zz", Some(PercentEncoding)),
        ("/a%u002e", Some(PercentEncoding)),
        // What is no UTF-8.
        ("/%ff", Some(Encoding)),
        ("/%c0%ae%c0%ae/", Some(Encoding)),
        ("/%e0%80%ae", Some(Encoding)),
        ("/%c3", Some(Encoding)),
        ("/%c3/a", Some(Encoding)),
        // U+0000.
        ("/a%00.png", Some(Nul)),
    ] {
        assert_eq!(rule(path), wanted, "{path}");
    }
}

#[test]
fn the_limit_is_exact() {
    let path = |length: usize| "/".to_owned() + &"a".repeat(length - 1);
    assert_eq!(rule(&path(4_096)), None);
    let violation = Policy::strict_json().check_path(&path(4_097)).unwrap_err();
    assert_eq!((violation.rule(), violation.status().as_u16()), (Rule::PathLength, 414));
    assert_eq!((violation.place(), violation.pointer()), (Place::Path, ""));
}

/// `%0d%0a` begins a line of its own wherever the path is written undecoded into a head or a log.
#[test]
fn a_line_break_in_a_path_is_a_control_character() {
    let strict = Policy::strict_json();
    for path in ["/a%0d%0aset-cookie:x", "/a%0ab", "/%09", "/a%0D"] {
        assert_eq!(strict.check_path(path).unwrap()[0].rule(), Rule::Control, "{path}");
        let refusing = strict.clone().on(Rule::Control, Action::Reject).unwrap();
        assert_eq!(refusing.check_path(path).unwrap_err().rule(), Rule::Control, "{path}");
    }
}

#[test]
fn an_encoded_slash_can_be_allowed_and_hides_no_dots() {
    let policy = Policy::strict_json().on(Rule::EncodedSlash, Action::Off).unwrap();
    assert!(policy.check_path("/projects/group%2Fname").is_ok());
    let violation = policy.check_path("/projects/group%2F..%2Fname").unwrap_err();
    assert_eq!(violation.rule(), Rule::Traversal);
    let policy = policy.on(Rule::Backslash, Action::Report).unwrap();
    assert_eq!(policy.check_path("/a\\b").unwrap()[0].rule(), Rule::Backslash);
    assert_eq!(policy.check_path("/a\\..\\b").unwrap_err().rule(), Rule::Traversal);
}
