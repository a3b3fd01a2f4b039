//! A Redis server of a test's own, which the test may hurt.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long a server may take to answer its first `PING`.
const START: Duration = Duration::from_secs(10);
/// Between the port being found free and the server's start another process may take it.
const PORTS: usize = 5;

/// A `redis-server` on loopback, with a port and a directory of its own, and nothing kept on disk.
/// It is killed when this is dropped.
///
/// ```
/// use buttress_testkit::redis::Server;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut server = Server::start().await?;
/// assert!(server.url().starts_with("redis://127.0.0.1:"));
/// server.kill()?;
/// server.restart().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    process: Process,
    directory: Directory,
}

/// Dropped, it is killed and waited for.
#[derive(Debug)]
struct Process(Child);

/// Dropped, it is removed.
#[derive(Debug)]
struct Directory(PathBuf);

impl Server {
    /// Starts a server on a free port, and waits until it answers.
    ///
    /// # Errors
    /// Where there is no `redis-server`, or it does not answer within ten seconds.
    pub async fn start() -> io::Result<Self> {
        let directory = Directory::new()?;
        let mut failure = io::Error::other("no port is free");
        for _ in 0..PORTS {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            match Process::start(address, &directory.0).await {
                Ok(process) => return Ok(Self { address, process, directory }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as `redis://address`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Stops it where it stands (SIGSTOP): its kernel still takes connections, and nobody answers.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn freeze(&self) -> io::Result<()> {
        self.process.signal("-STOP")
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn thaw(&self) -> io::Result<()> {
        self.process.signal("-CONT")
    }

    /// Kills it (SIGKILL), and waits until it is gone: its connections are reset, its port refuses.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts it again on the same port, empty, and waits until it answers. One that still runs is
    /// killed before.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process = Process::start(self.address, &self.directory.0).await?;
        Ok(())
    }

    /// Sends one command in the inline form, such as `SCRIPT FLUSH`, and answers the first line of
    /// what comes back.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn command(&self, command: &str) -> io::Result<String> {
        command_at(self.address, command).await
    }
}

impl Process {
    async fn start(address: SocketAddr, directory: &Path) -> io::Result<Self> {
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &address.port().to_string()])
            .arg("--dir")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)?;
        let answers = async {
            loop {
                if let Some(status) = child.0.try_wait()? {
                    return Err(io::Error::other(format!("redis-server ended: {status}")));
                }
                if command_at(address, "PING").await.is_ok_and(|line| line == "+PONG") {
                    return Ok(());
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(START, answers).await.map_err(io::Error::from)??;
        Ok(child)
    }

    /// By the command, since the call would not be safe code.
    fn signal(&self, signal: &str) -> io::Result<()> {
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the server is gone")) }
    }

    fn kill(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

impl Directory {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let name = format!("testkit-redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn command_at(address: SocketAddr, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\r' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            byte => line.push(byte),
        }
    }
}
