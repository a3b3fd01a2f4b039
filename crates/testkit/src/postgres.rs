//! A Postgres server of a test's own, which the test may hurt.

use std::{
    ffi::OsStr,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{
        fs::{DirBuilderExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

/// Its superuser, and the only one there is.
pub const USER: &str = "test";
/// The superuser's password, which SCRAM-SHA-256 asks for.
pub const PASSWORD: &str = "a-planted-password";
/// The database that is there from the start.
pub const DATABASE: &str = "postgres";

/// How long a server may take to take its first connection.
const START: Duration = Duration::from_secs(20);
/// Between the port being found free and the server's start another process may take it.
const PORTS: usize = 5;
/// Where Debian's packages, and Ubuntu's, keep the programs: below a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// A test's data is worth nothing, so nothing waits for a disk; and what would lie in `/dev/shm`
/// lies in the server's own directory, which is removed with it.
const SETTINGS: [(&str, &str); 7] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("dynamic_shared_memory_type", "mmap"),
    ("shared_buffers", "16MB"),
    ("autovacuum", "off"),
];

/// A Postgres server on loopback, with a port and a directory of its own, and nothing that waits
/// for a disk. It is stopped and removed when this is dropped.
///
/// The programs are looked for in `PATH`, then below `/usr/lib/postgresql`, the newest first. The
/// cluster is made once for each version and user, and stays in the temporary directory; each
/// server has a copy of it. Since Postgres refuses to run as root, a root's servers run as the user
/// `postgres`, or else as `nobody`.
///
/// ```
/// use buttress_testkit::postgres::Server;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut server = Server::start().await?;
/// assert!(server.url().starts_with("postgres://test:"));
/// assert_eq!(server.sql("SELECT 6 * 7").await?, "42");
/// server.kill()?;
/// server.restart().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    process: Process,
    programs: Programs,
    settings: Vec<(String, String)>,
    directory: Directory,
}

/// Dropped, it is stopped and waited for.
#[derive(Debug)]
struct Process {
    child: Child,
    // Those of it that were stopped or killed may be gone from the table, but not the server.
    is_killed: bool,
}

/// Dropped, it is removed.
#[derive(Debug)]
struct Directory(PathBuf);

/// Where the programs are, and as whom they run: the user's and the group's number, for a root.
#[derive(Clone, Debug)]
struct Programs {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Server {
    /// Starts a server on a free port, and waits until it takes connections.
    ///
    /// # Errors
    /// Where there are no programs of Postgres's, or it does not start within twenty seconds; the
    /// end of its log is in the text then.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with settings of one's own, such as `("max_connections", "5")`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(settings: &[(&str, &str)]) -> io::Result<Self> {
        let programs = Programs::find().await?;
        let template = template(&programs).await?;
        let directory = programs.directory()?;
        let mut copy = programs.command("cp");
        done(copy.args(["-R", "-p"]).arg(template).arg(directory.data())).await?;
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut failure = io::Error::other("no port is free");
        for _ in 0..PORTS {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            match Process::start(&programs, address, &directory, &settings).await {
                Ok(process) => return Ok(Self { address, process, programs, settings, directory }),
                Err(error) => failure = error,
            }
            if !failure.to_string().contains("Address already in use") {
                break;
            }
        }
        Err(failure)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `postgres://user:password@address/database`, of the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@{}/{DATABASE}", self.address)
    }

    /// The same as key and value: `host=127.0.0.1 port=… user=… password=… dbname=…`.
    #[must_use]
    pub fn keywords(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!("host={ip} port={port} user={USER} password={PASSWORD} dbname={DATABASE}")
    }

    /// Runs SQL over a connection of its own, of psql's, and answers what it prints: a line for
    /// each row, its columns parted by `|`, and nothing around it.
    ///
    /// # Errors
    /// Where there is no psql, or the server refuses; psql's words are in the text then.
    pub async fn sql(&self, sql: &str) -> io::Result<String> {
        let mut psql = self.programs.command(self.programs.folder.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url())
            .args(["-c", sql]);
        let output = done(&mut psql).await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Everything that it has logged since it was started first.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn log(&self) -> io::Result<String> {
        fs::read_to_string(self.directory.log())
    }

    /// Stops it where it stands, with all processes of its connections (SIGSTOP): its kernel still
    /// takes connections, and nobody answers.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn freeze(&self) -> io::Result<()> {
        self.process.signal_all("-STOP")
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn thaw(&self) -> io::Result<()> {
        self.process.signal_all("-CONT")
    }

    /// Kills it with all processes of its connections (SIGKILL), and waits until it is gone: its
    /// connections are reset, its port refuses.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts it again on the same port, with what was committed before, and waits until it takes
    /// connections. One that still runs is killed before.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> io::Result<()> {
        self.process.kill()?;
        let deadline = Instant::now() + START;
        loop {
            // A killed process may hold the old memory a moment longer, and then it will not start.
            let started =
                Process::start(&self.programs, self.address, &self.directory, &self.settings);
            match started.await {
                Ok(process) => {
                    self.process = process;
                    return Ok(());
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_killed {
            // The memory that a killed server leaves behind; the next one on this directory would
            // have removed it.
            let pid_file = fs::read_to_string(self.directory.data().join("postmaster.pid"));
            let memory = pid_file.unwrap_or_default();
            let id = memory.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
            if let Some(id) = id {
                let _ = Command::new("ipcrm").args(["-m", id]).stderr(Stdio::null()).status();
            }
        }
    }
}

impl Process {
    async fn start(
        programs: &Programs,
        address: SocketAddr,
        directory: &Directory,
        settings: &[(String, String)],
    ) -> io::Result<Self> {
        let log = fs::File::options().create(true).append(true).open(directory.log())?;
        let mut command = programs.command(programs.folder.join("postgres"));
        command.arg("-D").arg(directory.data()).args(["-p", &address.port().to_string()]);
        for (name, value) in SETTINGS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = Self { child: command.spawn()?, is_killed: false };
        let answers = async {
            loop {
                if let Some(status) = process.child.try_wait()? {
                    process.is_killed = true;
                    let log = fs::read_to_string(directory.log()).unwrap_or_default();
                    let lines: Vec<_> = log.lines().rev().take(5).collect();
                    return Err(io::Error::other(format!("postgres ended: {status}: {lines:?}")));
                }
                if takes_connections(address).await.unwrap_or(false) {
                    return Ok(());
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(START, answers).await.map_err(io::Error::from)??;
        Ok(process)
    }

    /// The server is stopped first: it then starts no more processes that would be missed, and
    /// they stay its children until they are found.
    fn signal_all(&self, signal: &str) -> io::Result<()> {
        let server = self.child.id().to_string();
        kill("-STOP", &[&server])?;
        let table = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).output()?;
        let table = String::from_utf8_lossy(&table.stdout);
        let children: Vec<_> = table
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let pid = words.next()?;
                (words.next()? == server).then_some(pid)
            })
            .collect();
        // One that has ended in between is no failure.
        let _ = kill(signal, &children);
        kill(signal, &[&server])
    }

    fn kill(&mut self) -> io::Result<()> {
        if self.is_killed {
            return Ok(());
        }
        self.signal_all("-KILL")?;
        self.is_killed = true;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_killed {
            return;
        }
        // What was frozen hears nothing else. Then the immediate shutdown, which the server enforces
        // on its own processes within five seconds: of all ways to end it, it leaves nothing behind.
        let server = self.child.id().to_string();
        let asked = self.signal_all("-CONT").and_then(|()| kill("-QUIT", &[&server]));
        if asked.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Programs {
    async fn find() -> io::Result<Self> {
        let in_path = std::env::var_os("PATH").unwrap_or_default();
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
            })
            .collect();
        versions.sort();
        // What is in `PATH` may be a link to one program alone; the others lie where it leads to.
        let folder = std::env::split_paths(&in_path)
            .chain(versions.into_iter().rev().map(|(_, folder)| folder))
            .filter_map(|folder| {
                Some(folder.join("postgres").canonicalize().ok()?.parent()?.into())
            })
            .find(|folder: &PathBuf| folder.join("initdb").is_file())
            .ok_or_else(|| {
                let text = format!("no postgres with initdb in PATH, nor below {DEBIAN}");
                io::Error::new(io::ErrorKind::NotFound, text)
            })?;
        let mut user = None;
        if id(&["-u"]).await? == 0 {
            for name in ["postgres", "nobody"] {
                if let (Ok(uid), Ok(gid)) = (id(&["-u", name]).await, id(&["-g", name]).await) {
                    user = Some((uid, gid));
                    break;
                }
            }
        }
        Ok(Self { folder, user })
    }

    /// The user's own, with no setting of whoever runs the tests; the standard library drops a
    /// root's other groups as well.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").current_dir("/");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// A new one, which belongs to the user and to nobody else.
    fn directory(&self) -> io::Result<Directory> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(format!("testkit-postgres-{process}-{count}"));
        if path.exists() {
            // Of a test of the same number that was killed.
            fs::remove_dir_all(&path)?;
        }
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let directory = Directory(path);
        if let Some((uid, gid)) = self.user {
            chown(&directory.0, Some(uid), Some(gid))?;
        }
        Ok(directory)
    }
}

impl Directory {
    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The cluster that each server gets a copy of. It is made beside its place and then moved there,
/// so that it is never found half-made; of two processes that make it at once, one is too late.
async fn template(programs: &Programs) -> io::Result<&'static Path> {
    static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();

    let make = async || {
        let mut asked = programs.command(programs.folder.join("postgres"));
        let version = done(asked.arg("--version")).await?;
        let version = String::from_utf8_lossy(&version.stdout);
        let version = version.split_whitespace().nth(2).unwrap_or("unknown");
        let uid = match programs.user {
            Some((uid, _)) => uid,
            None => id(&["-u"]).await?,
        };
        let name = format!("testkit-postgres-template-{version}-{uid}");
        let place = std::env::temp_dir().join(name);
        if place.exists() {
            return Ok(place);
        }
        let made = programs.directory()?;
        let password = made.0.join("password");
        fs::write(&password, PASSWORD)?;
        let mut initdb = programs.command(programs.folder.join("initdb"));
        initdb
            .args(["--no-sync", "--no-locale", "--encoding=UTF8", "--wal-segsize=1"])
            .args(["--auth=scram-sha-256", "--username", USER, "--pwfile"])
            .arg(password)
            .arg("-D")
            .arg(made.data());
        done(&mut initdb).await?;
        match fs::rename(made.data(), &place) {
            Err(error) if !place.exists() => Err(error),
            _ => Ok(place),
        }
    };
    TEMPLATE.get_or_try_init(make).await.map(PathBuf::as_path)
}

/// Whether it asks for a password: until it is up it answers with an error, or not at all.
async fn takes_connections(address: SocketAddr) -> io::Result<bool> {
    // The protocol's version 3.0, and the parameters, each ended by a zero.
    let parameters = format!("user\0{USER}\0database\0{DATABASE}\0\0");
    let length = u32::try_from(parameters.len() + 8).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u32(length).await?;
    stream.write_u32(3 << 16).await?;
    stream.write_all(parameters.as_bytes()).await?;
    Ok(stream.read_u8().await? == b'R')
}

/// By the command, since the call would not be safe code.
fn kill(signal: &str, pids: &[&str]) -> io::Result<()> {
    let status = Command::new("kill").arg(signal).args(pids).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the server is gone")) }
}

async fn id(arguments: &[&str]) -> io::Result<u32> {
    let output = done(Command::new("id").args(arguments)).await?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(io::Error::other)
}

/// Runs it to its end off the runtime's own threads.
async fn done(command: &mut Command) -> io::Result<Output> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
    let output = spawn_blocking(|| child.wait_with_output()).await.map_err(io::Error::other)??;
    if output.status.success() {
        return Ok(output);
    }
    let program = command.get_program().to_string_lossy();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program}: {}", said.trim_end())))
}
