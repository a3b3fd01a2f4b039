//! The status page in a real browser, under the policy of a site.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test is meant to panic, and says when it has no browser"
)]

mod common;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router, extract::Request, http::header::CONTENT_SECURITY_POLICY, middleware::Next,
    response::Html, routing::get,
};
use buttress_core::source::CheckReport;
use buttress_headers::{Mode, SecurityHeadersLayer};
use buttress_health::{
    Descriptors, Entry, FnCheck, Health, HealthLayer, Heartbeat, Memory, Registry,
};
use common::Script;

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .flat_map(|dir| ["chromium", "chromium-browser", "google-chrome"].map(|it| dir.join(it)))
        .find(|program| program.is_file());
    if found.is_none() {
        eprintln!("no Chromium in PATH: the status page was not tried in a browser");
    }
    found
}

/// A directory of its own for each start, gone at the end.
struct Profile(PathBuf);

impl Profile {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("health-browser-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(program: &Path, profile: &Profile) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            "--v=0",
        ])
        .arg(format!("--user-data-dir={}", profile.0.display()))
        .stdin(Stdio::null());
    command
}

/// What the page's console says; that of the browser itself is none.
fn console(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.contains("CONSOLE")).collect()
}

fn health() -> Health {
    let marked = FnCheck::new("<b>queue</b>", || async {
        Ok(CheckReport::ok().with("depth", 17_u64).with("<i>role</i>", "\"primary\""))
    });
    let beat = Heartbeat::new("outbox", Duration::from_secs(3_600)).unwrap();
    let (health, runner) = Registry::new()
        .version("1.4.2")
        .heartbeat(&beat)
        .unwrap()
        .check(Entry::critical(Script::new("postgres", "P")))
        .unwrap()
        .check(Entry::critical(marked))
        .unwrap()
        .check(Entry::optional(Script::new("redis", "D")))
        .unwrap()
        .check(Entry::optional(Script::new("search", "F")))
        .unwrap()
        .check(Entry::optional(Memory::new().thresholds(1.0, 1.0).unwrap()))
        .unwrap()
        .check(Entry::optional(Descriptors::new()))
        .unwrap()
        .split();
    tokio::spawn(runner.run());
    health
}

struct Site {
    address: std::net::SocketAddr,
    paths: Arc<Mutex<Vec<String>>>,
    loads: Arc<AtomicUsize>,
}

/// Below the headers of a site, whose policy takes the place of the page's own or not.
async fn serve(layer: HealthLayer, mode: Mode) -> Site {
    let site = SecurityHeadersLayer::web().mode(mode);
    let policy = site.headers()[CONTENT_SECURITY_POLICY].clone();
    let (paths, loads) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
    let (seen, count) = (Arc::clone(&paths), Arc::clone(&loads));
    let app: Router = Router::new()
        .route("/inline", get(|| async { Html("<script>1</script>") }))
        .layer(layer)
        .layer(site)
        .layer(axum::middleware::from_fn(move |request: Request, next: Next| {
            let path = request.uri().path().to_owned();
            if path == "/status" {
                count.fetch_add(1, Ordering::SeqCst);
            }
            seen.lock().unwrap().push(path);
            let (answer, policy) = (next.run(request), policy.clone());
            async move {
                let answer = answer.await;
                if mode == Mode::Override {
                    assert_eq!(answer.headers()[CONTENT_SECURITY_POLICY], policy);
                }
                answer
            }
        }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Site { address, paths, loads }
}

const PATIENCE: Duration = Duration::from_secs(60);

async fn finished(command: Command) -> Output {
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).output();
    tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_the_page_and_has_nothing_to_complain_of_under_either_policy() {
    let Some(program) = browser() else { return };
    for mode in [Mode::IfAbsent, Mode::Override] {
        is_shown(&program, mode).await;
    }
}

async fn is_shown(program: &Path, mode: Mode) {
    let health = health();
    while health.status_of("search") != Some(buttress_health::Status::Unhealthy) {
        tokio::task::yield_now().await;
    }
    let site = serve(HealthLayer::new(&health).status_for_anyone(), mode).await;
    let profile = Profile::new(&format!("{mode:?}"));
    let mut command = command(program, &profile);
    command.args(["--dump-dom", &format!("http://{}/status", site.address)]);
    let output = finished(command).await;
    let (dom, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{log}");
    assert_eq!(console(&log), Vec::<&str>::new(), "{log}");
    for part in [
        "<title>degraded</title>",
        "<h1>degraded</h1>",
        "<dt>version</dt><dd>1.4.2</dd>",
        "<b>postgres</b>",
        "<b>&lt;b&gt;queue&lt;/b&gt;</b>",
        "<dt>&lt;i&gt;role&lt;/i&gt;</dt>",
        "no connection",
        "<b>outbox</b>",
    ] {
        assert!(dom.contains(part), "{part}: {dom}");
    }
    let paths = site.paths.lock().unwrap().clone();
    assert!(paths.contains(&"/status.css".to_owned()), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("favicon")), "{paths:?}");
}

/// Otherwise that there is none would mean nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_of_a_browser_is_seen() {
    let Some(program) = browser() else { return };
    let site = serve(HealthLayer::new(&health()), Mode::IfAbsent).await;
    let profile = Profile::new("inline");
    let mut command = command(&program, &profile);
    command.args(["--dump-dom", &format!("http://{}/inline", site.address)]);
    let log = finished(command).await.stderr;
    let log = String::from_utf8_lossy(&log);
    assert!(console(&log).iter().any(|line| line.contains("Content Security Policy")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_asked_for_the_token_as_a_password() {
    let Some(program) = browser() else { return };
    let health = health();
    let layer = HealthLayer::new(&health).status_token("a-token-of-the-operators".into()).unwrap();
    let site = serve(layer, Mode::IfAbsent).await;
    for (name, token, is_shown) in
        [("right", "a-token-of-the-operators", true), ("wrong", "a-token-of-nobody", false)]
    {
        let profile = Profile::new(name);
        let mut command = command(&program, &profile);
        command.args(["--dump-dom", &format!("http://ops:{token}@{}/status", site.address)]);
        let dom = finished(command).await.stdout;
        let dom = String::from_utf8_lossy(&dom);
        assert_eq!(dom.contains("<b>postgres</b>"), is_shown, "{name}: {dom}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_for_the_page_again_by_itself() {
    let Some(program) = browser() else { return };
    let health = health();
    let site = serve(HealthLayer::new(&health).status_for_anyone(), Mode::Override).await;
    let profile = Profile::new("refresh");
    let log = profile.0.join("stderr");
    let mut command = command(&program, &profile);
    command
        .args(["--remote-debugging-port=0", &format!("http://{}/status", site.address)])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap());
    let mut running = command.spawn().unwrap();
    let again = tokio::time::timeout(PATIENCE, async {
        while site.loads.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let again = again.await;
    running.kill().unwrap();
    running.wait().unwrap();
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    let loads = site.loads.load(Ordering::SeqCst);
    assert!(again.is_ok(), "{loads} loads in {PATIENCE:?}: {log}");
    assert_eq!(console(&log), Vec::<&str>::new(), "{log}");
}
