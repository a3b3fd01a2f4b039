//! Whether the server answers.

use std::{fmt, sync::Arc, time::Duration};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
use redis::RedisError;
use tokio::{sync::Mutex, time::timeout};

use super::{connection::Wire, driver::RedisDriver};
use crate::{connect::ConnectError, kept::Driver as _};

/// A [`Check`] that asks the server `PING` over a connection of its own, apart from the pool.
///
/// The connection is kept from one check to the next, and made anew where it does not answer.
pub struct RedisCheck {
    name: Arc<str>,
    driver: Arc<RedisDriver>,
    within: Duration,
    kept: Mutex<Option<Wire>>,
}

impl RedisCheck {
    pub(super) fn new(name: Arc<str>, driver: Arc<RedisDriver>, within: Duration) -> Self {
        Self { name, driver, within, kept: Mutex::default() }
    }

    /// The connection is taken out, so that one that does not answer is dropped with the check.
    async fn ask(&self) -> Result<(), Failure> {
        let mut kept = self.kept.lock().await;
        if let Some(mut wire) = kept.take()
            && ping(&mut wire).await.is_ok()
        {
            *kept = Some(wire);
            return Ok(());
        }
        let mut wire = self.driver.open().await.map_err(Failure::Connect)?;
        ping(&mut wire).await.map_err(Failure::Ask)?;
        *kept = Some(wire);
        Ok(())
    }
}

enum Failure {
    Connect(ConnectError),
    Ask(RedisError),
}

async fn ping(wire: &mut Wire) -> Result<(), RedisError> {
    redis::cmd("PING").query_async(wire.connection_mut()).await
}

impl Check for RedisCheck {
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

impl fmt::Debug for RedisCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCheck").field("name", &self.name).finish_non_exhaustive()
    }
}
