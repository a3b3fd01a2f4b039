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
    Config, Environment, Problem, ProblemKind, Profile, Report, Secret, Severity, Subject, Unit,
    Vars, config, rule,
};
use shop::{Colour, Settings, production, production_without};

/// The only problem there is.
fn one(report: &Report) -> &Problem {
    let problems: Vec<_> = report.problems().collect();
    assert_eq!(problems.len(), 1, "{report}");
    problems[0]
}

fn refused(more: &[(&str, &str)]) -> Report {
    production(more).load::<Settings>().expect_err("it is wrong")
}

fn warned(more: &[(&str, &str)]) -> Problem {
    let loaded = production(more).load::<Settings>().unwrap();
    let warnings: Vec<_> = loaded.warnings().cloned().collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings.into_iter().next().unwrap()
}

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
fn rules_for_production_hold_there_alone() {
    let weak = [("SHOP_SESSION_SECRET", "hunter2"), ("SHOP_CORS_ORIGINS", "http://localhost:5173")];
    assert_eq!(refused(&weak).errors().count(), 2);
    for profile in ["development", "dev", "TEST", "ci", "local"] {
        let mut weak = weak.to_vec();
        weak.push(("APP_ENV", profile));
        let loaded = production(&weak).load::<Settings>().unwrap();
        assert!(!loaded.profile().is_production(), "{profile}");
    }
}

#[test]
fn where_no_profile_is_set_it_is_production_or_what_the_service_says() {
    let environment = production_without(&["SHOP_SESSION_SECRET"]);
    let report = environment.load::<Settings>().unwrap_err();
    assert_eq!(one(&report).subjects()[0].name(), "SHOP_SESSION_SECRET");
    let environment = production_without(&["SHOP_SESSION_SECRET"]);
    let loaded = environment.profile("SHOP_ENV", Profile::Development).load::<Settings>().unwrap();
    assert_eq!(loaded.session_secret.expose(), "a secret for a machine at home");
}

#[test]
fn a_profile_that_nobody_knows_is_taken_for_production_with_a_warning() {
    let warning = warned(&[("APP_ENV", "staging")]);
    assert_eq!(
        warning.to_string(),
        "APP_ENV=\"staging\" is no profile, and taken for production; \
         right: production, development or test"
    );
    let report = refused(&[("APP_ENV", "staging"), ("SHOP_SESSION_SECRET", "hunter2")]);
    assert_eq!(report.errors().count(), 1);
}

#[test]
fn the_default_of_a_secret_is_refused_in_production() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Signs.
            key: Secret<String> = var("SIGNING").default("kJ8vX2mQ9zT4wL7pR1nB6yH3cF5dG0sA"),
        }
    }
    let nothing = || Environment::of::<String, String>([]);
    let report = nothing().load::<Keys>().unwrap_err();
    assert_eq!(one(&report).reason(), "is the default, which everybody knows");
    assert!(!report.to_string().contains("kJ8v"));
    let at_home = nothing().profile("APP_ENV", Profile::Development).load::<Keys>().unwrap();
    assert!(at_home.key.expose().starts_with("kJ8v"));
}

/// A name is a guess, and a guess stops no start.
#[test]
fn the_default_of_what_is_named_like_a_secret_is_a_warning_in_production() {
    config! {
        #[derive(Debug)]
        struct Names {
            /// What the cookie is called.
            cookie: String = var("SESSION_COOKIE").default("sid"),
            /// Where they are kept.
            key: std::path::PathBuf = var("SESSION_FILE").default("/var/lib/shop"),
            /// Who is asked.
            issuer: String = var("TOKEN_ISSUER").public().default("shop"),
        }
    }
    let loaded = Environment::of([("A", "b")]).load::<Names>().unwrap();
    let warnings: Vec<_> = loaded.warnings().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "SESSION_COOKIE=[REDACTED] (default) is the default, and named like a secret; \
             right: a text of your own, or `public` in the program where it is none",
            "SESSION_FILE=[REDACTED] (default) is the default, and named like a secret; \
             right: a path of your own, or `public` in the program where it is none",
        ]
    );
    let at_home = Environment::of([("APP_ENV", "test")]).load::<Names>().unwrap();
    assert_eq!(at_home.warnings().count(), 0);
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
fn what_may_be_left_out_elsewhere_must_be_set_in_production() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Opens the scheduled routes.
            cron: Option<Secret<String>> = var("CRON_SECRET").required_in_production(),
            /// Who is asked.
            other: Option<char> = parsed("OTHER", |text| text.parse().map(Some))
                .unset(None, "nobody")
                .required_in_production(),
        }
    }
    let load = |profile| Environment::of([("APP_ENV", profile)]).load::<Keys>();
    let report = load("production").unwrap_err();
    let kinds: Vec<_> = report.errors().map(Problem::kind).collect();
    assert_eq!(kinds, [ProblemKind::NotSet, ProblemKind::NotSet]);
    let keys = load("development").unwrap();
    assert!(keys.cron.is_none() && keys.other.is_none());
}

#[test]
fn an_unknown_variable_is_told_with_the_name_that_was_meant() {
    let cases = [
        ("SHOP_BNID", "SHOP_BIND?"),
        ("SHOP_SESION_SECRET", "SHOP_SESSION_SECRET?"),
        ("SHOP_STORE_CAPACITY", "a variable that is documented, or none"),
        ("SHOP_STORE_MX", "SHOP_STORE_MAX?"),
        ("SHOP_BODY_NB", "SHOP_BODY_MB?"),
        ("SHOP_ENABLE_CHATS", "SHOP_ENABLE_CHAT?"),
        ("SHOP_XYZ", "a variable that is documented, or none"),
        ("SHOP_LIMIT_FILE", "a variable that is documented, or none"),
    ];
    for (name, right) in cases {
        let warning = warned(&[(name, "whatever")]);
        assert_eq!(warning.kind(), ProblemKind::Unknown);
        assert_eq!((warning.subjects()[0].name(), warning.right()), (name, right));
        assert_eq!(warning.subjects()[0].given(), None);
    }
}

#[test]
fn what_has_no_prefix_of_ours_is_nobodys_business() {
    let loaded = production(&[("BNID", "x"), ("PATH", "/bin"), ("SHO_BIND", "x")]);
    assert_eq!(loaded.load::<Settings>().unwrap().warnings().count(), 0);
}

#[test]
fn names_that_somebody_asks_for_are_known() {
    let known = [("SHOP_BODY_MB", "3"), ("SHOP_ENV", "test"), ("SHOP_ENABLE_CHAT", "no")];
    let environment = production(&known).profile("SHOP_ENV", Profile::Production);
    let loaded = environment.load::<Settings>().unwrap();
    assert_eq!((loaded.warnings().count(), loaded.profile()), (0, Profile::Test));
}

#[test]
fn an_unknown_variable_can_be_an_error() {
    let report = production(&[("SHOP_BNID", "x")]).deny_unknown().load::<Settings>().unwrap_err();
    assert_eq!(one(&report).severity(), Severity::Error);
}

#[test]
fn what_is_missing_is_told_with_the_name_it_may_have_been_given() {
    let report = Environment::of([
        ("SHOP_SESSION_SECRET", shop::SECRET),
        ("SHOP_STORE_ULR", "postgres://db/shop"),
        ("SHOP_MAIL_KEYS", "mk-0123456789"),
    ])
    .load::<Settings>()
    .unwrap_err();
    let reasons: Vec<_> = report.problems().map(Problem::reason).collect();
    let expected = ["is not set, but SHOP_STORE_ULR is", "is not set, but SHOP_MAIL_KEYS is"];
    assert_eq!(reasons, expected);
}

#[test]
fn an_alias_is_as_good_as_the_name() {
    let loaded = production(&[("PORT_AND_HOST", "[::1]:80")]).load::<Settings>().unwrap();
    assert_eq!(loaded.bind.to_string(), "[::1]:80");
    assert!(loaded.effective().any(|setting| setting.name() == "PORT_AND_HOST"));
}

#[test]
fn two_names_of_one_variable_must_agree() {
    let same = production(&[("PORT_AND_HOST", "[::1]:80"), ("SHOP_BIND", "[::1]:80")]);
    assert!(same.load::<Settings>().is_ok());
    let report = refused(&[("PORT_AND_HOST", "[::1]:80"), ("SHOP_BIND", "[::1]:81")]);
    let problem = one(&report);
    assert_eq!(problem.kind(), ProblemKind::Conflict);
    let names: Vec<_> = problem.subjects().iter().map(Subject::name).collect();
    assert_eq!(names, ["SHOP_BIND", "PORT_AND_HOST"]);
}

#[test]
fn one_number_of_two_units_is_a_conflict() {
    config! {
        #[derive(Debug)]
        struct Times {
            /// As in two services before this one.
            window: Duration = var("WINDOW_MS").alias("WINDOW_SECONDS").alias("WINDOW_SECS"),
        }
    }
    let window = |given: [(&str, &str); 2]| Environment::of(given).load::<Times>();
    let report = window([("WINDOW_MS", "900"), ("WINDOW_SECONDS", "900")]).unwrap_err();
    assert_eq!(one(&report).kind(), ProblemKind::Conflict);
    for (given, seconds) in [
        ([("WINDOW_MS", "15m"), ("WINDOW_SECONDS", "15m")], 900),
        ([("WINDOW_SECS", "30"), ("WINDOW_SECONDS", "30")], 30),
    ] {
        assert_eq!(window(given).unwrap().window, Duration::from_secs(seconds));
    }
}

#[test]
fn a_bare_number_counts_what_its_name_or_the_service_says() {
    config! {
        #[derive(Debug)]
        struct Times {
            /// As in a service before this one.
            window: Duration = var("LIMIT_WINDOW")
                .alias("LIMIT_WINDOW_MS")
                .alias("LIMIT_WINDOW_SECONDS")
                .default("15m"),
            /// Of a cookie.
            age: Duration = var("AGE").bare(Unit::Seconds).default("1d"),
            /// Of a body.
            body: buttress_config::Size = var("BODY_MB").default(1),
        }
    }
    let times = |name: &str, value: &str| {
        Environment::of([(name, value)]).load::<Times>().map(buttress_config::Loaded::into_inner)
    };
    assert_eq!(times("LIMIT_WINDOW_MS", "900000").unwrap().window, Duration::from_secs(900));
    assert_eq!(times("LIMIT_WINDOW_MS", "15m").unwrap().window, Duration::from_secs(900));
    assert_eq!(times("LIMIT_WINDOW_SECONDS", "900").unwrap().window, Duration::from_secs(900));
    assert_eq!(times("AGE", "86400").unwrap().age, Duration::from_secs(86_400));
    assert_eq!(times("BODY_MB", "2").unwrap().body.bytes(), 2_000_000);
    assert_eq!(times("BODY_MB", "2KiB").unwrap().body.bytes(), 2_048);
    assert_eq!(times("AGE", "1").unwrap().body.bytes(), 1_000_000);
    assert_eq!(one(&times("LIMIT_WINDOW", "900000").unwrap_err()).reason(), "has no unit");
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
fn a_default_that_cannot_be_read_is_told_though_it_is_not_needed() {
    config! {
        #[derive(Debug)]
        struct Wrong {
            /// How many.
            many: u8 = var("MANY").default(256),
        }
    }
    let report = Environment::of([("MANY", "3")]).load::<Wrong>().unwrap_err();
    assert_eq!(one(&report).kind(), ProblemKind::Default);
    assert_eq!(
        one(&report).to_string(),
        "MANY=\"256\" (default) is too large; \
         right: a whole number from 0 to 255"
    );
    let docs = Environment::process().docs::<Wrong>();
    assert_eq!(docs.mistakes().errors().count(), 1);
}

#[test]
fn a_default_that_breaks_its_own_rule_is_told_though_it_is_not_needed() {
    config! {
        #[derive(Debug)]
        struct Wrong {
            /// How many.
            many: u8 = var("MANY").default(0).rule(rule::range(1..=64)),
            /// How many more; in production another is given.
            more: u8 = var("MORE").default(0).rule(rule::range(1..=64).in_production()),
        }
    }
    let docs = Environment::process().docs::<Wrong>();
    let text = one(docs.mistakes()).to_string();
    assert_eq!(text, "MANY=\"0\" (default) is not allowed; right: 1 to 64");
    let report = Environment::of([("MANY", "3"), ("MORE", "3")]).load::<Wrong>().unwrap_err();
    assert_eq!(one(&report).kind(), ProblemKind::Default);
}

#[test]
fn defaults_of_a_profile_go_before_the_default() {
    config! {
        #[derive(Debug)]
        struct Pool {
            /// How many.
            size: u8 = var("SIZE").default(20).default_in(Profile::Test, 2),
        }
    }
    for (profile, size, origin) in [("test", 2, "default in test"), ("production", 20, "default")] {
        let loaded = Environment::of([("APP_ENV", profile)]).load::<Pool>().unwrap();
        assert_eq!(loaded.size, size);
        let setting = loaded.effective().last().unwrap();
        assert_eq!(setting.origin().to_string(), origin);
    }
}

#[test]
fn a_part_can_be_read_twice_under_two_prefixes() {
    config! {
        #[derive(Debug)]
        struct Both {
            /// Written to.
            primary: shop::Store = group().prefixed("PRIMARY_"),
            /// Read from.
            replica: shop::Store = group().prefixed("REPLICA_"),
        }
    }
    let report =
        Environment::of([("REPLICA_URL", "postgres://replica/shop"), ("REPLICA_MIN", "x")]);
    let report = report.load::<Both>().unwrap_err();
    let names: Vec<_> = report.errors().map(|problem| problem.subjects()[0].name()).collect();
    assert_eq!(names, ["PRIMARY_URL", "REPLICA_MIN"]);
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
fn a_variable_that_two_parts_read_is_told_once() {
    config! {
        #[derive(Debug)]
        struct Both {
            /// One.
            one: Part = group(),
            /// Another.
            other: Part = group(),
        }
    }
    config! {
        #[derive(Debug)]
        struct Part {
            /// Where it is.
            region: u8 = var("REGION"),
        }
    }
    let loaded = Environment::of([("REGION", "1")]).load::<Both>().unwrap();
    assert_eq!((loaded.one.region, loaded.other.region, loaded.effective().count()), (1, 1, 2));
    let report = Environment::of([("REGION", "x")]).load::<Both>().unwrap_err();
    assert_eq!(one(&report).reason(), "is no whole number");
}

#[test]
fn a_rule_about_a_part_has_a_sentence_of_its_own() {
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
    let text = "what is set does not go together in production; right: more";
    assert_eq!(one(&report).to_string(), text);
    let report = Environment::of([("MIN", "4")]).load::<Whole>().unwrap_err();
    let text = "MIN=\"4\" is not allowed in production; right: fewer";
    assert_eq!(one(&report).to_string(), text);
}

/// What Kubernetes sets in each pod for a service `shop-api` of its namespace.
#[test]
fn the_links_of_a_cluster_are_not_unknown() {
    let links = [
        ("SHOP_API_SERVICE_HOST", "10.96.0.7"),
        ("SHOP_API_SERVICE_PORT", "80"),
        ("SHOP_API_SERVICE_PORT_HTTP", "80"),
        ("SHOP_API_PORT", "tcp://10.96.0.7:80"),
        ("SHOP_API_PORT_80_TCP", "tcp://10.96.0.7:80"),
        ("SHOP_API_PORT_80_TCP_PROTO", "tcp"),
        ("SHOP_API_PORT_80_TCP_PORT", "80"),
        ("SHOP_API_PORT_80_TCP_ADDR", "10.96.0.7"),
    ];
    let loaded = production(&links).deny_unknown().load::<Settings>().unwrap();
    assert_eq!(loaded.warnings().count(), 0);
    for name in ["SHOP_API_PORT", "SHOP_PORT_X_TCP", "SHOP_PORT_80_TCP_X", "SHOP_SERVICE_HOSTS"] {
        assert_eq!(warned(&[(name, "80")]).kind(), ProblemKind::Unknown, "{name}");
    }
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
fn many_problems_are_reported_in_time() {
    let file = (0..20_000).fold(String::new(), |file, n| file + &format!("S{n}=\n"));
    let loaded = production(&[]).prefix("S").text(".env", &file).load::<Settings>().unwrap();
    assert_eq!(loaded.warnings().count(), 20_000);
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
