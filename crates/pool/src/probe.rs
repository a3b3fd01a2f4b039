//! Whether the server answers.

use std::{sync::Arc, time::Duration};

use buttress_core::source::{CheckError, CheckFuture, CheckReport};
use tokio::{sync::Mutex, time::timeout};

use crate::{core::Core, kept::Driver};

/// Asks the server over a connection of its own, apart from the pool: an exhausted pool is no
/// reason for a service to be taken out. The connection is kept from one time to the next.
pub(crate) struct Probe<D: Driver> {
    name: Arc<str>,
    driver: D,
    within: Duration,
    kept: Mutex<Option<D::Connection>>,
}

impl<D: Driver> Probe<D> {
    pub(crate) fn new(core: &Core<D>) -> Self {
        Self {
            name: Arc::clone(&core.name),
            driver: core.driver().clone(),
            within: core.limits.create,
            kept: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn check(&self) -> CheckFuture<'_> {
        Box::pin(async {
            match timeout(self.within, self.ask()).await {
                Ok(asked) => asked.map(|()| CheckReport::ok()),
                Err(elapsed) => Err(CheckError::failed("no answer in time").because(elapsed)),
            }
        })
    }

    /// The connection is taken out, so that one that does not answer is dropped with the check.
    async fn ask(&self) -> Result<(), CheckError> {
        let mut kept = self.kept.lock().await;
        if let Some(mut connection) = kept.take()
            && self.driver.ask(&mut connection).await.is_ok()
        {
            *kept = Some(connection);
            return Ok(());
        }
        let opened = self.driver.open().await;
        let mut connection =
            opened.map_err(|error| CheckError::failed("no connection").because(error))?;
        let asked = self.driver.ask(&mut connection).await;
        asked.map_err(|error| CheckError::failed("no answer").because(error))?;
        *kept = Some(connection);
        Ok(())
    }
}
