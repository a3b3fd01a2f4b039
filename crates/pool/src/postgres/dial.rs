//! How the server is reached, encrypted or not: for connections, and for what cancels a statement.

use std::pin::Pin;

use tokio::task::JoinHandle;
use tokio_postgres::{
    CancelToken, Client, Config, Error, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};

pub(super) type Dialled<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

pub(super) trait Dial: Send + Sync {
    /// The client, and the task that moves its bytes.
    fn connect(&self, config: Config) -> Dialled<(Client, JoinHandle<()>)>;

    fn cancel(&self, token: CancelToken) -> Dialled<()>;
}

pub(super) struct Tls<T>(pub(super) T);

impl<T> Dial for Tls<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, config: Config) -> Dialled<(Client, JoinHandle<()>)> {
        let tls = self.0.clone();
        Box::pin(async move {
            let (client, connection) = config.connect(tls).await?;
            let moves = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    // Whoever uses it hears of it; an idle one is replaced.
                    tracing::debug!(%error, "a connection was lost");
                }
            });
            Ok((client, moves))
        })
    }

    fn cancel(&self, token: CancelToken) -> Dialled<()> {
        let tls = self.0.clone();
        Box::pin(async move { token.cancel_query(tls).await })
    }
}
