//! A password is in no output, wherever it stands in a URL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

mod outputs;
mod shop;

use buttress_config::{CENSOR, Environment, Profile, Url, config};
use outputs::{is_hidden, outputs};
use proptest::prelude::*;
use shop::{Settings, production};

#[test]
fn in_the_password_and_the_query_of_a_url() {
    is_hidden(&production(&[("SHOP_STORE_URL", "postgres://shop:Tr0ub4dor-planted@db/shop")]));
    is_hidden(&production(&[("SHOP_STORE_URL", "postgres://db/shop?password=planted")]));
    is_hidden(&production(&[("SHOP_STORE_URL", "mysql://shop:planted@db/shop")]));
}

#[test]
fn in_a_url_that_cannot_be_read() {
    for url in [
        "postgres//shop:planted@db/shop",
        "postgres:/shop:planted@db/shop",
        "shop:planted@db:5432/shop",
        "postgres://shop:plan/planted@db/shop",
        "postgres://shop:planted@db:port/shop",
        "postgres://shop:planted@d b/shop",
        "https://a.example,https://shop:planted@db:x",
    ] {
        is_hidden(&production(&[("SHOP_STORE_URL", url), ("SHOP_CORS_ORIGINS", url)]));
    }
}

#[test]
fn in_a_password_whatever_is_in_it() {
    const FIRST: &str = "Aq7Zk2Wm";
    const SECOND: &str = "pL9xT4vR";
    for special in "/ ? # @ : , % & = + ; [ ] \" ' \\ $ ! | < > ^ { }".split(' ') {
        for scheme in
            ["postgres://", "postgres//", "postgres:/", "://", "", "https://a.example:80,https://"]
        {
            for tail in ["", "/shop", "/shop?sslmode=require", "/shop?a=b@c:d"] {
                let url = format!("{scheme}shop:{FIRST}{special}{SECOND}@db:5432{tail}");
                for name in ["SHOP_STORE_URL", "SHOP_CORS_ORIGINS", "SHOP_BIND", "SHOP_COLOUR"] {
                    let out = outputs::<Settings>(&production(&[(name, &url)]));
                    assert!(!out.contains(FIRST) && !out.contains(SECOND), "{name}={url}: {out}");
                }
            }
        }
    }
}

/// As some services take a key: as the user, with no password, or by its looks.
#[test]
fn in_the_user_of_a_url() {
    config! {
        #[derive(Debug)]
        struct Service {
            /// Where it is.
            service: Url = var("SERVICE").default("https://planted-default:@b/x"),
        }
    }
    let token = "AKIAIOSFODNN7EXAMPLE";
    for url in ["https://planted:@b.example/x", &format!("https://{token}@b.example/x")] {
        let out = outputs::<Service>(&Environment::of([("SERVICE", url)]));
        assert!(!out.contains("planted") && !out.contains(token), "{out}");
    }
    let out = outputs::<Service>(&Environment::of([("SERVICE", "postgres://shop@db/shop")]));
    assert!(out.contains("postgres://shop@db/shop"), "{out}");
}

#[test]
fn in_the_default_of_a_url() {
    config! {
        #[derive(Debug)]
        struct Store {
            /// Where it is.
            url: Url = var("STORE").default("postgres://app:planted@localhost/app"),
            /// Where others are.
            others: Vec<Url> = var("OTHERS")
                .default_in(Profile::Development, "redis://a:planted@b,redis://c:planted-too@d"),
        }
    }
    let others = ("OTHERS", "redis://a");
    let out = outputs::<Store>(&Environment::of([others]));
    assert!(!out.contains("planted") && out.contains("app:[REDACTED]@localhost"), "{out}");
    assert!(out.contains(
        "STORE=\"postgres://app:[REDACTED]@localhost/app\" (default) is the default, which"
    ));
    let at_home = Environment::of::<&str, &str>([]).profile("APP_ENV", Profile::Development);
    assert!(at_home.load::<Store>().is_ok());
    assert!(!outputs::<Store>(&at_home).contains("planted"));
}

#[test]
fn one_that_everybody_knows_hides_no_more_than_itself() {
    config! {
        #[derive(Debug)]
        struct Store {
            /// Where it is.
            url: Url = var("STORE"),
            /// How it is seeded.
            seed: u8 = var("SEED").secret(),
            /// How many.
            many: u8 = var("MANY"),
        }
    }
    let environment = Environment::of([
        ("APP_ENV", "dev"),
        ("STORE", "postgres://postgres:postgres@localhost/postgres"),
        ("SEED", "4"),
        ("MANY", "4"),
    ]);
    let loaded = environment.load::<Store>().unwrap();
    let shown: Vec<_> = loaded.effective().map(|setting| setting.value().unwrap()).collect();
    let url = "postgres://postgres:[REDACTED]@localhost/postgres";
    assert_eq!(shown, ["dev", url, CENSOR, "4"]);
}

#[test]
fn a_url_prints_itself_without_its_password() {
    let url: Url = "redis://:planted@cache:6379/0?token=planted".parse().unwrap();
    let out = format!("{url} {url:?} {url:#?}");
    assert!(!out.contains("planted") && out.contains("cache:6379"), "{out}");
    assert!(url.as_str().contains("planted"));
}

/// As libpq, JDBC and others write them.
#[test]
fn in_a_connection_string_that_is_no_url() {
    for text in [
        "host=db user=shop password=planted dbname=shop",
        "password = planted",
        "host=db password='it\\'s planted; x=y' dbname=shop",
        "host=db password=planted;planted,planted&planted dbname=shop",
        "host=db sslpassword=planted",
        "Server=db;User Id=shop;Password=planted;",
        "Server=db;PWD=\"planted;planted\";User Id=shop",
        "Server=db;PWD='it''s planted';User Id=shop",
        "Server=db;PWD='it'' planted';User Id=shop",
        "host=db password=\"it\"planted dbname=shop",
        "host=db password='it'planted dbname=shop",
        "jdbc:postgresql://db/shop?user=shop&password=planted",
        "jdbc:sqlserver://db;user=shop;password=planted",
    ] {
        for name in ["SHOP_STORE_URL", "SHOP_COLOUR", "SHOP_BIND"] {
            is_hidden(&production(&[(name, text)]));
        }
    }
}

#[test]
fn what_stands_beside_a_password_stays() {
    config! {
        #[derive(Debug)]
        struct Store {
            /// Where it is.
            store: String = var("STORE")
                .default_in(Profile::Development, "host=db password=planted dbname=shop"),
            /// What is logged.
            log: String = var("LOG").default("info,shop_session=debug"),
        }
    }
    let of = |text: &str| {
        let loaded = Environment::of([("STORE", text)]).load::<Store>().unwrap();
        loaded.effective().nth(1).unwrap().value().unwrap().to_owned()
    };
    for (text, shown) in [
        ("host=db password=planted dbname=shop", "host=db password=[REDACTED] dbname=shop"),
        ("Password=planted;Database=shop", "Password=[REDACTED];Database=shop"),
        ("password='a b' x", r"password=\'[REDACTED]\' x"),
        ("password='a''b' x", r"password=\'[REDACTED]\' x"),
        ("password='' x", r"password=\'\' x"),
        ("password=", "password="),
        ("password=a password=b pwd=c", "password=[REDACTED] password=[REDACTED] pwd=[REDACTED]"),
        ("a=b, pwd", "a=b, pwd"),
    ] {
        assert_eq!(of(text), shown);
    }
    let censored = Environment::of([("STORE", "host=db password=[REDACTED]")]);
    let report = censored.load::<Store>().unwrap_err().to_string();
    assert!(report.contains("has [REDACTED] in it, as a log prints it"), "{report}");
    let docs = Environment::process().docs::<Store>();
    let all = format!("{}{}", docs.env_example(), docs.markdown());
    assert!(!all.contains("planted") && all.contains("shop_session=debug"), "{all}");
}

/// Each `=` might look to the end.
#[test]
fn a_long_text_of_pairs_is_shown_in_time() {
    let began = std::time::Instant::now();
    let repeated =
        ["password= ", "password=a ", "password='", "=;", "a=b;", "password=a;b c", "a "];
    for text in repeated {
        let text = format!("password={}", text.repeat(20_000));
        let report = production(&[("SHOP_BIND", &text)]).load::<Settings>().unwrap_err();
        assert!(report.to_string().len() < 1_000);
    }
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

proptest! {
    #[test]
    fn a_password_of_a_pair_is_never_there(
        password in "[a-zA-Z0-9][!-~]{11,40}",
        key in proptest::sample::select(&["password", "PWD", "sslpassword ", "Password"][..]),
        parted in proptest::sample::select(&[" ", ";", "; ", "&", "\t"][..]),
        before in proptest::sample::select(&["", "host=db", "jdbc:x://db/shop?user=shop"][..]),
        after in proptest::sample::select(&["", "dbname=shop", "x"][..]),
    ) {
        let text = format!("{before}{parted}{key}={password}{parted}{after}");
        let report = production(&[("SHOP_BIND", &text), ("SHOP_COLOUR", &text)]).load::<Settings>();
        let out = report.unwrap_err().to_string();
        let escaped = format!("{password:?}");
        prop_assert!(!out.contains(&password) && !out.contains(escaped.trim_matches('"')), "{}", out);
    }
}
