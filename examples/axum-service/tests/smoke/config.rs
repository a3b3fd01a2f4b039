//! The configuration: checked whole, told without its secrets, and written down.

use std::{fs, path::PathBuf, process};

use tokio::time::timeout;

use super::{PATIENCE, Service, example, secrets::key};

/// What nobody may read anywhere.
const PLANTED: &str = "planted-Tr0ub4dor&3";
/// Each has 16 characters or more, and nobody guesses it.
const STRONG: &str = "kJ8vX2mQ9zT4wL7pR1nB6yH3";

/// What a run that ends by itself leaves behind.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn run(words: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = example();
    command.args(words).envs(variables.iter().copied());
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|out| String::from_utf8(out).unwrap());
    Ended { code: output.status.code(), stdout, stderr }
}

/// What it says where it does not start.
async fn refused(variables: &[(&str, &str)]) -> String {
    let ended = run(&[], &[&[("BIND", "127.0.0.1:0")], variables].concat()).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    ended.stderr
}

async fn checked(variables: &[(&str, &str)]) -> Ended {
    run(&["--check-config"], variables).await
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_refused_with_what_can() {
    let token = "right: letters, digits and -._~+/, and = at its end";
    let redis = "right: redis://[user:password@]host[:port][/database]";
    let postgres = "right: postgres://[user:password@]host[:port]/database";
    let no_fit = "right: a grace of which half and two seconds are left beside the pre-stop, ";
    for (name, value, reason, right) in [
        ("BIND", "localhost:3000", "is no address and port", "right: an address and a port, such"),
        ("BIND", "3000", "is no address and port", "127.0.0.1:3000"),
        ("BIND", ":3000", "is no address and port", "[::1]:3000"),
        ("BIND", "127.0.0.1:65536", "is no address and port", "for a free port, 127.0.0.1:0"),
        ("BIND", "", "is set, and empty", "127.0.0.1:3000"),
        ("LOG_FORMAT", "loud", "the log knows no such thing", "right: auto, pretty, json, "),
        ("LOG_LEVEL", "loud", "the log knows no such thing", "right: trace, debug, info, "),
        ("RUST_LOG", "a=loud", "the log knows no such thing", "right: levels, such as info,"),
        ("ALLOW_DEBUG", "perhaps", "is neither", "right: true or false"),
        ("METRICS_TOKEN", "two words", "a bearer token is of letters, digits and ", token),
        ("METRICS_TOKEN", "", "is set, and empty", token),
        ("LIMIT_GENERAL", "100/15x", "the period's unit must be one of ms, s, m, h, d", "N/period"),
        ("LIMIT_GENERAL", "", "is set, and empty", "right: N/period, such as 100/15m"),
        ("LIMIT_GENERAL", "0/15m", "the quota must be at least 1 request", "right: N/period"),
        (
            "LIMIT_BURST",
            "10/0s",
            "the period must be at least 1ms",
            "right: N/period, such as 10/s",
        ),
        (
            "TRUSTED_PROXIES",
            "10.0.0.0/8,10.0.0.0/33",
            "the prefix of an IPv4 ",
            "10.0.0.0/8,192.0.",
        ),
        ("TRUSTED_PROXIES", "", "is set, and empty", "right: addresses or networks"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "cannot be read: ", "right: addresses or networks"),
        ("REDIS_URL", "127.0.0.1:6379", "has no `://`", redis),
        ("REDIS_URL", "rediss://cache:6379", "the address of Redis: no TLS here", redis),
        ("REDIS_URL", "", "is set, and empty", redis),
        ("SEAL_KEY", "", "is set, and empty", "right: a key as `seal keygen` makes it"),
        ("SEAL_KEY", "hunter2", "a key looks like sealkey.v1.<id>.<key>.<check>", "`seal keygen`"),
        ("SECRETS_DB", "", "is set, and empty", "right: a path, such as secrets.db"),
        ("STATUS_TOKEN", "short", "a token has at least 16 characters", "right: 16 visible "),
        ("STATUS_TOKEN", "", "is set, and empty", "right: 16 visible characters of ASCII, or more"),
        ("DATABASE_URL", "mysql://db/orders", "no address of a Postgres server", postgres),
        ("DATABASE_URL", "postgres:///orders", "no address of a Postgres server", postgres),
        ("DATABASE_URL", "postgres://app:pl@nted@db/shop", "would be misread", postgres),
        ("DATABASE_URL", "", "is set, and empty", postgres),
        ("DATABASE_POOL", "0", "is not allowed", "right: 1 to 1000"),
        ("DATABASE_SLOW", "1", "has no unit", "right: a duration, such as 500ms, 30s or 1h30m"),
        ("REDIS_URL", "redis://app:pl@nted@cache", "", redis),
        ("SHUTDOWN_GRACE", "30", "has no unit", "right: a duration, such as 500ms, 30s or 1h30m"),
        ("SHUTDOWN_GRACE", "0s", "is not allowed", "right: 1ms to 1d"),
        ("SHUTDOWN_GRACE", "3s", "do not go together", no_fit),
        ("SHUTDOWN_PRE_STOP", "-1s", "", "right: a duration, such as 500ms, 30s or 1h30m"),
        (
            "SHUTDOWN_PRE_STOP",
            "20s",
            "do not go together",
            "right: a grace of which half and a second",
        ),
    ] {
        // The last one holds.
        let said = refused(&[(name, value)]).await;
        assert!(said.contains(" in the configuration\n  error: "), "{said}");
        assert!(said.contains(&format!("{name}=")), "{said}");
        assert!(said.contains(reason) && said.contains(right), "{name}={value:?}: {said}");
        assert!(!said.contains("pl@nted") && !said.contains("nted@"), "{said}");
    }
}

/// It is a path like any other, and found wrong when it is opened.
#[tokio::test]
async fn a_file_that_cannot_be_is_refused_by_its_name() {
    let said = refused(&[("SECRETS_DB", "/dev/null/x")]).await;
    assert!(said.starts_with("SECRETS_DB=\"/dev/null/x\": unable to open database file"), "{said}");
}

#[tokio::test]
async fn all_mistakes_are_in_one_report_and_no_secret_is() {
    let url = format!("mysql://app:{PLANTED}@db/orders");
    let variables = [
        ("BIND", "3000"),
        ("LIMIT_BURST", "10"),
        ("STATUS_TOKEN", "hunter2"),
        ("DATABASE_URL", &url),
        ("SHUTDOWN_GRACE", "30"),
        ("LOG_FORMAT", "loud"),
        ("LIMIT_GENRAL", "5/s"),
    ];
    for words in [&[][..], &["--check-config"]] {
        let ended = run(words, &variables).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        let said = ended.stderr;
        assert!(said.starts_with("6 errors and 1 warning in the configuration\n"), "{said}");
        for line in [
            "  error: BIND=\"3000\" is no address and port\n",
            "  error: STATUS_TOKEN=[REDACTED] is refused: a token has at least 16 characters",
            "  error: DATABASE_URL=[REDACTED] is refused: no address of a Postgres server",
            "  error: SHUTDOWN_GRACE=\"30\" has no unit\n    right: a duration, such as 500ms, ",
            "  error: LOG_FORMAT=\"loud\" is refused: ",
            "  warning: LIMIT_GENRAL is no variable of this service\n    right: LIMIT_GENERAL?\n",
        ] {
            assert!(said.contains(line), "no {line:?} in {said}");
        }
        assert_eq!(said.matches("\n    right: ").count(), 7, "{said}");
        assert!(!said.contains("hunter2") && !said.contains(PLANTED), "{said}");
    }
}

#[tokio::test]
async fn what_would_hold_is_printed_with_where_it_came_from() {
    let url = format!("postgres://books:{PLANTED}@db.internal/books");
    let seal = key("k1");
    let variables = [
        ("BIND", "127.0.0.1:4000"),
        ("STATUS_TOKEN", PLANTED),
        ("DATABASE_URL", &url),
        ("SEAL_KEY", &seal),
        ("SECRETS_DB", "/nowhere/secrets.db"),
    ];
    let ended = checked(&variables).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    let line = |name: &str| {
        let mut lines = ended.stdout.lines().map(|line| {
            let mut cells = line.splitn(2, "  ");
            (cells.next().unwrap(), cells.next().unwrap_or_default())
        });
        let (_, line) = lines.find(|(found, _)| *found == name).expect(name);
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(line("APP_ENV"), ["\"development\"", "default"]);
    assert_eq!(line("BIND"), ["\"127.0.0.1:4000\"", "environment"]);
    assert_eq!(line("LIMIT_GENERAL"), ["\"100/15m\"", "default"]);
    assert_eq!(line("REDIS_URL"), ["-", "not set: limits are in memory"]);
    for secret in ["STATUS_TOKEN", "DATABASE_URL", "SEAL_KEY"] {
        assert_eq!(line(secret), ["[REDACTED]", "environment"]);
    }
    assert_eq!(line("SECRETS_DB"), ["\"/nowhere/secrets.db\"", "environment"]);
    assert!(!ended.stdout.contains(PLANTED) && !ended.stdout.contains("sealkey."));
    // As a table: the values begin below one another.
    let column = |line: &str| line.len() - line.split_once(' ').unwrap().1.trim_start().len();
    let columns: Vec<_> = ended.stdout.lines().map(column).collect();
    assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{}", ended.stdout);
}

#[tokio::test]
async fn a_variable_that_nobody_knows_is_a_warning_with_the_nearest_name() {
    let ended = checked(&[("SHUTDOWN_PRESTOP", "1s"), ("PATH", "/bin")]).await;
    assert_eq!(ended.code, Some(0));
    let said = "1 warning in the configuration\n  \
        warning: SHUTDOWN_PRESTOP is no variable of this service\n    right: SHUTDOWN_PRE_STOP?\n";
    assert_eq!(ended.stderr, said);

    let service = Service::with(&[("SHUTDOWN_PRESTOP", "1s")]).await;
    let line = service.line(&[r#""target":"config""#, "SHUTDOWN_PRESTOP"]).await;
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["right"], "SHUTDOWN_PRE_STOP?");
}

#[tokio::test]
async fn in_production_it_asks_for_more() {
    let open = ("BIND", "0.0.0.0:0");
    let file = ("SECRETS_DB", "/nowhere/secrets.db");
    let weak = ("METRICS_TOKEN", "scrape");
    let at_home = checked(&[open, file, weak]).await;
    assert_eq!(at_home.code, Some(0), "{}", at_home.stderr);

    let production = ("APP_ENV", "production");
    for (variables, said) in [
        (&[production, open][..], "right: a METRICS_TOKEN, where others than this machine can "),
        (&[production, file], "right: a SEAL_KEY for the file: "),
        (&[production, weak], "METRICS_TOKEN=[REDACTED] is not allowed in production\n"),
        (&[production, ("STATUS_TOKEN", "aaaaaaaaaaaaaaaaaaaa")], "STATUS_TOKEN=[REDACTED] is not"),
        (&[("APP_ENV", "staging"), open], "warning: APP_ENV=\"staging\" is no profile, and taken"),
    ] {
        let ended = checked(variables).await;
        assert_eq!(ended.code, Some(2), "{said}");
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("1 error"), "{}", ended.stderr);
    }
    let key = key("k1");
    let right = [production, open, file, ("METRICS_TOKEN", STRONG), ("SEAL_KEY", &key)];
    let ended = checked(&right).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn the_example_of_the_variables_is_what_it_prints() {
    let printed = run(&["--print-env"], &[("METRICS_TOKEN", PLANTED)]).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let kept = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    assert_eq!(printed.stdout, kept);
}

/// A folder of this test alone.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(test: &str) -> Self {
        let name = format!("example-axum-{}-{test}", process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_file_beside_it_is_read_below_the_environment() {
    let folder = Folder::new("dotenv");
    folder.file(".env", "LIMIT_BURST=7/s\nSHUTDOWN_GRACE=20s\nSTATUS_TOKEN=short\n");
    let mut command = example();
    command.current_dir(&folder.0).arg("--check-config").env("SHUTDOWN_GRACE", "40s");
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("STATUS_TOKEN=[REDACTED] (file .env) is refused: "), "{said}");

    folder.file(".env", "LIMIT_BURST=7/s\nSHUTDOWN_GRACE=20s\n");
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    for (name, value, from) in
        [("LIMIT_BURST", "\"7/s\"", "file .env"), ("SHUTDOWN_GRACE", "\"40s\"", "environment")]
    {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(value) && line.ends_with(from), "{line}");
    }
}

#[tokio::test]
async fn a_secret_may_stand_in_a_file() {
    let folder = Folder::new("secret");
    let token = folder.file("token", &format!("{STRONG}\n"));
    let path = token.to_str().unwrap();
    let service = Service::with(&[("METRICS_TOKEN_FILE", path)]).await;
    for (authorization, status) in [(format!("Bearer {STRONG}"), 200), ("Bearer x".into(), 401)] {
        let request = service.request("GET", "/metrics").header("authorization", authorization);
        let answer = service.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), status);
    }
    let line = service.line(&[r#""target":"config""#, r#""variable":"METRICS_TOKEN_FILE""#]).await;
    assert_eq!(line["value"], "[REDACTED]");
    assert_eq!(line["origin"], format!("secret file {path}"));

    let both = [("METRICS_TOKEN_FILE", path), ("METRICS_TOKEN", STRONG)];
    assert!(refused(&both).await.contains("are both set"));
    let said = refused(&[("METRICS_TOKEN_FILE", "/nowhere")]).await;
    assert!(said.contains("METRICS_TOKEN_FILE names a file that cannot be read: "), "{said}");
}

/// Of a start that goes well: the log has all that holds, once.
#[tokio::test]
async fn what_holds_is_in_the_log_without_its_secrets() {
    // Nobody listens there: what goes wrong with it is logged, too.
    let redis = format!("redis://app:{PLANTED}@127.0.0.1:1");
    let token = format!("{PLANTED}-of-the-status");
    let key = key("k1");
    let service = Service::with(&[
        ("REDIS_URL", &redis),
        ("STATUS_TOKEN", &token),
        ("SEAL_KEY", &key),
        ("RUST_LOG", "debug"),
        ("ALLOW_DEBUG", "true"),
    ])
    .await;
    service.line(&[r#""target":"buttress_health"#, "redis"]).await;
    let log = service.whole_log().await;
    let told = |name: &str| {
        let is_its = format!(r#""variable":"{name}""#);
        let lines = log.lines().filter(|line| line.contains(&is_its)).collect::<Vec<_>>();
        assert_eq!(lines.len(), 1, "{name}: {log}");
        serde_json::from_str::<serde_json::Value>(lines[0]).unwrap()
    };
    assert_eq!(told("BIND")["value"], "127.0.0.1:0");
    assert_eq!(told("BIND")["origin"], "environment");
    assert_eq!(told("SHUTDOWN_GRACE")["origin"], "default");
    for secret in ["REDIS_URL", "STATUS_TOKEN", "SEAL_KEY"] {
        assert_eq!(told(secret)["value"], "[REDACTED]");
    }
    assert!(told("METRICS_TOKEN")["value"].is_null());
    let (_, rest) = key.split_once("k1.").unwrap();
    assert!(!log.contains(PLANTED) && !log.contains(rest), "{log}");
}
