//! A way to a server that breaks where a test wants it to.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{JoinHandle, JoinSet},
};

/// What is read at once: a message of a test's is smaller.
const PIECE: usize = 64 * 1024;

/// Passes on what a client and a server on loopback say to each other, until it is told to lose
/// something. Dropped, it passes nothing on any more, and its port refuses.
///
/// ```
/// use buttress_testkit::{proxy::{Loss, Proxy}, redis::Server};
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::start().await?;
/// let proxy = Proxy::start(server.address()).await?;
/// proxy.lose(b"INCR", Loss::Answer);
///
/// let mut client = TcpStream::connect(proxy.address()).await?;
/// client.write_all(b"INCR visits\r\n").await?;
/// assert_eq!(client.read(&mut [0; 64]).await?, 0, "nobody hears of it");
/// assert_eq!(server.command("INCR visits").await?, ":2", "and it was done");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    order: Order,
    accepts: JoinHandle<()>,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What the client says does not come to the server, and both connections are closed.
    Question,
    /// It does, and when the server answers, both connections are closed.
    Answer,
    /// It does, and from then on the client hears nothing; nothing is closed.
    Silence,
}

/// What is to be lost next, and with which bytes.
#[derive(Clone, Debug, Default)]
struct Order(Arc<Mutex<Option<Lost>>>);

type Lost = (Vec<u8>, Loss);

impl Proxy {
    /// Listens on a free port of `127.0.0.1`.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, order) = (listener.local_addr()?, Order::default());
        let accepts = tokio::spawn(accept(listener, server, order.clone()));
        Ok(Self { address, order, accepts })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses something once: the next time that a client sends something, in one piece, with these
    /// bytes in it.
    pub fn lose(&self, part: &[u8], loss: Loss) {
        *self.order.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((part.to_vec(), loss));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

impl Order {
    /// What is to be lost with this piece, and then no more.
    fn take(&self, piece: &[u8]) -> Option<Loss> {
        let mut order = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |part: &[u8]| piece.windows(part.len().max(1)).any(|window| window == part);
        order.take_if(|(part, _)| has(part)).map(|(_, loss)| loss)
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, order: Order) {
    // They end with the task.
    let mut pairs = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let order = order.clone();
        pairs.spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                pass(client, server, order).await;
            }
        });
    }
}

/// Until either of them ends, or the order says so.
async fn pass(client: TcpStream, server: TcpStream, order: Order) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let lost = Arc::new(OnceLock::new());
    let mut ways = JoinSet::new();
    ways.spawn(ask(from_client, to_server, order, Arc::clone(&lost)));
    ways.spawn(answer(from_server, to_client, lost));
    let _ = ways.join_next().await;
}

async fn ask(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    order: Order,
    lost: Arc<OnceLock<Loss>>,
) {
    let mut piece = vec![0; PIECE];
    while let Some(piece) = read(&mut client, &mut piece).await {
        match order.take(piece) {
            Some(Loss::Question) => return,
            Some(loss) => _ = lost.set(loss),
            None => {}
        }
        if server.write_all(piece).await.is_err() {
            return;
        }
    }
}

async fn answer(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, lost: Arc<OnceLock<Loss>>) {
    let mut piece = vec![0; PIECE];
    while let Some(piece) = read(&mut server, &mut piece).await {
        match lost.get() {
            Some(Loss::Silence) => {}
            Some(_) => return,
            None if client.write_all(piece).await.is_err() => return,
            None => {}
        }
    }
}

async fn read<'b>(stream: &mut OwnedReadHalf, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = stream.read(buffer).await.ok().filter(|length| *length > 0)?;
    buffer.get(..length)
}
