//! Variables that every service of the family has, to be groups of its own configuration.
//!
//! ```
//! use buttress::{
//!     Stack,
//!     config::{Environment, config},
//!     settings::{Logging, Proxies, Quotas},
//!     limit::{Key, LimitLayer},
//!     log::Setup,
//! };
//! use std::net::SocketAddr;
//!
//! config! {
//!     /// What the shop is started with.
//!     #[derive(Debug)]
//!     struct Settings {
//!         /// Where it listens.
//!         bind: SocketAddr = var("BIND").default("127.0.0.1:3000"),
//!         /// Who is before it.
//!         proxies: Proxies = group(),
//!         /// How often a client may come.
//!         quotas: Quotas = group(),
//!         /// How it logs.
//!         logging: Logging = group(),
//!     }
//! }
//!
//! // `Environment::process()` in a service.
//! let environment = Environment::of([("LIMIT_BURST", "20/s"), ("LOG_FORMAT", "json")]);
//! let settings = environment.load::<Settings>()?;
//! let _log = settings.logging.setup(Setup::new().service("shop"))?; // `.init()?`
//! let limit = LimitLayer::new(Key::client(), settings.quotas.rules()?)?;
//! let stack: Stack = Stack::production(settings.proxies.client_ip.clone()).limit(limit);
//!
//! let report = Environment::of([("LIMIT_BURST", "20"), ("LOG_FORMAT", "yaml")]);
//! assert_eq!(report.load::<Settings>().unwrap_err().errors().count(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod logging;
mod proxies;
mod quotas;
#[cfg(feature = "shutdown")]
mod termination;

#[cfg(feature = "shutdown")]
pub use self::termination::Termination;
pub use self::{logging::Logging, proxies::Proxies, quotas::Quotas};
