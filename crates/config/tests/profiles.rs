//! Where the service runs, and what holds there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod shop;

use buttress_config::{Environment, Problem, ProblemKind, Profile, Secret, config, rule};
use shop::{Settings, one, production, production_without, refused, warned};

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
