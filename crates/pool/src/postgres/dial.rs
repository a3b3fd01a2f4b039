//! How the server is reached, encrypted or not: for connections, and for what cancels a statement.

use std::{future::poll_fn, io, pin::Pin};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Config, Connection, Error, NoTls, Socket,
    config::Host,
    tls::{MakeTlsConnect, TlsConnect},
};

pub(super) type Dialled<T, E = Error> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

pub(super) trait Dial: Send + Sync {
    /// The client, and the task that moves its bytes.
    fn connect(&self, config: Config) -> Dialled<(Client, JoinHandle<()>)>;

    /// Asks the server to cancel what the connection of this token is at.
    fn cancel(&self, token: CancelToken, config: &Config) -> Dialled<Asked, io::Error>;
}

/// How far a request to cancel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is sent, and may be on its way for long.
    Sent,
    /// The server has acted on it: it closes the connection only then. Without that, a statement
    /// that ended as cancelled proves little: a server signals a backend twice, once the process
    /// and once its group, and the second signal may hit the next statement.
    Done,
}

/// Encrypted, or not where the server cannot.
pub(super) struct Tls<T>(pub(super) T);

/// Never encrypted.
pub(super) struct Plain;

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
            Ok((client, tokio::spawn(move_bytes(connection))))
        })
    }

    /// The driver keeps the stream to itself, and does not wait for its end.
    fn cancel(&self, token: CancelToken, _: &Config) -> Dialled<Asked, io::Error> {
        let tls = self.0.clone();
        Box::pin(async move {
            token.cancel_query(tls).await.map_err(io::Error::other)?;
            Ok(Asked::Sent)
        })
    }
}

impl Dial for Plain {
    fn connect(&self, config: Config) -> Dialled<(Client, JoinHandle<()>)> {
        Tls(NoTls).connect(config)
    }

    fn cancel(&self, token: CancelToken, config: &Config) -> Dialled<Asked, io::Error> {
        let Some(server) = only(config) else { return Tls(NoTls).cancel(token, config) };
        Box::pin(async move {
            match server {
                #[cfg(unix)]
                Server::Unix(path) => {
                    ask(token, tokio::net::UnixStream::connect(path).await?).await
                }
                Server::Tcp(host, port) => {
                    ask(token, TcpStream::connect((host, port)).await?).await
                }
            }
        })
    }
}

/// Until the connection ends. As a future of its own it would log what the server has to say
/// beside its answers (`RAISE NOTICE`), in which there may be values of the data.
async fn move_bytes<T>(mut connection: Connection<Socket, T>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                let (severity, code) = (notice.severity(), notice.code().code());
                tracing::debug!(severity, code, "the server has a notice");
            }
            Ok(_) => {}
            Err(error) => {
                // Whoever uses it hears of it; an idle one is replaced.
                tracing::debug!(%error, "a connection was lost");
                return;
            }
        }
    }
}

enum Server {
    Tcp(String, u16),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

/// Of several hosts, the driver alone knows which one it is connected to.
fn only(config: &Config) -> Option<Server> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match (config.get_hosts(), config.get_hostaddrs()) {
        ([] | [_], [address]) => Some(Server::Tcp(address.to_string(), port)),
        ([Host::Tcp(host)], []) => Some(Server::Tcp(host.clone(), port)),
        #[cfg(unix)]
        ([Host::Unix(folder)], []) => Some(Server::Unix(folder.join(format!(".s.PGSQL.{port}")))),
        _ => None,
    }
}

async fn ask(
    token: CancelToken,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<Asked> {
    token.cancel_query_raw(&mut stream, NoTls).await.map_err(io::Error::other)?;
    // It has nothing to say; a reset is an end as well.
    let _ = stream.read(&mut [0]).await;
    Ok(Asked::Done)
}
