use proptest::prelude::*;

use super::{
    clean,
    read::{Format, read},
    totals::{Disposition, Kind},
};

#[test]
fn of_a_url_the_scheme_host_and_path_are_kept() {
    let cases = [
        ("https://a.example/p?token=1#f", "https://a.example/p"),
        ("https://user:pass@a.example:8443/p", "https://a.example:8443/p"),
        ("https://a@b@c.example/", "https://c.example/"),
        ("https://a.example?q=secret", "https://a.example"),
        ("https://[::1]:3000/x", "https://[::1]:3000/x"),
        ("wss://a.example/ws", "wss://a.example/ws"),
        ("data:text/html,secret", "data"),
        ("blob:https://a.example/1234", "blob"),
        ("javascript:alert(1)", "javascript"),
        ("inline", "inline"),
        ("wasm-eval", "wasm-eval"),
        ("/path?secret", "/path"),
        ("", ""),
    ];
    for (url, kept) in cases {
        assert_eq!(clean::url(url), kept, "{url}");
    }
}

#[test]
fn what_is_not_visible_ascii_is_escaped() {
    let cases = [
        ("https://a.example/\r\n2026 ERROR", r"https://a.example/\u{d}\u{a}2026\u{20}ERROR"),
        ("https://a.example/\u{1b}[31m\u{202e}", r"https://a.example/\u{1b}[31m\u{202e}"),
        ("https://a.example/\"", r"https://a.example/\u{22}"),
        ("https://a.example\\@b.example/", r"https://a.example\u{5c}@b.example/"),
    ];
    for (url, kept) in cases {
        assert_eq!(clean::url(url), kept);
    }
}

#[test]
fn what_is_too_long_is_cut() {
    let long = format!("https://a.example/{}", "x".repeat(10_000));
    assert_eq!(clean::url(&long).len(), 256 + 3);
    assert_eq!(clean::word(&"y".repeat(10_000)).len(), 64 + 3);
}

#[test]
fn a_csp_report_document_is_read() {
    let document = br#"{"csp-report":{"document-uri":"https://a.example/page?u=1","referrer":"","violated-directive":"script-src 'self'","disposition":"report","blocked-uri":"https://evil.example/x.js?y","line-number":7,"column-number":3,"source-file":"https://a.example/app.js","original-policy":"secret","script-sample":"secret"}}"#;
    let batch = read(Format::CspReport, document).unwrap();
    let [report] = &*batch.reports else { panic!("{batch:?}") };
    assert_eq!(report.kind, Kind::Csp(Disposition::Report));
    assert_eq!(report.document, "https://a.example/page");
    assert_eq!(report.directive, "script-src");
    assert_eq!(report.blocked, "https://evil.example/x.js");
    assert_eq!(report.source, "https://a.example/app.js");
    assert_eq!((report.line, report.column), (Some(7), Some(3)));
    assert!(!format!("{report:?}").contains("secret"));
}

#[test]
fn a_reports_document_is_read() {
    let document = br#"[
        {"type":"csp-violation","age":1,"url":"https://a.example/?s","user_agent":"x",
         "body":{"documentURL":"https://a.example/?s","disposition":"enforce","effectiveDirective":"style-src-attr","blockedURL":"inline","lineNumber":1}},
        {"type":"deprecation","url":"https://a.example/d","body":{"id":"WebSQL","sourceFile":"https://a.example/a.js"}},
        {"type":"coep"},
        {"no":"type"},
        7
    ]"#;
    let batch = read(Format::Reports, document).unwrap();
    let kinds: Vec<_> = batch.reports.iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [Kind::Csp(Disposition::Enforce), Kind::Other, Kind::Other]);
    assert_eq!(batch.dropped, 2);
    assert_eq!(batch.reports[0].document, "https://a.example/");
    assert_eq!(batch.reports[0].directive, "style-src-attr");
    assert_eq!(batch.reports[1].directive, "WebSQL");
}

#[test]
fn of_many_reports_thirty_two_are_taken() {
    let document = format!("[{}]", vec![r#"{"type":"csp-violation"}"#; 1000].join(","));
    let batch = read(Format::Reports, document.as_bytes()).unwrap();
    assert_eq!((batch.reports.len(), batch.dropped), (32, 968));
}

/// A tree of all the values of some of these is a hundred times as large as the document.
#[test]
fn reading_takes_no_more_memory_than_the_document() {
    for unit in [
        r#"{"":0},"#,
        r#"{"url":{"url":{"url":{"url":0}}}},"#,
        r#"{"type":"x","body":{"id":[[],[],[],[]]}},"#,
        "[[]],",
        "\"\",",
    ] {
        let many = unit.repeat(64_000 / unit.len());
        for document in [format!("[{many}0]"), format!(r#"[{{"type":"x","body":[{many}0]}}]"#)] {
            let used = allocation_counter::measure(|| {
                read(Format::Reports, document.as_bytes()).unwrap();
            });
            assert!(used.bytes_max < 64 * 1024, "{unit}: {}", used.bytes_max);
        }
    }
}

#[test]
fn a_member_counts_in_its_own_place_alone() {
    let document = br#"[{"type":"x","url":{"type":"y"},"body":{"body":{"id":"deep"},"id":7}}]"#;
    let batch = read(Format::Reports, document).unwrap();
    assert_eq!(batch.reports[0].name, "x");
    assert_eq!((&*batch.reports[0].document, &*batch.reports[0].directive), ("", ""));
}

#[test]
fn what_is_no_document_of_its_type_is_not_read() {
    let deep = "[".repeat(60_000);
    for (format, document) in [
        (Format::CspReport, ""),
        (Format::CspReport, "{}"),
        (Format::CspReport, "[]"),
        (Format::CspReport, r#"{"csp-report":[]}"#),
        (Format::CspReport, r#"{"csp-report":{}} trailing"#),
        (Format::Reports, "{}"),
        (Format::Reports, "[1,]"),
        (Format::Reports, "\u{feff}[]"),
        (Format::Reports, &deep),
    ] {
        assert_eq!(read(format, document.as_bytes()), None, "{document:.20}");
    }
}

proptest! {
    #[test]
    fn whatever_was_sent_only_visible_ascii_is_kept(text in "\\PC{0,400}|[\\x00-\\x7f]{0,400}") {
        for kept in [clean::url(&text), clean::word(&text)] {
            prop_assert!(kept.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(kept.len() <= 259);
        }
    }

    #[test]
    fn no_query_and_no_user_are_kept(user in "[a-z]{6}", host in "[a-z]{1,8}", query in "[A-Z]{6}") {
        let kept = clean::url(&format!("https://{user}:{user}@{host}.example/p?{query}#{query}"));
        prop_assert_eq!(kept, format!("https://{}.example/p", host));
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (read(Format::CspReport, &bytes), read(Format::Reports, &bytes));
    }
}
