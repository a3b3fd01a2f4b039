//! The configuration of a small service, as the tests see it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{net::SocketAddr, num::NonZeroU16, time::Duration};

use buttress_config::{
    Environment, Flag, Problem, Profile, Rate, Report, Secret, Size, Unit, Url, config, require,
    rule::{not_local, not_placeholder, range, scheme, strong},
};

pub(crate) static CHAT: Flag = Flag::new("SHOP_ENABLE_CHAT", true, "Customers may talk to us.");

config! {
    /// What the shop is started with.
    #[derive(Clone, Debug)]
    pub(crate) struct Settings {
        /// Where it listens.
        /// Port 0 picks a free port.
        pub(crate) bind: SocketAddr = var("SHOP_BIND").alias("PORT_AND_HOST").default("127.0.0.1:3000"),
        /// Signs the sessions.
        pub(crate) session_secret: Secret<String> = var("SHOP_SESSION_SECRET")
            .default_in(Profile::Development, "a secret for a machine at home")
            .rule(strong(32).in_production()),
        /// How long a session lasts.
        pub(crate) session_max_age: Duration = var("SHOP_SESSION_MAX_AGE").bare(Unit::Seconds).default("1d"),
        /// Who sends the mails.
        pub(crate) mail_key: Option<Secret<String>> = var("SHOP_MAIL_KEY")
            .rule(not_placeholder())
            .wanted("no mail is sent"),
        /// Whose pages may call.
        pub(crate) cors_origins: Vec<Url> = var("SHOP_CORS_ORIGINS")
            .default("")
            .rule(not_local().in_production()),
        /// How often one client may come.
        pub(crate) limit: Rate = var("SHOP_LIMIT").default("100/15m"),
        /// The largest body.
        pub(crate) body: Size = var("SHOP_BODY").alias("SHOP_BODY_MB").default("1MiB"),
        /// The colour | of the pages.
        pub(crate) colour: Colour = parsed("SHOP_COLOUR", str::parse)
            .expects("red or blue")
            .default(Colour::Red),
        /// Where things are kept.
        pub(crate) store: Store = group().prefixed("SHOP_STORE_"),
    }
    flags { CHAT }
    rules {
        (body, limit) => require(body.bytes() < 1 << 30 || limit.count().get() < 10, "a smaller body, or fewer of them")
            .in_production()
            .warning(),
    }
}

config! {
    /// Where things are kept.
    #[derive(Clone, Debug)]
    pub(crate) struct Store {
        /// Which database.
        pub(crate) url: Url = var("URL").example("postgres://shop@localhost/shop").rule(scheme(&["postgres"])),
        /// At least so many connections.
        pub(crate) min: u16 = var("MIN").default(2),
        /// And at most so many.
        pub(crate) max: NonZeroU16 = var("MAX").default(20),
        /// How many may wait for one, per connection.
        pub(crate) queue: f64 = var("QUEUE").default(1.5).rule(range(0.0..=100.0).warning()),
    }
    rules {
        (min, max) => require(*min <= max.get(), "a minimum that is no more than the maximum"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Blue,
}

impl std::str::FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "red" => Ok(Self::Red),
            "blue" => Ok(Self::Blue),
            other => Err(format!("{other:?}: nobody paints in {other}")),
        }
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Red => "red",
            Self::Blue => "blue",
        })
    }
}

pub(crate) const SECRET: &str = "kJ8vX2mQ9zT4wL7pR1nB6yH3cF5dG0sA";

/// What a production needs, and no more, with these on top.
pub(crate) fn production(more: &[(&str, &str)]) -> Environment {
    let all = [
        ("APP_ENV", "production"),
        ("SHOP_SESSION_SECRET", SECRET),
        ("SHOP_MAIL_KEY", "mk-0123456789"),
        ("SHOP_STORE_URL", "postgres://shop@db.internal/shop"),
    ];
    let kept = all.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    Environment::of(kept.chain(more.iter().copied())).prefix("SHOP_")
}

/// Without the variables of these names.
pub(crate) fn production_without(names: &[&str]) -> Environment {
    let all = [
        ("SHOP_SESSION_SECRET", SECRET),
        ("SHOP_MAIL_KEY", "mk-0123456789"),
        ("SHOP_STORE_URL", "postgres://shop@db.internal/shop"),
    ];
    Environment::of(all.into_iter().filter(|(name, _)| !names.contains(name))).prefix("SHOP_")
}

/// The only problem there is.
pub(crate) fn one(report: &Report) -> &Problem {
    assert_eq!(report.problems().count(), 1, "{report}");
    report.problems().next().unwrap()
}

pub(crate) fn refused(more: &[(&str, &str)]) -> Report {
    production(more).load::<Settings>().expect_err("it is wrong")
}

pub(crate) fn warned(more: &[(&str, &str)]) -> Problem {
    let loaded = production(more).load::<Settings>().unwrap();
    let warnings: Vec<_> = loaded.warnings().cloned().collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings.into_iter().next().unwrap()
}
