//! What variables are called, and what was meant.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod shop;

use std::time::{Duration, Instant};

use buttress_config::{
    Environment, Problem, ProblemKind, Profile, Severity, Subject, Unit, config, require,
};
use shop::{Settings, one, production, refused, warned};

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
fn a_variable_that_two_parts_read_is_told_once() {
    config! {
        #[derive(Debug)]
        struct Both {
            /// One.
            one: Part = group(),
            /// Another.
            other: Part = group(),
        }
        rules {
            (one, other) => require(one.region + other.region < 8, "less than 4"),
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
    let report = Environment::of([("REGION", "4")]).load::<Both>().unwrap_err();
    assert_eq!(one(&report).to_string(), "REGION=\"4\" is not allowed; right: less than 4");
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

/// 20,000 variables that nobody knows, a half of them nearly as one that somebody does.
#[test]
fn many_problems_are_reported_in_time() {
    let file =
        (0..10_000).fold(String::new(), |file, n| file + &format!("S{n}=\nSHOP_STORE_Q{n:04}=\n"));
    let began = Instant::now();
    let loaded = production(&[]).prefix("S").text(".env", &file).load::<Settings>().unwrap();
    assert_eq!(loaded.warnings().count(), 20_000);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

/// What is missing is looked for among as many.
#[test]
fn what_is_missing_is_found_in_time() {
    let strangers = (0..10_000).map(|n| (format!("SHOP_STORE_{n:03}"), String::new()));
    let meant = [("SHOP_STORE_ULR", "x"), ("SHOP_SESSION_SECRETS", "x")];
    let meant = meant.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let began = Instant::now();
    let report = Environment::of(strangers.chain(meant)).load::<Settings>().unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let reasons: Vec<_> = report.errors().map(Problem::reason).collect();
    let expected = ["is not set, but SHOP_SESSION_SECRETS is", "is not set, but SHOP_STORE_ULR is"];
    assert_eq!(reasons, expected);
}
