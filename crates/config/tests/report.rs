//! What is wrong, and what is said of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod shop;

use std::{num::NonZeroU16, time::Duration};

use buttress_config::{
    Config, Environment, Problem, ProblemKind, Profile, Report, Secret, Vars, config, rule,
};
use shop::{Colour, Settings, one, production, refused, warned};

#[test]
fn a_configuration_without_problems_has_its_values_and_its_defaults() {
    let loaded = production(&[("SHOP_LIMIT", "5/s"), ("SHOP_COLOUR", "blue")]);
    let loaded = loaded.load::<Settings>().unwrap();
    assert_eq!(loaded.warnings().count(), 0);
    assert_eq!(loaded.profile(), Profile::Production);
    let settings = loaded.into_inner();
    assert_eq!(settings.bind.to_string(), "127.0.0.1:3000");
    assert_eq!(settings.session_secret.expose(), shop::SECRET);
    assert_eq!(settings.session_max_age, Duration::from_secs(86_400));
    assert_eq!(settings.limit.to_string(), "5/1s");
    assert_eq!(settings.body.bytes(), 1 << 20);
    assert_eq!(settings.colour, Colour::Blue);
    assert_eq!((settings.store.min, settings.store.max), (2, NonZeroU16::new(20).unwrap()));
    assert!(settings.cors_origins.is_empty());
}

#[test]
fn all_problems_are_in_one_report() {
    let report = Environment::of([
        ("SHOP_BIND", "3000"),
        ("SHOP_SESSION_SECRET", "hunter2"),
        ("SHOP_SESSION_MAX_AGE", "long"),
        ("SHOP_CORS_ORIGINS", "https://shop.example,http://localhost:5173"),
        ("SHOP_LIMIT", "100"),
        ("SHOP_BODY", "10M"),
        ("SHOP_COLOUR", "green"),
        ("SHOP_STORE_MIN", "30"),
        ("SHOP_STORE_QUEUE", "200"),
        ("SHOP_ENABLE_CHAT", "perhaps"),
        ("SHOP_BNID", "x"),
    ])
    .prefix("SHOP_")
    .load::<Settings>()
    .unwrap_err();
    assert_eq!(
        report.to_string(),
        "\
10 errors and 3 warnings in the configuration
  error: SHOP_BIND=\"3000\" is no address and port
    right: an address and a port, such as 127.0.0.1:3000, [::1]:3000 or, for a free port, 127.0.0.1:0
  error: SHOP_SESSION_SECRET=[REDACTED] is not allowed in production
    right: at least 32 characters that nobody guesses, such as `openssl rand -base64 48` makes
  error: SHOP_SESSION_MAX_AGE=[REDACTED] is no duration
    right: a duration, such as 500ms, 30s or 1h30m
  error: SHOP_CORS_ORIGINS=\"https://shop.example,http://localhost:5173\" is not allowed in production
    right: a host that others can reach, and not this machine
  error: SHOP_LIMIT=\"100\" has no slash
    right: a number per time, such as 100/15m or 10/s
  error: SHOP_BODY=\"10M\" has a unit that could be of 1,000 or of 1,024
    right: a size, such as 10MiB, 512kB or a number of bytes
  error: SHOP_COLOUR=\"green\" cannot be read: nobody paints in green
    right: red or blue
  error: SHOP_STORE_URL is not set
    right: a URL, such as postgres://shop@localhost/shop; postgres://…
  error: SHOP_STORE_MIN=\"30\", SHOP_STORE_MAX=\"20\" (default) do not go together
    right: a minimum that is no more than the maximum
  error: SHOP_ENABLE_CHAT=\"perhaps\" is neither
    right: true or false
  warning: SHOP_MAIL_KEY is not set
    right: a text; one of your own, and not an example's; without it no mail is sent
  warning: SHOP_STORE_QUEUE=\"200\" is not allowed
    right: 0 to 100
  warning: SHOP_BNID is no variable of this service
    right: SHOP_BIND?"
    );
}

#[test]
fn a_rule_across_fields_is_asked_though_others_are_wrong() {
    let report =
        refused(&[("SHOP_STORE_MIN", "21"), ("SHOP_STORE_QUEUE", "x"), ("SHOP_BIND", "x")]);
    let kinds: Vec<_> = report.errors().map(Problem::kind).collect();
    assert_eq!(kinds, [ProblemKind::Invalid, ProblemKind::Invalid, ProblemKind::Rule]);
    let names: Vec<_> = report.errors().nth(2).unwrap().subjects().iter().collect();
    assert_eq!((names[0].name(), names[0].given()), ("SHOP_STORE_MIN", Some("21")));
    assert_eq!((names[1].name(), names[1].given()), ("SHOP_STORE_MAX", Some("20")));
}

#[test]
fn a_rule_across_fields_is_not_asked_of_what_could_not_be_read() {
    let report = refused(&[("SHOP_STORE_MIN", "21"), ("SHOP_STORE_MAX", "0")]);
    assert_eq!(one(&report).kind(), ProblemKind::Invalid);
}

#[test]
fn a_rule_across_fields_may_be_for_production_and_a_warning() {
    let large = [("SHOP_BODY", "2GiB"), ("SHOP_LIMIT", "10/s")];
    let warning = warned(&large);
    assert_eq!(warning.kind(), ProblemKind::Rule);
    assert_eq!(warning.subjects().len(), 2);
    let mut at_home = large.to_vec();
    at_home.push(("APP_ENV", "development"));
    assert_eq!(production(&at_home).load::<Settings>().unwrap().warnings().count(), 0);
}

#[test]
fn a_secret_must_be_long_and_none_that_everybody_writes() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Signs.
            key: Secret<String> = var("KEY").rule(rule::strong(32)),
        }
    }
    let weak = [
        "kJ8vX2mQ9zT4wL7pR1nB6yH3cF5dG0s",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabcabcabcabcabcabcabc",
        "your-super-secret-key-at-least-32-chars",
        "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
        "please-replace-me-with-a-random-text-please",
        "kJ8vX2mQ9zT4wL7pR1nB6yH3cF5dG0sA\n",
    ];
    for key in weak {
        assert!(Environment::of([("KEY", key)]).load::<Keys>().is_err(), "{key}");
    }
    for key in [shop::SECRET, "0af7651916cd43dd8448eb211c80319cb7ad6b7169203331"] {
        assert!(Environment::of([("KEY", key)]).load::<Keys>().is_ok(), "{key}");
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_is_a_mistake() {
    for empty in ["", "  "] {
        let report = refused(&[("SHOP_MAIL_KEY", empty), ("SHOP_BIND", empty)]);
        let reasons: Vec<_> = report.errors().map(Problem::reason).collect();
        assert_eq!(reasons, ["is set, and empty", "is set, and empty"]);
    }
    let list = production(&[("SHOP_CORS_ORIGINS", "")]).load::<Settings>().unwrap();
    assert!(list.cors_origins.is_empty());
}

#[test]
fn a_variable_that_is_set_to_nothing_can_be_as_one_that_is_not_set() {
    let environment = production(&[("SHOP_MAIL_KEY", ""), ("SHOP_BIND", " ")]).empty_is_unset();
    let loaded = environment.load::<Settings>().unwrap();
    assert!(loaded.mail_key.is_none());
    assert_eq!(loaded.bind.port(), 3000);
    assert_eq!(loaded.warnings().count(), 1);
}

#[test]
fn one_variable_alone_can_be_set_to_nothing() {
    config! {
        #[derive(Debug)]
        struct Log {
            /// How much.
            level: String = var("LEVEL").empty_is_unset().default("info"),
            /// Where to.
            file: Option<String> = var("FILE"),
        }
    }
    assert_eq!(Environment::of([("LEVEL", "")]).load::<Log>().unwrap().level, "info");
    let report = Environment::of([("LEVEL", ""), ("FILE", "")]).load::<Log>().unwrap_err();
    assert_eq!(one(&report).subjects()[0].name(), "FILE");
}

#[test]
fn what_ends_a_line_or_moves_the_cursor_is_escaped() {
    let report =
        refused(&[("SHOP_BIND", "x\n  error: all is well\u{1b}[2J"), ("SHOP_\u{1b}[2J", "")]);
    let text = report.to_string();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.contains(r#"SHOP_BIND="x\n  error: all is well\u{1b}[2J" is no"#), "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
}

#[test]
fn a_foreign_error_does_not_say_again_what_stands_before_it() {
    config! {
        #[derive(Debug)]
        struct Limits {
            /// As its parser tells it.
            first: u8 = parsed("FIRST", |text| Err::<u8, _>(format!("{text:?}: it is wrong")))
                .unset(1, "one"),
            /// And as another does.
            second: u8 = parsed("SECOND", |text| Err::<u8, _>(format!("SECOND={text:?}: no\nway")))
                .unset(1, "one"),
        }
    }
    let report = Environment::of([("FIRST", "a"), ("SECOND", "b")]).load::<Limits>().unwrap_err();
    let reasons: Vec<_> = report.errors().map(Problem::reason).collect();
    assert_eq!(reasons, ["cannot be read: it is wrong", "cannot be read: no way"]);
    let loaded = Environment::of([("OTHER", "a")]).load::<Limits>().unwrap();
    assert_eq!(loaded.effective().last().unwrap().to_string(), "SECOND is not set: one");
}

#[test]
fn a_foreign_error_is_one_short_line() {
    config! {
        #[derive(Debug)]
        struct Limits {
            /// As its parser tells it.
            first: u8 = parsed("FIRST", |text| Err::<u8, _>(format!("it is {text}"))).unset(1, "one"),
        }
    }
    let value = format!("\u{202e}\u{1b}[2J{}", "x".repeat(10_000));
    let report = Environment::of([("FIRST", value)]).load::<Limits>().unwrap_err();
    let reason = one(&report).reason();
    assert!(reason.starts_with(r"cannot be read: it is \u{202e}"), "{reason}");
    assert!(!reason.contains('\u{1b}') && reason.len() < 300 && reason.ends_with('…'), "{reason}");
}

#[test]
fn a_rule_about_a_part_is_about_its_variables() {
    config! {
        #[derive(Debug)]
        struct Whole {
            /// A part.
            store: Store = group(),
        }
        rules {
            (store) => buttress_config::require(store.min > 3, "more").in_production(),
        }
    }
    config! {
        #[derive(Debug)]
        struct Store {
            /// At least.
            min: u8 = var("MIN").default(2),
        }
        rules { (min) => buttress_config::require(*min < 3, "fewer").in_production() }
    }
    let report = Environment::of([("A", "b")]).load::<Whole>().unwrap_err();
    let text = "MIN=\"2\" (default) is not allowed in production; right: more";
    assert_eq!(one(&report).to_string(), text);
    let report = Environment::of([("MIN", "4")]).load::<Whole>().unwrap_err();
    let text = "MIN=\"4\" is not allowed in production; right: fewer";
    assert_eq!(one(&report).to_string(), text);
}

#[test]
fn a_long_value_is_cut() {
    let long = "x".repeat(10_000);
    let report = refused(&[("SHOP_BIND", &long)]);
    let given = one(&report).subjects()[0].given().unwrap().to_owned();
    assert!(given.len() < 200 && given.ends_with('…'), "{given}");
}

#[test]
fn a_configuration_that_is_written_by_hand_may_not_fail_without_a_reason() {
    #[derive(Debug)]
    struct Never;
    impl Config for Never {
        fn declare(_: &mut Vars<'_>) -> Option<Self> {
            None
        }
    }
    let report = Environment::of([("A", "b")]).load::<Never>().unwrap_err();
    assert!(report.is_fatal(), "{report}");
}

/// `main` prints so what it returns, and `unwrap` what it ends with.
#[test]
fn what_debug_prints_of_a_report_can_be_read() {
    let report = refused(&[("SHOP_BIND", "x")]);
    assert_eq!(format!("{report:?}"), report.to_string());
    assert_eq!(format!("{report:#?}"), report.to_string());
}

#[test]
fn a_report_of_nothing_says_so() {
    assert_eq!(Report::default().to_string(), "the configuration is right");
    assert!(!Report::default().is_fatal());
}

/// Of a secret too, of which nothing else is said.
#[test]
fn what_takes_a_value_says_why_it_does_not() {
    config! {
        #[derive(Debug)]
        struct Taken {
            /// A secret.
            key: Secret<String> = var("KEY").expects("a key").taken_by(|key| match key.expose().len() {
                0..8 => Err("a key has 8 letters or more"),
                length => Ok(length),
            }),
            /// No secret.
            name: Option<String> = var("NAME").taken_by(|name| name.parse::<f64>()),
            /// Of which an example has a password.
            url: Option<Secret<String>> = var("TAKEN_URL")
                .taken_by(|_| Err::<(), _>("it is written a://user:password@host,\nas you know")),
        }
        rules {
            (key, name) => rule::require(name.is_none() || key.expose().is_empty(), "asked"),
        }
    }
    let load =
        |variables: &[(&str, &str)]| Environment::of(variables.iter().copied()).load::<Taken>();
    let report = load(&[("KEY", "hunter2"), ("NAME", "x"), ("TAKEN_URL", "user")]).unwrap_err();
    let said: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "KEY=[REDACTED] is refused: a key has 8 letters or more; right: a key",
            "NAME=\"x\" is refused: invalid float literal; right: a text",
            "TAKEN_URL=[REDACTED] is refused: it is written a://user:password@host, as you know; right: a text",
        ]
    );
    assert!(report.errors().all(|problem| problem.kind() == ProblemKind::Invalid));
    // What is taken goes on to the rules.
    let report = load(&[("KEY", "hunter2-hunter2"), ("NAME", "1")]).unwrap_err();
    assert_eq!(one(&report).right(), "asked");
}

/// A mistake of the program, as a default that cannot be read is.
#[test]
fn a_default_that_is_not_taken_is_reported() {
    config! {
        #[derive(Debug)]
        struct Taken {
            /// A number.
            number: String = var("NUMBER").default("many").taken_by(|text| text.parse::<u8>()),
        }
    }
    let report = Environment::of([("NUMBER", "1")]).load::<Taken>().unwrap_err();
    assert_eq!(one(&report).kind(), ProblemKind::Default);
}

#[test]
fn the_table_has_each_variable_in_a_line_and_is_not_widened_by_one() {
    let long = "http://localhost/".to_owned() + &"a".repeat(80);
    let loaded = production(&[("SHOP_CORS_ORIGINS", &long), ("APP_ENV", "test")]);
    let table = loaded.load::<Settings>().unwrap().table();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 14, "{table}");
    let from = |line: &str| line.rsplit("  ").next().unwrap().to_owned();
    let line = |name: &str| *lines.iter().find(|line| line.starts_with(name)).unwrap();
    assert_eq!(from(line("SHOP_BIND ")), "default");
    assert_eq!(from(line("SHOP_CORS_ORIGINS ")), "environment");
    assert!(line("SHOP_SESSION_SECRET ").contains("  [REDACTED]  "), "{table}");
    let at = |line: &str| line.find("default");
    assert_eq!(at(line("SHOP_BIND ")), at(line("SHOP_STORE_MAX ")), "{table}");
    assert!(line("SHOP_BIND ").len() < 90, "{table}");
}
