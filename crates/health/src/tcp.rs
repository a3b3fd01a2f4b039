//! Whether somebody listens.

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
use tokio::net::TcpStream;

/// Connects, and closes again: for what has no better question to ask.
///
/// ```
/// use buttress_health::{Entry, TcpCheck};
///
/// let entry = Entry::optional(TcpCheck::new("smtp", "mail.internal:25"));
/// # let _ = entry;
/// ```
#[derive(Clone, Debug)]
pub struct TcpCheck {
    name: &'static str,
    address: String,
}

impl TcpCheck {
    /// Of a host and a port; the name is looked up each time.
    pub fn new(name: &'static str, address: impl Into<String>) -> Self {
        Self { name, address: address.into() }
    }
}

impl Check for TcpCheck {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async {
            TcpStream::connect(&self.address)
                .await
                .map_err(|error| CheckError::failed("no connection").because(error))?;
            Ok(CheckReport::ok())
        })
    }
}
