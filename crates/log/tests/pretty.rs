//! Lines for a developer's eyes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

mod output;

use std::{error::Error, io};

use buttress_core::value::Value;
use buttress_log::{PrettyLayer, logger};
use buttress_redact::{Censor, Rules};
use output::{ID, pretty, request, written};

/// The lines without the time.
fn lines(text: &str) -> Vec<String> {
    let after = |line: &str| {
        let clock =
            line.get(..12).filter(|clock| clock.bytes().filter(|c| *c == b':').count() == 2);
        clock.map_or(line.to_owned(), |_| line.get(13..).unwrap().to_owned())
    };
    text.lines().map(after).collect()
}

#[test]
fn an_event_is_one_aligned_line() {
    let text = pretty(|| {
        tracing::info!(target: "shop", amount = 5, name = "ada lovelace", kind = "card", "paid");
        tracing::warn!(target: "shop::orders::list", slow = true, took = 0.5, "slow");
        tracing::error!(target: "shop", fatal = true, "gone");
    });
    assert_eq!(
        lines(&text),
        [
            r#"INFO  shop             paid amount=5 name="ada lovelace" kind=card"#,
            "WARN  shop::orders::list slow slow=true took=0.5",
            "FATAL shop             gone",
        ]
    );
}

#[test]
fn an_access_line_does_not_say_things_twice() {
    let text = pretty(|| {
        request().scope(|| {
            tracing::event!(name: "buttress.access", target: "access", tracing::Level::INFO, {
                message = "GET /users/{id} 200",
                request_id = ID,
                method = "GET",
                route = "/users/{id}",
                path = "/users/42",
                status = 200_u64,
                duration_ms = 12.5,
                fields = "{}"
            });
        });
    });
    let expected = format!(
        "INFO  access           GET /users/{{id}} 200 path=/users/42 duration_ms=12.500 \
         request_id={ID}"
    );
    assert_eq!(lines(&text), [expected]);
}

#[test]
fn what_belongs_to_a_line_is_below_it_and_indented() {
    let cause = io::Error::other("refused");
    let error = io::Error::other(Wrapped(cause));
    let text = pretty(|| {
        let _span = tracing::info_span!("job", id = 7, token = "abc").entered();
        logger().with("order", 17).with("tags", vec![Value::from("a")]).enter(|| {
            tracing::error!(target: "shop", error = &error as &dyn Error, "not paid");
        });
    });
    assert_eq!(
        lines(&text),
        [
            r#"ERROR shop             not paid error="no connection""#,
            r#"    order=17 tags=["a"]"#,
            r#"    in "job","id":7,"token":"[REDACTED]""#,
            "    caused by: refused",
        ]
    );
}

#[test]
fn each_event_ends_its_lines_whatever_a_cause_does() {
    /// A cause that is wrapped by others.
    #[derive(Debug)]
    struct Outer(Box<dyn Error>);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }
    #[derive(Debug)]
    struct Fails;
    impl std::fmt::Display for Fails {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("half")?;
            Err(std::fmt::Error)
        }
    }
    impl Error for Fails {}
    for (cause, told) in [
        (Box::new(Fails) as Box<dyn Error>, "half"),
        (Box::new(Panics), "[PANIC]"),
        (Box::new(Outer(Box::new(Panics))), "[PANIC]"),
        (Box::new(Outer("a".repeat(300_000).into())), "aaa"),
    ] {
        let causes = 1 + usize::from(cause.source().is_some());
        let error = Outer(cause);
        let text = pretty(|| {
            tracing::error!(target: "shop", error = &error as &dyn Error, "not paid");
            tracing::info!(target: "shop", "next");
        });
        let lines = lines(&text);
        assert_eq!(lines.len(), 2 + causes, "{lines:?}");
        let last = lines.iter().rev().nth(1).unwrap();
        assert!(last.starts_with(&format!("    caused by: {told}")), "{last}");
        assert_eq!(lines.last().unwrap(), "INFO  shop             next");
    }
}

#[test]
fn a_long_message_is_cut_and_the_id_is_not() {
    let long = "x".repeat(300_000);
    let text = pretty(|| {
        request().scope(|| tracing::info!(after = %format_args!("{}{}", 1, 2), "{long}"));
    });
    assert_eq!(text.lines().count(), 1);
    assert!(text.len() < 256 * 1024);
    assert!(text.ends_with(&format!(" after=12 request_id={ID}\n")), "{:?}", text.get(250_000..));
}

#[test]
fn a_field_is_left_out_only_where_the_line_says_the_same() {
    let text = pretty(|| {
        tracing::info!(target: "shop", request_id = "of old", "outside");
        request().scope(|| tracing::info!(target: "shop", request_id = "another", "inside"));
        request().scope(|| tracing::info!(target: "shop", request_id = ID, "the same"));
        tracing::error!(target: "shop", fatal = "a word", "not gone");
        tracing::warn!(target: "shop", fatal = true, "no error");
    });
    assert_eq!(
        lines(&text),
        [
            r#"INFO  shop             outside request_id="of old""#.to_owned(),
            format!("INFO  shop             inside request_id=another request_id={ID}"),
            format!("INFO  shop             the same request_id={ID}"),
            r#"ERROR shop             not gone fatal="a word""#.to_owned(),
            "WARN  shop             no error fatal=true".to_owned(),
        ]
    );
}

#[test]
fn a_text_cannot_end_its_quotes() {
    let text = pretty(|| {
        tracing::info!(target: "shop", user = r#"ada" admin="true\"#, "hello");
    });
    assert_eq!(lines(&text), [r#"INFO  shop             hello user="ada\" admin=\"true\\""#]);
}

#[test]
fn a_scope_of_which_nothing_may_be_said_has_no_line() {
    let rules = Rules::new().redact_key_with("gone", Censor::remove()).unwrap();
    let text = written(
        |writer| PrettyLayer::new(writer).rules(rules),
        || logger().with("gone", 1).enter(|| tracing::info!(target: "shop", "hello")),
    );
    assert_eq!(lines(&text), ["INFO  shop             hello"]);
}

#[derive(Debug)]
struct Wrapped(io::Error);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no connection")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn colours_are_there_only_when_they_are_asked_for() {
    let run = || tracing::info!(a = 1, "hello");
    let plain = pretty(run);
    assert!(!plain.contains('\u{1b}'));
    let coloured = written(|writer| PrettyLayer::new(writer).colours(true), run);
    assert!(coloured.contains("\u{1b}[32mINFO \u{1b}[0m"), "{coloured:?}");
    let mut stripped = coloured;
    for code in ["0", "1", "2", "32"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(lines(&stripped), lines(&plain));
}

#[test]
fn a_terminal_obeys_nothing_that_is_logged() {
    let attack = "\u{1b}]0;title\u{7}\u{1b}[2J\r\n12:00:00.000 INFO  forged\u{9b}31m\u{202e}\u{0}";
    let text = pretty(|| {
        let _span = tracing::info_span!("span", attack).entered();
        logger().with(attack, attack).enter(|| {
            tracing::info!(attack, debug = ?attack, display = %attack, "{attack}");
        });
    });
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
    assert!(text.contains("\\u{1b}]0;title\\u{7}"), "{text}");
}

#[test]
fn secrets_are_redacted() {
    let text = pretty(|| {
        logger().with("session", "abc").enter(|| {
            tracing::info!(password = "hunter2", header = "Bearer abcdefghijklmnop", "hello");
        });
    });
    assert!(text.contains("password=[REDACTED] header=\"Bearer [REDACTED]\""), "{text}");
    assert!(text.contains("session=[REDACTED]"), "{text}");
}

#[derive(Debug)]
struct Panics;

impl std::fmt::Display for Panics {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("in Display")
    }
}

impl Error for Panics {}

#[test]
fn a_value_that_panics_does_not_cost_the_line() {
    let text = pretty(|| tracing::info!(target: "shop", bad = %Panics, after = 1, "hello"));
    assert_eq!(lines(&text), ["INFO  shop             hello bad=[PANIC] after=1"]);
}
