//! `traceparent` and `tracestate` by the rules of W3C Trace Context, levels 1 and 2: the cases that
//! its validation service asks for, and the edges of each rule.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_trace::{
    MAX_STATE, TRACEPARENT, TRACESTATE, TraceContext, extract, inject, parse, with_member,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn parent(value: &str) -> Option<String> {
    let parsed = parse(value.as_bytes(), []);
    let extracted = extract(&headers(&[("traceparent", value)]));
    assert_eq!(parsed, extracted, "{value}");
    parsed.map(|trace| trace.to_string())
}

/// What is carried on of these lines.
fn state<S: AsRef<str>>(lines: &[S]) -> Option<String> {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    let parsed = parse(PARENT.as_bytes(), lines.iter().map(|line| line.as_bytes())).unwrap();
    let mut all = vec![("traceparent", PARENT)];
    all.extend(lines.iter().map(|line| ("tracestate", *line)));
    assert_eq!(extract(&headers(&all)).unwrap(), parsed, "{lines:?}");
    assert_eq!(parsed.traceparent(), PARENT, "a wrong state takes the trace with it: {lines:?}");
    parsed.state().map(|state| state.to_str().unwrap().to_owned())
}

#[test]
fn a_traceparent_that_is_continued() {
    let flags =
        |flags: &str| format!("00-12345678901234567890123456789012-1234567890123456-{flags}");
    let cases = [
        (flags("00"), flags("00")),
        (flags("01"), flags("01")),
        // Level 2: the last 7 bytes of the trace id are random.
        (flags("02"), flags("02")),
        (flags("03"), flags("03")),
        // Bits that nobody knows yet are not passed on.
        (flags("ff"), flags("03")),
        (flags("fc"), flags("00")),
        (flags("09"), flags("01")),
        // One digit that is not zero makes an id.
        (
            "00-00000000000000000000000000000001-0000000000000001-00".to_owned(),
            "00-00000000000000000000000000000001-0000000000000001-00".to_owned(),
        ),
        (
            "00-abcdefabcdefabcdefabcdefabcdefab-fedcbafedcbafedc-01".to_owned(),
            "00-abcdefabcdefabcdefabcdefabcdefab-fedcbafedcbafedc-01".to_owned(),
        ),
        // Whitespace around a field value is no part of it (RFC 9110 §5.5).
        (format!(" {PARENT}"), PARENT.to_owned()),
        (format!("\t{PARENT}"), PARENT.to_owned()),
        (format!("{PARENT} "), PARENT.to_owned()),
        (format!("{PARENT}\t"), PARENT.to_owned()),
        (format!("\t {PARENT} \t"), PARENT.to_owned()),
    ];
    for (sent, continued) in cases {
        assert_eq!(parent(&sent), Some(continued), "{sent}");
    }
}

#[test]
fn a_version_to_come_is_read_as_far_as_it_is_known_and_sent_on_as_00() {
    let body = "12345678901234567890123456789012-1234567890123456-01";
    for version in ["01", "0a", "a0", "cc", "fe"] {
        for more in ["", "-", "-what-the-future-will-be-like"] {
            let sent = format!("{version}-{body}{more}");
            assert_eq!(parent(&sent).as_deref(), Some(PARENT), "{sent}");
        }
        for more in [".what-the-future-will-not-be-like", "0", "1-", " x", ","] {
            assert_eq!(parent(&format!("{version}-{body}{more}")), None, "{version} {more}");
        }
        let short = format!("{version}-12345678901234567890123456789012-1234567890123456-1");
        assert_eq!(parent(&short), None);
    }
}

#[test]
fn a_traceparent_that_begins_a_new_trace() {
    let invalid = [
        "",
        "-",
        "00",
        "00-",
        // The version.
        "ff-12345678901234567890123456789012-1234567890123456-01",
        "ff-12345678901234567890123456789012-1234567890123456-01-more",
        ".0-12345678901234567890123456789012-1234567890123456-01",
        "0.-12345678901234567890123456789012-1234567890123456-01",
        "0A-12345678901234567890123456789012-1234567890123456-01",
        "000-12345678901234567890123456789012-1234567890123456-01",
        "0000-12345678901234567890123456789012-1234567890123456-01",
        "0-12345678901234567890123456789012-1234567890123456-01",
        // The trace id.
        "00-00000000000000000000000000000000-1234567890123456-01",
        "00-.2345678901234567890123456789012-1234567890123456-01",
        "00-1234567890123456789012345678901.-1234567890123456-01",
        "00-ABCDEFABCDEFABCDEFABCDEFABCDEFAB-1234567890123456-01",
        "00-123456789012345678901234567890123-1234567890123456-01",
        "00-1234567890123456789012345678901-1234567890123456-01",
        // The parent id.
        "00-12345678901234567890123456789012-0000000000000000-01",
        "00-12345678901234567890123456789012-.234567890123456-01",
        "00-12345678901234567890123456789012-123456789012345.-01",
        "00-12345678901234567890123456789012-ABCDEFABCDEFABCD-01",
        "00-12345678901234567890123456789012-12345678901234567-01",
        "00-12345678901234567890123456789012-123456789012345-01",
        // The flags.
        "00-12345678901234567890123456789012-1234567890123456-.0",
        "00-12345678901234567890123456789012-1234567890123456-0.",
        "00-12345678901234567890123456789012-1234567890123456-0G",
        "00-12345678901234567890123456789012-1234567890123456-0A",
        "00-12345678901234567890123456789012-1234567890123456-001",
        "00-12345678901234567890123456789012-1234567890123456-1",
        "00-12345678901234567890123456789012-1234567890123456-",
        "00-12345678901234567890123456789012-1234567890123456",
        // Version 00 has nothing after the flags.
        "00-12345678901234567890123456789012-1234567890123456-01-",
        "00-12345678901234567890123456789012-1234567890123456-01-more",
        "00-12345678901234567890123456789012-1234567890123456-01.",
        // Two in one line; other delimiters; a byte past ASCII.
        "00-12345678901234567890123456789012-1234567890123456-01,00-12345678901234567890123456789012-1234567890123456-01",
        "00_12345678901234567890123456789012-1234567890123456-01",
        "00-12345678901234567890123456789012 1234567890123456-01",
        "00-1234567890123456789012345678901\u{e9}-1234567890123456-01",
        "\"00-12345678901234567890123456789012-1234567890123456-01\"",
    ];
    for sent in invalid {
        assert_eq!(parent(sent), None, "{sent}");
    }
}

#[test]
fn the_header_is_there_once_and_under_its_name_in_any_case() {
    for name in ["traceparent", "TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert!(extract(&headers(&[(name, PARENT)])).is_some(), "{name}");
    }
    for name in ["tracestate", "TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        let trace = extract(&headers(&[("traceparent", PARENT), (name, "foo=1")])).unwrap();
        assert_eq!(trace.state().unwrap(), "foo=1", "{name}");
    }
    for name in ["trace-state", "trace.state"] {
        let trace = extract(&headers(&[("traceparent", PARENT), (name, "foo=1")])).unwrap();
        assert_eq!(trace.state(), None, "{name}");
    }
    for name in ["trace-parent", "trace.parent"] {
        assert!(extract(&headers(&[(name, PARENT)])).is_none(), "{name}");
    }
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    for twice in [[PARENT, PARENT], [PARENT, other], [PARENT, ""], ["", PARENT]] {
        let twice = twice.map(|value| ("traceparent", value));
        assert_eq!(extract(&headers(&twice)), None, "{twice:?}");
    }
}

#[test]
fn no_traceparent_no_tracestate() {
    assert_eq!(extract(&HeaderMap::new()), None);
    for parent in ["", "00-00000000000000000000000000000000-1234567890123456-01"] {
        let sent = headers(&[("traceparent", parent), ("tracestate", "foo=1")]);
        assert_eq!(extract(&sent), None);
    }
    assert_eq!(extract(&headers(&[("tracestate", "foo=1,bar=2")])), None);
}

#[test]
fn a_state_of_one_line_is_carried_on_as_it_came() {
    let all_of_a_key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let all_of_a_value: String = (' '..='~').filter(|char| *char != ',' && *char != '=').collect();
    let cases = [
        "foo=1".to_owned(),
        "foo=1,bar=2".to_owned(),
        "foo=1 \t , \t bar=2, \t baz=3".to_owned(),
        "foo=1\t \t,\t \tbar=2,\t \tbaz=3".to_owned(),
        " foo=1".to_owned(),
        "\tfoo=1".to_owned(),
        "foo=1 ".to_owned(),
        "foo=1\t".to_owned(),
        "\t foo=1 \t".to_owned(),
        // A space in front belongs to the value, and so do those inside.
        "foo=  a b;c".to_owned(),
        // Empty members say nothing.
        "foo=1,".to_owned(),
        ",foo=1".to_owned(),
        "foo=1,,bar=2".to_owned(),
        "foo=1, \t ,bar=2".to_owned(),
        // Keys: a digit in front, a tenant and its system; and, since level 2, `@` like any other.
        "0=1".to_owned(),
        "0tenant@system=1".to_owned(),
        "foo@=1,bar=2".to_owned(),
        "foo@@bar=1".to_owned(),
        "foo@bar@baz=1".to_owned(),
        format!("{all_of_a_key}={all_of_a_value}"),
        format!("{all_of_a_key}@a-z0-9_-*/={all_of_a_value}"),
        format!("foo=1,{}=1", "z".repeat(256)),
        format!("foo=1,{}@{}=1", "t".repeat(241), "v".repeat(14)),
        // Level 1 had 241 characters for a tenant and 14 for its system; level 2 counts them as one.
        format!("foo=1,{}@v=1", "t".repeat(242)),
        format!("foo=1,t@{}=1", "v".repeat(15)),
        format!("foo={}", "v".repeat(256)),
    ];
    for sent in cases {
        assert_eq!(state(&[&sent]).as_ref(), Some(&sent));
    }
}

#[test]
fn an_invalid_state_is_dropped_whole_and_the_trace_continues() {
    let cases = [
        "",
        " ",
        ",",
        " , \t,",
        "foo",
        "foo=",
        "foo=,bar=3",
        "foo= ",
        "=1",
        "=",
        "foo=bar=baz",
        "foo =1",
        " =1",
        "foo\t=1",
        "FOO=1",
        "foo.bar=1",
        "foo;bar=1",
        "_foo=1",
        "-foo=1",
        "*foo=1",
        "/foo=1",
        "@foo=1,bar=2",
        "f\u{e9}=1",
        "foo=\u{e9}",
        "foo=a\tb",
        "foo=1,bar",
        // Only one for each key.
        "foo=1,foo=1",
        "foo=1,foo=2",
        "foo=1,bar=2,foo=3",
    ];
    for sent in cases {
        assert_eq!(state(&[sent]), None, "{sent}");
    }
    for long in [format!("foo=1,{}=1", "z".repeat(257)), format!("foo=1,bar={}", "v".repeat(257))] {
        assert_eq!(state(&[long]), None);
    }
}

#[test]
fn several_lines_are_one_list() {
    let cases: [(&[&str], Option<&str>); 8] = [
        (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], Some("foo=1,bar=2,rojo=1,congo=2,baz=3")),
        (&["foo=1", ""], Some("foo=1")),
        (&["", "foo=1"], Some("foo=1")),
        (&["", " ", ","], None),
        (&["foo=1 ", "\tbar=2"], Some("foo=1,bar=2")),
        (&["foo=1", "foo=1"], None),
        (&["foo=1", "foo=2"], None),
        (&["foo=1", "bar"], None),
    ];
    for (lines, carried) in cases {
        assert_eq!(state(lines).as_deref(), carried, "{lines:?}");
    }
}

#[test]
fn a_list_has_at_most_32_members() {
    let member = |n: usize| format!("bar{n:02}={n:02}");
    let list = |n: usize| (1..=n).map(member).collect::<Vec<_>>();
    assert_eq!(state(&[list(32).join(",")]), Some(list(32).join(",")));
    assert_eq!(state(&list(32)), Some(list(32).join(",")));
    // Those that are empty do not count.
    assert_eq!(state(&[list(32).join(",,")]), Some(list(32).join(",,")));
    assert_eq!(state(&[list(33).join(",")]), None);
    assert_eq!(state(&list(33)), None);
}

#[test]
fn at_least_512_characters_are_carried_and_what_is_longer_loses_whole_members() {
    let member = |key: &str, size: usize| format!("{key}={}", "v".repeat(size - key.len() - 1));
    // Just so much.
    let full = [member("a", 128), member("b", 128), member("c", 128), member("d", 125)].join(",");
    assert_eq!(full.len(), MAX_STATE);
    assert_eq!(state(&[&full]), Some(full));

    // One too many: the last one goes.
    let (a, b, c, d) = (member("a", 128), member("b", 128), member("c", 128), member("d", 126));
    let kept = [&*a, &*b, &*c].join(",");
    assert_eq!(state(&[[&*a, &*b, &*c, &*d].join(",")]), Some(kept.clone()));
    assert_eq!(state(&[&a, &b, &c, &d]), Some(kept));

    // One that is larger than 128 goes before any other, wherever it stands.
    let large = member("large", 129);
    let kept = [&*a, &*b, &*c].join(",");
    assert_eq!(state(&[[&*large, &*a, &*b, &*c].join(",")]), Some(kept));

    // Of two large ones the last one goes, and the first one too only if it must.
    let (first, last) = (member("first", 130), member("last", 150));
    let kept = [&*first, &*a, &*b].join(",");
    assert_eq!(state(&[[&*first, &*a, &*last, &*b].join(",")]), Some(kept));

    // Whitespace counts where it would be sent, and is left out where that helps.
    let spaced = [&*a, &*b, &*c].join(&format!("{},", " ".repeat(100)));
    assert!(spaced.len() > MAX_STATE);
    assert_eq!(state(&[spaced]), Some([&*a, &*b, &*c].join(",")));

    // One member alone may be larger than that.
    assert_eq!(state(&[member(&"k".repeat(256), 513)]), None);
}

#[test]
fn a_member_of_ours_stands_in_front() {
    let trace = parse(PARENT.as_bytes(), [b"rojo=1, congo=2 ,baz=3".as_slice()]).unwrap();
    let state = |key: &str, value: &str| {
        with_member(&trace, key, value).map(|trace| trace.state().unwrap().clone())
    };
    assert_eq!(state("new", "4").unwrap(), "new=4,rojo=1,congo=2,baz=3");
    assert_eq!(state("congo", "4").unwrap(), "congo=4,rojo=1,baz=3");
    assert_eq!(state("rojo", "1").unwrap(), "rojo=1,congo=2,baz=3");
    for (key, value) in [("", "1"), ("New", "1"), ("n w", "1"), ("new", ""), ("new", "1 ")] {
        assert_eq!(state(key, value), None, "{key}={value}");
    }
    for value in ["a,b", "a=b", "a\nb", "\u{e9}"] {
        assert_eq!(state("new", value), None, "{value}");
    }
    let alone = with_member(&parse(PARENT.as_bytes(), []).unwrap(), "new", "4").unwrap();
    assert_eq!(alone.state().unwrap(), "new=4");
    assert_eq!(alone.traceparent(), PARENT);
}

#[test]
fn a_member_of_ours_takes_the_place_of_the_last_where_there_is_no_room() {
    let list = |n: usize| (1..=n).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let trace = parse(PARENT.as_bytes(), [list(32).as_bytes()]).unwrap();
    let ours = with_member(&trace, "new", "1").unwrap();
    assert_eq!(ours.state().unwrap(), &format!("new=1,{}", list(31)));

    let (a, b) = (format!("a={}", "v".repeat(254)), format!("b={}", "v".repeat(100)));
    let trace = parse(PARENT.as_bytes(), [format!("{a},{b}").as_bytes()]).unwrap();
    let long = "v".repeat(256);
    let ours = with_member(&trace, "new", &long).unwrap();
    assert_eq!(ours.state().unwrap(), &format!("new={long},{b}"));
}

#[test]
fn what_is_injected_is_one_line_each_in_the_place_of_another_trace() {
    let trace = parse(PARENT.as_bytes(), [b"a=1".as_slice(), b"b=2".as_slice()]).unwrap();
    let mut sent = HeaderMap::new();
    inject(&trace, &mut sent);
    assert_eq!(sent, headers(&[("traceparent", PARENT), ("tracestate", "a=1,b=2")]));
    let other = headers(&[("traceparent", "a"), ("traceparent", "b"), ("tracestate", "c=3")]);
    let mut sent = other.clone();
    inject(&trace, &mut sent);
    assert_eq!(sent, headers(&[("traceparent", PARENT), ("tracestate", "a=1,b=2")]));
    let mut sent = other;
    inject(&parse(PARENT.as_bytes(), []).unwrap(), &mut sent);
    assert_eq!(sent, headers(&[("traceparent", PARENT)]), "the state was another trace's");
    let mut full = HeaderMap::new();
    let mut names = (0_u32..).map(|n| HeaderName::try_from(format!("x-{n}")).unwrap());
    while full.try_insert(names.next().unwrap(), HeaderValue::from_static("")).is_ok() {}
    let len = full.len();
    inject(&trace, &mut full);
    assert_eq!(full.len(), len);
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_read_the_same_again(
        trace_id in any::<[u8; 16]>(),
        span_id in any::<[u8; 8]>(),
        flags in any::<u8>(),
        lines in prop::collection::vec("([a-z0-9][a-z0-9_*/@-]{0,20}=[!-+.-<>-~]{1,40}[, \t]{0,2}){0,6}", 0..6),
    ) {
        prop_assume!(trace_id != [0; 16] && span_id != [0; 8]);
        let trace = TraceContext::new(trace_id, span_id, flags).unwrap();
        let value = trace.traceparent();
        let read = parse(value.as_bytes(), lines.iter().map(String::as_bytes)).unwrap();
        prop_assert_eq!(read.traceparent(), value);
        let mut sent = HeaderMap::new();
        inject(&read, &mut sent);
        prop_assert!(sent.get(TRACESTATE).is_none_or(|state| state.len() <= MAX_STATE));
        prop_assert_eq!(sent.get_all(TRACEPARENT).iter().count(), 1);
        prop_assert_eq!(extract(&sent), Some(read));
    }

    #[test]
    fn any_bytes_are_borne(parent in any::<Vec<u8>>(), lines in any::<Vec<Vec<u8>>>()) {
        prop_assert_eq!(parse(&parent, lines.iter().map(Vec::as_slice)), None);
        let _ = parse(PARENT.as_bytes(), lines.iter().map(Vec::as_slice)).unwrap();
    }
}
