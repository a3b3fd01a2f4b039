use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use buttress::config::{Environment, Flag, config};
use serde::Deserialize;

use super::nothing;
use crate::{Case, drive::repeat};

pub(super) fn cases() -> Vec<Case> {
    vec![flag(), twenty()]
}

static AUDIT_LOG: Flag = Flag::new("ENABLE_AUDIT_LOG", true, "Who did what is written down.");

fn flag() -> Case {
    static ATOMIC: AtomicBool = AtomicBool::new(true);

    Case::new("config, a flag", nothing(), || Ok(repeat(|| AUDIT_LOG.is_on())))
        .peer("AtomicBool", || Ok(repeat(|| ATOMIC.load(Ordering::Relaxed))))
}

config! {
    /// For both: envy reads it by serde, and finds a variable by its field.
    #[derive(Deserialize)]
    struct Settings {
        /// Where it listens.
        bind: SocketAddr = var("SHOP_BIND").default("127.0.0.1:3000"),
        /// For the metrics.
        metrics_bind: SocketAddr = var("SHOP_METRICS_BIND").default("127.0.0.1:9000"),
        /// What it calls itself.
        service_name: String = var("SHOP_SERVICE_NAME").default("shop"),
        /// In links.
        base: String = var("SHOP_BASE").default("https://shop.example.org"),
        /// How much is logged.
        log_level: String = var("SHOP_LOG_LEVEL").default("info"),
        /// Where from browsers may ask.
        origin: String = var("SHOP_ORIGIN"),
        /// Which data center it is in.
        region: String = var("SHOP_REGION").default("fra-2"),
        /// For the queue.
        topic: String = var("SHOP_TOPIC").default("orders"),
        /// How many at once.
        workers: u16 = var("SHOP_WORKERS").default(4),
        /// Connections at most.
        connections: u16 = var("SHOP_CONNECTIONS").default(20),
        /// Connections that are kept open.
        idle_connections: u16 = var("SHOP_IDLE_CONNECTIONS").default(2),
        /// Bytes of a body at most.
        body_bytes: u64 = var("SHOP_BODY_BYTES").default(1_048_576),
        /// Requests a minute.
        rate: u32 = var("SHOP_RATE").default(600),
        /// Entries of the cache.
        cache_entries: u32 = var("SHOP_CACHE_ENTRIES").default(10_000),
        /// Attempts.
        attempts: u8 = var("SHOP_ATTEMPTS").default(3),
        /// Of a hundred traces.
        sampled: f64 = var("SHOP_SAMPLED").default(0.1),
        /// Whether gift cards can be bought.
        gift_cards: bool = var("SHOP_GIFT_CARDS").default(false),
        /// Whether who did what is written down.
        audit: bool = var("SHOP_AUDIT").default(true),
        /// Who is told when a book is out.
        notify: Option<String> = var("SHOP_NOTIFY"),
        /// How many are told at once.
        notify_at_once: Option<u16> = var("SHOP_NOTIFY_AT_ONCE"),
    }
}

const VARIABLES: [(&str, &str); 20] = [
    ("SHOP_BIND", "[::]:3000"),
    ("SHOP_METRICS_BIND", "[::]:9000"),
    ("SHOP_SERVICE_NAME", "bookshop"),
    ("SHOP_BASE", "https://books.example.org"),
    ("SHOP_LOG_LEVEL", "debug"),
    ("SHOP_ORIGIN", "https://www.example.org"),
    ("SHOP_REGION", "ham-1"),
    ("SHOP_TOPIC", "book-orders"),
    ("SHOP_WORKERS", "8"),
    ("SHOP_CONNECTIONS", "40"),
    ("SHOP_IDLE_CONNECTIONS", "4"),
    ("SHOP_BODY_BYTES", "65536"),
    ("SHOP_RATE", "1200"),
    ("SHOP_CACHE_ENTRIES", "50000"),
    ("SHOP_ATTEMPTS", "5"),
    ("SHOP_SAMPLED", "0.05"),
    ("SHOP_GIFT_CARDS", "true"),
    ("SHOP_AUDIT", "true"),
    ("SHOP_NOTIFY", "stock@example.org"),
    ("SHOP_NOTIFY_AT_ONCE", "16"),
];

/// All are set; once, when a service starts.
fn twenty() -> Case {
    Case::new("config, 20 variables", nothing(), || {
        let load = || Environment::of(VARIABLES).prefix("SHOP_").load::<Settings>();
        load()?;
        Ok(repeat(load))
    })
    .peer("envy", || {
        let load = || {
            let variables = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
            envy::prefixed("SHOP_").from_iter::<_, Settings>(variables)
        };
        load()?;
        Ok(repeat(load))
    })
}
