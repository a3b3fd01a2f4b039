//! Secrets at rest: kept, shown, rotated, and refused where somebody has been at the file.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode},
};
use buttress::seal::{Key, KeyRing, Sealed, context};
use futures_util::future::join_all;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Service, assert_problem, example, id, json_of, only, text};

/// The values of secrets begin with this.
const PLANTED: &str = "planted-7f3c";

/// A database of this test alone.
struct File(PathBuf);

impl File {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("example-axum-{}-{test}.db", process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// What somebody does who can write to it, and has no key.
    fn change(&self, sql: &str) {
        Connection::open(&self.0).unwrap().execute_batch(sql).unwrap();
    }

    fn swap(&self, a: i64, b: i64) {
        self.change(&format!(
            "CREATE TEMP TABLE held AS SELECT id, value FROM secrets WHERE id IN ({a}, {b});
             UPDATE secrets SET value = (SELECT value FROM held WHERE held.id <> secrets.id)
             WHERE id IN ({a}, {b});"
        ));
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Service {
    pub(super) async fn post(&self, path: &str, body: String) -> Response<Bytes> {
        let request = self.request("POST", path).header("content-type", "application/json");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Keeps a secret under the next id.
    async fn keep(&self, value: &str) -> i64 {
        let new = json!({ "name": "mail", "value": value });
        let answer = self.post("/secrets", new.to_string()).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
        let id = json_of(&answer)["id"].as_i64().unwrap();
        assert_eq!(only(answer.headers(), "location"), format!("/secrets/{id}"));
        id
    }

    async fn value(&self, id: i64) -> String {
        let answer = json_of(&self.get(&format!("/secrets/{id}")).await);
        answer["value"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// What is stored, and the key that has sealed it.
    async fn sealed(&self, id: i64) -> (String, String) {
        let answer = json_of(&self.get(&format!("/secrets/{id}/sealed")).await);
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("sealed"), text("key_id"))
    }

    async fn rotate(&self) -> Value {
        let answer = self.post("/secrets/rotate", String::new()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", text(&answer));
        json_of(&answer)
    }

    /// The line of what went wrong with this, which its client knows nothing of.
    async fn failure(&self, id_of_secret: i64) -> Value {
        let answer = self.get(&format!("/secrets/{id_of_secret}")).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_problem(&answer, "a secret that does not open");
        let problem = json_of(&answer);
        let members: Vec<_> = problem.as_object().unwrap().keys().collect();
        assert_eq!(members, ["request_id", "status", "title", "trace_id"], "{problem}");
        assert_eq!(problem["title"], "Internal Server Error");
        self.line(&["request failed", id(&answer)]).await
    }

    async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A key of this id, as it stands in the environment.
pub(super) fn key(id: &str) -> String {
    Key::generate().unwrap().with_id(id).unwrap().to_text().expose().clone()
}

/// Starts it, and answers what it says on its way out.
async fn refusal(file: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = example();
    command.env("BIND", "127.0.0.1:0").env("SECRETS_DB", file).envs(variables.iter().copied());
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    said
}

#[tokio::test]
async fn a_secret_is_stored_sealed_and_comes_back_open() {
    let service = Service::start().await;
    let value = format!("{PLANTED} ü \" \\ a<b&c");
    let id = service.keep(&value).await;
    assert_eq!(id, 1);
    let shown = service.get("/secrets/1").await;
    assert_eq!(json_of(&shown), json!({ "id": 1, "name": "mail", "value": value }));
    assert_eq!(only(shown.headers(), "cache-control"), "no-store");

    let stored = service.get("/secrets/1/sealed").await;
    assert!(!text(&stored).contains(PLANTED), "{}", text(&stored));
    let (sealed, key_id) = service.sealed(1).await;
    assert!(sealed.starts_with(&format!("sealed.v1.{key_id}.")), "{sealed}");
    let line = service.line(&[r#""target":"secrets""#, "ephemeral key"]).await;
    assert_eq!((&line["level"], &line["key_id"]), (&json!("WARN"), &json!(key_id)));

    assert_eq!(service.keep(&value).await, 2);
    assert_ne!(service.sealed(2).await.0, sealed);
    let log = service.whole_log().await;
    assert!(!log.contains(PLANTED) && !log.contains("sealkey."), "{log}");
}

#[tokio::test]
async fn what_has_a_secret_in_it_is_not_compressed() {
    let service = Service::start().await;
    service.keep(&PLANTED.repeat(100)).await;
    for (path, coding) in [("/secrets/1", None), ("/secrets/1/sealed", Some("gzip"))] {
        let request = service.request("GET", path).header("accept-encoding", "gzip");
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        let told = answer.headers().get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(told, coding, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_secret_is_refused_without_a_word_of_its_value() {
    let service = Service::start().await;
    let new = |name: &str, value: &str| json!({ "name": name, "value": value }).to_string();
    let mut longest = PLANTED.repeat(64 * 1024 / PLANTED.len());
    longest.push_str(&"x".repeat(64 * 1024 - longest.len()));
    let too_long = format!("{longest}x");
    for (body, status, said) in [
        (new(&"n".repeat(100), &longest), 201, r#"{"id":1}"#),
        (new("", PLANTED), 400, "name is of 1 to 100 bytes"),
        (new(&"n".repeat(101), PLANTED), 400, "name is of 1 to 100 bytes"),
        (new("mail", ""), 400, "value is of 1 to 65536 bytes"),
        (new("mail", &too_long), 400, "value is of 1 to 65536 bytes"),
        (json!({ "name": "mail", "value": [PLANTED] }).to_string(), 422, "invalid secret"),
        (json!({ "name": "mail", "value": 7_350_912 }).to_string(), 422, "invalid secret"),
        (json!({ "value": PLANTED }).to_string(), 422, "missing field `name`"),
    ] {
        let answer = service.post("/secrets", body).await;
        assert_eq!(answer.status(), status, "{said}");
        assert!(text(&answer).contains(said), "{}", text(&answer));
        assert!(!text(&answer).contains(PLANTED) && !text(&answer).contains("7350912"), "{said}");
        if status != 201 {
            assert_problem(&answer, said);
        }
    }
    for (path, status) in [("0", 404), ("2", 404), ("-1", 404), ("x", 400), ("1e3", 400)] {
        for path in [format!("/secrets/{path}"), format!("/secrets/{path}/sealed")] {
            let answer = service.get(&path).await;
            assert_eq!(answer.status(), status, "{path}");
            assert_problem(&answer, &path);
        }
    }
    let log = service.whole_log().await;
    assert!(!log.contains(PLANTED) && !log.contains("7350912"), "{log}");
}

#[tokio::test]
async fn each_rotation_has_an_ephemeral_key_of_its_own() {
    let service = Service::start().await;
    for i in 1..=3 {
        service.keep(&format!("{PLANTED} {i}")).await;
    }
    let mut envelopes = vec![service.sealed(1).await];
    for _ in 0..2 {
        let report = service.rotate().await;
        let (sealed, key_id) = service.sealed(1).await;
        let whole = json!({
            "key_id": key_id, "complete": true, "seen": 3, "resealed": 3, "current": 0,
            "overtaken": 0, "failed": 0, "failures": [],
        });
        assert_eq!(report, whole);
        let line = service.line(&["rotated: 3 seen, 3 resealed", &key_id]).await;
        assert_eq!(line["level"], "INFO");
        envelopes.push((sealed, key_id));
        for i in 1..=3 {
            assert_eq!(service.value(i).await, format!("{PLANTED} {i}"));
        }
    }
    for (i, (sealed, key_id)) in envelopes.iter().enumerate() {
        let earlier = &envelopes[..i];
        assert!(earlier.iter().all(|(other, id)| sealed != other && key_id != id), "{envelopes:?}");
    }
    let log = service.whole_log().await;
    assert!(!log.contains(PLANTED), "{log}");
}

#[tokio::test]
async fn nothing_is_lost_while_others_write() {
    let service = Service::start().await;
    let writers = (0..4).map(async |writer| {
        let mut kept = Vec::new();
        for i in 0..10 {
            let value = format!("{PLANTED} {writer}-{i}");
            kept.push((service.keep(&value).await, value));
        }
        kept
    });
    let rotation = async {
        for _ in 0..5 {
            assert_eq!(service.rotate().await["complete"], true);
        }
    };
    let (kept, ()) = tokio::join!(join_all(writers), rotation);
    for (id, value) in kept.into_iter().flatten() {
        assert_eq!(service.value(id).await, value);
    }
}

#[tokio::test]
async fn a_file_outlives_the_service_and_its_keys_are_rotated() {
    let file = File::new("outlives");
    let (k1, k2) = (key("k1"), key("k2"));
    let with = async |variables: &[(&str, &str)]| {
        Service::with(&[variables, &[("SECRETS_DB", file.path())]].concat()).await
    };
    let service = with(&[("SEAL_KEY", &k1)]).await;
    service.keep(PLANTED).await;
    let (sealed, key_id) = service.sealed(1).await;
    assert_eq!(key_id, "k1");
    assert_eq!(service.line(&["sealing with the key k1"]).await["level"], "INFO");
    service.stop().await;
    let bytes = fs::read(file.path()).unwrap();
    assert!(!bytes.windows(PLANTED.len()).any(|bytes| bytes == PLANTED.as_bytes()));

    let service = with(&[("SEAL_KEY", &k2), ("SEAL_KEY_OLD", &k1)]).await;
    assert_eq!(service.value(1).await, PLANTED);
    assert_eq!(service.sealed(1).await, (sealed, "k1".to_owned()));
    service.keep(PLANTED).await;
    let report = service.rotate().await;
    let counts = ["seen", "resealed", "current", "failed"].map(|name| report[name].clone());
    assert_eq!(json!([report["key_id"], counts]), json!(["k2", [2, 1, 1, 0]]));
    assert_eq!(report["complete"], true);
    service.stop().await;

    // The old key is gone from the environment, and what it sealed from the file.
    let service = with(&[("SEAL_KEY", &k2)]).await;
    for id in [1, 2] {
        assert_eq!(service.value(id).await, PLANTED);
    }
    service.stop().await;
    let bytes = fs::read(file.path()).unwrap();
    assert!(!bytes.windows(12).any(|bytes| bytes == b"sealed.v1.k1"));
}

#[tokio::test]
async fn with_keys_of_others_it_does_not_start() {
    let file = File::new("others");
    let (ours, theirs, unknown) = (key("k1"), key("k1"), key("k2"));
    Service::with(&[("SEAL_KEY", &ours), ("SECRETS_DB", file.path())]).await.stop().await;
    let unsealed = "not sealed with SEAL_KEY, nor with one of SEAL_KEY_OLD: ";
    for (variables, why) in [
        (&[("SEAL_KEY", &*theirs)][..], "the key is not the one that the canary was sealed with"),
        (&[("SEAL_KEY", &*unknown)], "there is no key k1 that may open the value"),
        (&[], "there is no key k1 that may open the value"),
    ] {
        let said = refusal(&file.0, variables).await;
        let start = format!("SECRETS_DB={:?}: {unsealed}{why}", file.path());
        assert!(said.starts_with(&start), "{said}");
        assert!(!said.contains("sealkey."), "{said}");
    }
    // And nothing was changed.
    Service::with(&[("SEAL_KEY", &ours), ("SECRETS_DB", file.path())]).await.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_not_repeated() {
    let file = File::new("no-key");
    let good = key("k1");
    let (cut, check) = good.rsplit_once('.').unwrap();
    let mistyped = good.replace("sealkey.v1.k1.", "sealkey.v1.kl.");
    let twice = format!("{} {good}", key("k2"));
    for (variables, said) in [
        (&[("SEAL_KEY", cut)][..], "SEAL_KEY=[REDACTED] is refused: a key has five parts, "),
        (
            &[("SEAL_KEY", &mistyped)],
            "SEAL_KEY=[REDACTED] is refused: the check does not fit the key and its id",
        ),
        (&[("SEAL_KEY_OLD", &good)], "right: a SEAL_KEY too"),
        (
            &[("SEAL_KEY", &good), ("SEAL_KEY_OLD", cut)],
            "SEAL_KEY_OLD=[REDACTED] is refused: a key has five parts, ",
        ),
        (&[("SEAL_KEY", &good), ("SEAL_KEY_OLD", &twice)], "right: no key, and no key's id, twice"),
    ] {
        let stderr = refusal(&file.0, variables).await;
        assert!(stderr.contains(said), "{stderr}");
        assert!(stderr.starts_with("1 error in the configuration"), "{stderr}");
        let secret = cut.rsplit_once('.').unwrap().1;
        assert!(!stderr.contains(secret) && !stderr.contains(check), "{stderr}");
    }
    assert!(!file.0.exists(), "a key is looked at before the file");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let file = File::new("no-database");
    let text = "This is a letter, and it is long enough to be taken for a database. ".repeat(20);
    fs::write(&file.0, &text).unwrap();
    let said = refusal(&file.0, &[]).await;
    assert!(said.contains("SECRETS_DB=") && said.contains("file is not a database"), "{said}");
    assert_eq!(fs::read_to_string(&file.0).unwrap(), text);
}

#[tokio::test]
async fn rows_that_were_swapped_do_not_open() {
    let file = File::new("swapped");
    let service = Service::with(&[("SECRETS_DB", file.path())]).await;
    for i in 1..=3 {
        service.keep(&format!("{PLANTED} {i}")).await;
    }
    file.swap(1, 2);
    for id in [1, 2] {
        let line = service.failure(id).await;
        assert_eq!(
            line["error"],
            "cannot seal or open the secret: the sealed value is not authentic: \
             another key or context, or it was changed"
        );
    }
    assert_eq!(service.value(3).await, format!("{PLANTED} 3"));

    // A rotation leaves them as they are, and goes on with the same key once they are mended.
    let report = service.rotate().await;
    assert_eq!((&report["resealed"], &report["failed"]), (&json!(1), &json!(2)), "{report}");
    assert_eq!((&report["complete"], &report["failures"][1]["id"]), (&json!(false), &json!(2)));
    file.swap(1, 2);
    let again = service.rotate().await;
    assert_eq!((&again["key_id"], &again["complete"]), (&report["key_id"], &json!(true)));
    for i in 1..=3 {
        assert_eq!(service.value(i).await, format!("{PLANTED} {i}"));
    }
    let log = service.whole_log().await;
    assert!(!log.contains(PLANTED), "{log}");
}

#[tokio::test]
async fn a_changed_value_does_not_open_and_the_log_says_why() {
    let file = File::new("changed");
    let k1 = key("k1");
    let service = Service::with(&[("SECRETS_DB", file.path()), ("SEAL_KEY", &k1)]).await;
    let id = service.keep(PLANTED).await;
    let ring = KeyRing::new(Key::generate().unwrap().with_id("k9").unwrap());
    let of_another: Sealed<String> = ring.seal(PLANTED, context!("secrets.value", id)).unwrap();
    let (sealed, _) = service.sealed(id).await;
    let mut flipped = sealed.clone();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'E' } else { 'A' });
    let mut cut = sealed.clone();
    cut.truncate(sealed.len() - 40);
    for (value, why) in [
        (of_another.as_str(), "there is no key k9 that may open the value"),
        (&flipped, "the sealed value "),
        (&cut, "the "),
        (PLANTED, "this is not a sealed value"),
    ] {
        file.change(&format!("UPDATE secrets SET value = '{value}'"));
        let line = service.failure(id).await;
        let error = line["error"].as_str().unwrap();
        let start = format!("cannot seal or open the secret: {why}");
        assert!(error.starts_with(&start), "{error}");
        assert!(!error.contains(PLANTED), "{error}");
    }
    file.change(&format!("UPDATE secrets SET value = '{sealed}'"));
    assert_eq!(service.value(id).await, PLANTED);
}

#[tokio::test]
async fn one_rotation_at_a_time_and_one_that_is_broken_off_is_gone_on_with() {
    let file = File::new("broken-off");
    let service = Service::with(&[("SECRETS_DB", file.path())]).await;
    let id = service.keep(PLANTED).await;
    let before = service.sealed(id).await;

    let writer = Connection::open(&file.0).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let rotations = (0..8).map(|_| service.post("/secrets/rotate", String::new()));
    let answers = join_all(rotations).await;
    let of_status = |status: u16| answers.iter().filter(move |answer| answer.status() == status);
    let broken_off = of_status(500).next().unwrap();
    let line = service.line(&["request failed", super::id(broken_off)]).await;
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("cannot get at the secrets: database is locked"), "{error}");
    let refused = of_status(409).next().unwrap();
    assert_problem(refused, "a second rotation");
    assert_eq!(json_of(refused)["detail"], "a rotation is under way");
    writer.execute_batch("ROLLBACK").unwrap();

    // What is kept meanwhile has the new key.
    assert_eq!(service.sealed(id).await, before);
    let newer = service.keep(PLANTED).await;
    let (_, key_id) = service.sealed(newer).await;
    assert_ne!(key_id, before.1);
    let report = service.rotate().await;
    let counts = ["resealed", "current"].map(|name| report[name].clone());
    assert_eq!(json!([report["key_id"], counts]), json!([key_id, [1, 1]]));
    for id in [id, newer] {
        assert_eq!(service.value(id).await, PLANTED);
    }
}

#[tokio::test]
async fn a_full_table_takes_no_more() {
    let file = File::new("full");
    let service = Service::with(&[("SECRETS_DB", file.path())]).await;
    let id = service.keep(PLANTED).await;
    file.change(
        "WITH RECURSIVE rows(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM rows WHERE i < 499)
         INSERT INTO secrets (name, value) SELECT 'filler', 'none' FROM rows",
    );
    let new = json!({ "name": "mail", "value": PLANTED }).to_string();
    let answer = service.post("/secrets", new).await;
    assert_eq!(answer.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert_problem(&answer, "one too many");
    assert_eq!(service.value(id).await, PLANTED);

    let report = service.rotate().await;
    let counts = ["seen", "resealed", "failed"].map(|name| report[name].clone());
    assert_eq!(json!(counts), json!([500, 1, 499]));
    assert_eq!(report["failures"].as_array().unwrap().len(), 100);
    file.change("DELETE FROM secrets WHERE name = 'filler'");
    assert_eq!(service.keep(PLANTED).await, 501);
}

#[tokio::test]
async fn a_file_that_others_have_taken_over_makes_it_degraded() {
    const TOKEN: &str = "smoke-8Jd2kQ0zVn5rTc1w";
    let file = File::new("taken");
    let k1 = key("k1");
    let variables = [("SECRETS_DB", file.path()), ("SEAL_KEY", &k1), ("STATUS_TOKEN", TOKEN)];
    let service = Service::with(&variables).await;
    let until = async |status: &str| {
        let asked = async {
            loop {
                let request = service.request("GET", "/status");
                let request = request.header("authorization", format!("Bearer {TOKEN}"));
                let answer = service.send(request.body(Body::empty()).unwrap()).await;
                if json_of(&answer)["checks"]["secrets"]["status"] == status {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("never {status}"));
    };
    until("healthy").await;
    let ring = KeyRing::new(Key::generate().unwrap().with_id("k9").unwrap());
    file.change(&format!("UPDATE canary SET value = '{}'", ring.canary().unwrap().as_str()));
    until("unhealthy").await;
    assert_eq!(service.get("/ready").await.status(), StatusCode::OK);
}
