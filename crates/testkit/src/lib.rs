//! What the tests of the family need of the outside world, started for them alone: real servers on
//! loopback, each with its own port, and gone with the test. It is not published.
//!
//! That is [`otlp`], a collector of OpenTelemetry's protocol, [`postgres`] and [`redis`], private
//! servers which a test may kill, freeze and start again, and [`proxy`], which loses a question or
//! an answer on the way to them.

pub mod otlp;
pub mod postgres;
pub mod proxy;
pub mod redis;
