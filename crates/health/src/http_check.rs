//! Whether somebody answers.

use std::io;

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    url::{STATUS_LINE, Url, status},
};

/// Asks a URL over plain HTTP/1.1, and passes on any 2xx: for a neighbour or a sidecar that has a
/// probe of its own. It follows no redirect and reads no body.
///
/// For `https://` give your own client to a [`FnCheck`](crate::FnCheck).
///
/// ```
/// use buttress_health::{Entry, HttpCheck};
///
/// let check = HttpCheck::new("search", "http://search.internal:9200/_cluster/health")?;
/// let entry = Entry::optional(check);
/// # let _ = entry;
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpCheck {
    name: &'static str,
    url: Url,
}

impl HttpCheck {
    /// Of this URL; its host is looked up each time.
    ///
    /// # Errors
    /// If it is no `http://` URL.
    pub fn new(name: &'static str, url: &str) -> Result<Self, ConfigError> {
        match Url::parse(url) {
            Some(url) => Ok(Self { name, url }),
            // Not the URL itself: there may be a password in it.
            None => Err(ConfigError::new(Kind::Url, format!("{name}: no http:// URL"))),
        }
    }

    async fn ask(&self) -> io::Result<Option<u16>> {
        let mut stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await?;
        stream.write_all(self.url.request.as_bytes()).await?;
        let mut line = [0; STATUS_LINE];
        stream.read_exact(&mut line).await?;
        Ok(status(&line))
    }
}

impl Check for HttpCheck {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async {
            match self.ask().await {
                Ok(Some(status @ 200..=299)) => Ok(CheckReport::ok().with("status", status)),
                Ok(Some(status)) => {
                    Err(CheckError::failed("unexpected status").with("status", status))
                }
                Ok(None) => Err(CheckError::failed("no HTTP")),
                Err(error) => Err(CheckError::failed("no answer").because(error)),
            }
        })
    }
}
