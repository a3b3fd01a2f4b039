//! What the tests of the family need of the outside world, started for them alone: real servers on
//! loopback, each with its own port, and gone with the test. It is not published.
//!
//! So far that is [`otlp`], a collector of OpenTelemetry's protocol, and [`redis`], a private Redis
//! server. A Postgres belongs here as well, once there is a crate that speaks to it.

pub mod otlp;
pub mod redis;
