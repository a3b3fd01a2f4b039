//! Whether the server answers.

use std::{fmt, sync::Arc, time::Duration};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
use deadpool_postgres::ClientWrapper;
use tokio::{sync::Mutex, time::timeout};

use super::driver::PgDriver;
use crate::connect::ConnectError;

/// A [`Check`] that asks the server `SELECT 1` over a connection of its own, apart from the pool.
///
/// The connection is kept from one check to the next, and made anew where it does not answer.
pub struct PgCheck {
    name: Arc<str>,
    driver: Arc<PgDriver>,
    within: Duration,
    kept: Mutex<Option<ClientWrapper>>,
}

impl PgCheck {
    pub(super) fn new(name: Arc<str>, driver: Arc<PgDriver>, within: Duration) -> Self {
        Self { name, driver, within, kept: Mutex::default() }
    }

    /// The connection is taken out, so that one that does not answer is dropped with the check.
    async fn ask(&self) -> Result<(), Failure> {
        let mut kept = self.kept.lock().await;
        if let Some(client) = kept.take()
            && client.simple_query("SELECT 1").await.is_ok()
        {
            *kept = Some(client);
            return Ok(());
        }
        let client = self.driver.connect().await.map_err(Failure::Connect)?;
        client.simple_query("SELECT 1").await.map_err(Failure::Ask)?;
        *kept = Some(client);
        Ok(())
    }
}

enum Failure {
    Connect(ConnectError),
    Ask(tokio_postgres::Error),
}

impl Check for PgCheck {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async {
            match timeout(self.within, self.ask()).await {
                Ok(Ok(())) => Ok(CheckReport::ok()),
                Ok(Err(Failure::Connect(error))) => {
                    Err(CheckError::failed("no connection").because(error))
                }
                Ok(Err(Failure::Ask(error))) => Err(CheckError::failed("no answer").because(error)),
                Err(elapsed) => Err(CheckError::failed("no answer in time").because(elapsed)),
            }
        })
    }
}

impl fmt::Debug for PgCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgCheck").field("name", &self.name).finish_non_exhaustive()
    }
}
