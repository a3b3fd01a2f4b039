//! A planted secret is in no output, wherever it was planted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test is meant to panic"
)]

mod outputs;
mod shop;

use std::fs;

use buttress_config::{CENSOR, Environment, Secret, Url, config};
use outputs::{PLANTED, is_hidden, logged, outputs};
use proptest::prelude::*;
use shop::{Settings, production};

#[test]
fn where_it_belongs() {
    let long = format!("{PLANTED}{}", shop::SECRET);
    let out = is_hidden(&production(&[("SHOP_SESSION_SECRET", &long)]));
    assert!(out.contains(CENSOR));
}

#[test]
fn the_log_tells_each_variable_once_with_its_origin_and_each_warning() {
    let environment = production(&[("SHOP_LIMIT", "5/s"), ("SHOP_BNID", "x")]);
    let loaded = environment.text(".env", "SHOP_STORE_MIN=3\n").load::<Settings>().unwrap();
    let log = logged(|| loaded.log());
    for line in [
        "INFO config: SHOP_LIMIT=\"5/s\" (environment) variable=\"SHOP_LIMIT\" value=\"5/s\" origin=environment",
        "INFO config: SHOP_STORE_MIN=\"3\" (file .env) variable=\"SHOP_STORE_MIN\" value=\"3\" origin=file .env",
        "INFO config: SHOP_BODY=\"1MiB\" (default) variable=\"SHOP_BODY\" value=\"1MiB\" origin=default",
        "INFO config: SHOP_SESSION_SECRET=[REDACTED] (environment) variable=\"SHOP_SESSION_SECRET\" value=\"[REDACTED]\" origin=environment",
        "WARN config: SHOP_BNID is no variable of this service; right: SHOP_BIND? variable=\"SHOP_BNID\" reason=\"is no variable of this service\" right=\"SHOP_BIND?\"",
    ] {
        assert_eq!(log.lines().filter(|logged| logged.trim() == line).count(), 1, "{log}");
    }
    assert_eq!(log.lines().count(), 15, "{log}");
}

#[test]
fn the_log_may_be_told_the_report() {
    let report = production(&[("SHOP_SESSION_SECRET", PLANTED), ("SHOP_BNID", "x")]);
    let report = report.load::<Settings>().unwrap_err();
    let log = logged(|| report.log());
    let lines: Vec<_> = log.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        log.starts_with("ERROR config: SHOP_SESSION_SECRET=[REDACTED] is not allowed"),
        "{log}"
    );
    assert!(lines.iter().any(|line| line.starts_with("WARN config: SHOP_BNID is")), "{log}");
    assert!(!log.contains("planted"), "{log}");
}

#[test]
fn where_it_breaks_a_rule() {
    let out = is_hidden(&production(&[("SHOP_SESSION_SECRET", PLANTED)]));
    assert!(out.contains("SHOP_SESSION_SECRET=[REDACTED] is not allowed"));
}

#[test]
fn where_it_cannot_be_read() {
    is_hidden(&production(&[("SHOP_SESSION_SECRET", &format!(" {PLANTED}\n"))]));
}

#[test]
fn where_two_names_disagree() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Signs.
            key: Secret<String> = var("KEY").alias("OLD_KEY"),
        }
    }
    let environment = Environment::of([("KEY", PLANTED), ("OLD_KEY", "another-planted")]);
    let out = outputs::<Keys>(&environment);
    assert!(out.contains("say different things") && !out.contains("planted"), "{out}");
}

#[test]
fn in_a_variable_whose_name_is_that_of_a_secret() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Not declared as a secret.
            api_key: Option<String> = var("API_KEY"),
            /// A number by type.
            token_ttl: Option<u32> = var("TOKEN_TTL"),
            /// Another crate's type.
            password: Option<usize> = parsed("PASSWORD", |text| match text.len() {
                0..5 => Err(format!("{text} is too short")),
                length => Ok(Some(length)),
            })
            .unset(None, "nobody gets in"),
        }
    }
    // The struct has it, as it was told to; what it prints itself is not ours.
    let quiet = |environment: &Environment| match environment.load::<Keys>() {
        Ok(loaded) => loaded.effective().map(|setting| format!("{setting:?}")).collect::<String>(),
        Err(report) => format!("{report}{report:?}"),
    };
    let out = quiet(&Environment::of([("API_KEY", PLANTED)]));
    assert!(!out.contains("planted") && out.contains(CENSOR), "{out}");
    let out = quiet(&Environment::of([("TOKEN_TTL", PLANTED)]));
    assert!(!out.contains("planted") && out.contains("is no whole number"), "{out}");
    let out = quiet(&Environment::of([("TOKEN_TTL", "900")]));
    assert!(out.contains("900"), "{out}");
    let out = quiet(&Environment::of([("PASSWORD", "abcd")]));
    assert!(!out.contains("abcd") && out.contains("cannot be read"), "{out}");
}

#[test]
fn a_name_that_only_looks_like_a_secrets_can_be_shown() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Public.
            key_id: String = var("AUTH_AUDIENCE").public(),
            /// A secret by its verb.
            seed: u64 = var("SEED").secret(),
        }
    }
    let environment = Environment::of([("AUTH_AUDIENCE", "shop"), ("SEED", "7281937465")]);
    let loaded = environment.load::<Keys>().unwrap();
    let shown: Vec<_> = loaded.effective().skip(1).map(ToString::to_string).collect();
    assert_eq!(shown, ["AUTH_AUDIENCE=\"shop\" (environment)", "SEED=[REDACTED] (environment)"]);
}

#[test]
fn in_a_variable_that_nobody_knows() {
    let out = is_hidden(&production(&[("SHOP_SESION_SECRET", PLANTED)]));
    assert!(out.contains("SHOP_SESSION_SECRET?"));
}

#[test]
fn in_a_place_that_another_goes_before() {
    let long = format!("{PLANTED}{}", shop::SECRET);
    let environment = production(&[("SHOP_COLOUR", &long)]);
    let out = is_hidden(&environment.text(".env", &format!("SHOP_SESSION_SECRET={long}\n")));
    assert!(out.contains("SHOP_COLOUR=[REDACTED]"), "{out}");
}

#[test]
fn under_an_alias_whose_name_is_that_of_a_secret() {
    config! {
        #[derive(Debug)]
        struct Mail {
            /// How mail is sent.
            mail: u8 = parsed("MAIL", str::parse).alias("MAIL_PASSWORD"),
        }
    }
    let out = outputs::<Mail>(&Environment::of([("MAIL_PASSWORD", PLANTED)]));
    assert!(!out.contains("planted"), "{out}");
}

#[test]
fn in_a_variable_next_to_its_own() {
    let planted = format!("{PLANTED}{}", shop::SECRET);
    for name in ["SHOP_BIND", "SHOP_COLOUR", "SHOP_LIMIT", "SHOP_STORE_MIN", "SHOP_ENABLE_CHAT"] {
        let beside = format!("x {planted} y");
        for value in [&planted, &beside] {
            is_hidden(&production(&[("SHOP_SESSION_SECRET", &planted), (name, value)]));
        }
    }
}

#[test]
fn in_a_file_and_in_its_broken_lines() {
    let files = [
        format!("SHOP_SESSION_SECRET={PLANTED}\n"),
        format!("{PLANTED}\n"),
        format!("SHOP_SESSION_SECRET {PLANTED}\n"),
        format!("SHOP_SESSION_SECRET='{PLANTED}\n"),
        format!("SHOP_SESSION_SECRET=\"x\" {PLANTED}\n"),
        format!("SHOP_COLOUR={PLANTED}\nSHOP_COLOUR={PLANTED}\nSHOP_SESSION_SECRET={PLANTED}\n"),
    ];
    for file in files {
        let environment = Environment::of([("SHOP_STORE_URL", "postgres://db/shop")]);
        is_hidden(&environment.text(".env", &file).prefix("SHOP_"));
    }
}

#[test]
fn where_a_path_should_be() {
    let environment = Environment::of([
        ("SHOP_SESSION_SECRET_FILE", PLANTED),
        ("SHOP_STORE_URL", "postgres://db/shop"),
    ]);
    let out = is_hidden(&environment);
    assert!(out.contains("SHOP_SESSION_SECRET_FILE"));
}

#[test]
fn in_a_file_of_its_own() {
    let path = std::env::temp_dir().join(format!("buttress-config-hidden-{}", std::process::id()));
    fs::write(&path, format!("{PLANTED}{}\n", shop::SECRET)).unwrap();
    let environment = Environment::of([
        ("SHOP_SESSION_SECRET_FILE", path.to_str().unwrap()),
        ("SHOP_STORE_URL", "postgres://db/shop"),
    ]);
    let out = is_hidden(&environment);
    assert_eq!(environment.load::<Settings>().unwrap().session_secret.expose().len(), 51);
    fs::remove_file(path).unwrap();
    assert!(out.contains("secret file "));
}

#[test]
fn in_a_list_of_secrets_and_again_beside_it() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// The current one first.
            keys: Vec<Secret<String>> = var("KEYS"),
            /// Which is in use.
            name: u8 = var("NAME"),
        }
    }
    let out = outputs::<Keys>(&Environment::of([
        ("KEYS", "first-planted,other-planted"),
        ("NAME", "other-planted"),
    ]));
    assert!(!out.contains("planted") && out.contains("is no whole number"), "{out}");
}

#[test]
fn where_a_foreign_error_takes_it_apart() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// The secret.
            key: Secret<String> = var("KEY"),
            /// Where it is copied to.
            place: u8 = parsed("PLACE", |text| {
                let (first, rest) = text.split_at(text.len() / 2);
                Err::<u8, _>(format!("neither {first:?} nor {rest}, nor {text:?}"))
            })
            .unset(1, "one"),
        }
    }
    let key = "Tr0ub\"4dor\\planted";
    for place in [key.to_owned(), format!("x {key}"), "redis://:Tr0ub4dor-planted@db".to_owned()] {
        let out = outputs::<Keys>(&Environment::of([("KEY", key), ("PLACE", &place)]));
        assert!(!out.contains("Tr0ub") && !out.contains("planted"), "{out}");
        assert!(out.contains("PLACE="), "{out}");
    }
}

/// It must not quote the value; where it does, nothing is told of what it says.
#[test]
fn where_what_takes_it_quotes_it() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// The secret.
            key: Secret<String> = var("KEY")
                .taken_by(|key| Err::<(), _>(format!("no key is {:?}", key.expose()))),
            /// Where it is.
            url: String = var("STORE").taken_by(|url| Err::<(), _>(format!("nobody is at {url}"))),
        }
    }
    for url in ["postgres://app:planted-too@db/app", "host=db password=planted-too"] {
        let out = outputs::<Keys>(&Environment::of([("KEY", PLANTED), ("STORE", url)]));
        assert!(!out.contains("planted"), "{out}");
        assert!(!out.contains("no key is") && !out.contains("nobody is at"), "{out}");
        assert!(out.contains("KEY=[REDACTED] cannot be read"), "{out}");
    }
    for (key, url) in [("a\"planted\\", "redis://db"), ("key", "redis://:p1n42@db")] {
        let out = outputs::<Keys>(&Environment::of([("KEY", key), ("STORE", url)]));
        assert!(!out.contains("planted") && !out.contains("p1n42"), "{out}");
    }
    // A word is one, too, unless it is so short that it may be anybody's.
    let out = outputs::<Keys>(&Environment::of([("KEY", "hunter"), ("STORE", "a://b:hunter@c")]));
    assert!(!out.contains("hunter"), "{out}");
}

#[test]
fn what_a_log_has_in_its_place_is_not_taken_for_it() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Opens.
            token: Secret<String> = var("TOKEN"),
            /// Where it is.
            url: Url = var("STORE"),
            /// What else may be in a secret's place.
            censor: String = var("CENSOR"),
        }
    }
    let store = "postgres://app:[REDACTED]@db/app";
    let environment = Environment::of([("TOKEN", CENSOR), ("STORE", store), ("CENSOR", CENSOR)]);
    let report = environment.load::<Keys>().unwrap_err();
    let reasons: Vec<_> = report.errors().map(buttress_config::Problem::reason).collect();
    assert_eq!(reasons, ["has [REDACTED] in it, as a log prints it"; 2]);
}

const NAMES: [&str; 12] = [
    "SHOP_BIND",
    "SHOP_SESSION_MAX_AGE",
    "SHOP_MAIL_KEY",
    "SHOP_CORS_ORIGINS",
    "SHOP_LIMIT",
    "SHOP_BODY",
    "SHOP_COLOUR",
    "SHOP_STORE_URL",
    "SHOP_STORE_MAX",
    "SHOP_ENABLE_CHAT",
    "APP_ENV",
    "SHOP_SOMETHING",
];

proptest! {
    #[test]
    fn whatever_it_is_and_wherever_it_is_copied_to(
        // Long enough not to be a word of the report by chance.
        secret in "[!-~]{12,40}",
        name in proptest::sample::select(&NAMES[..]),
        before in "[ -~]{0,4}",
        after in "[ -~]{0,4}",
    ) {
        let copied = format!("{before}{secret}{after}");
        let environment = production(&[("SHOP_SESSION_SECRET", &secret), (name, &copied)]);
        // What the struct itself prints of a text that is no secret by type is the struct's.
        let out = match environment.load::<Settings>() {
            Ok(loaded) => loaded.effective().map(ToString::to_string).collect::<String>(),
            Err(report) => format!("{report}{report:?}"),
        };
        prop_assert!(!out.contains(&secret), "{}", out);
        let escaped = format!("{secret:?}");
        prop_assert!(!out.contains(escaped.trim_matches('"')), "{}", out);
    }
}
