//! The chapter on secrets at rest.

use std::io::Write;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Told, Tour, caller::Ask, captured::Line};

/// What is kept; its value is in no line of the log.
const KEPT: &str = r#"{"name":"mail","value":"tk_59f1d3c7"}"#;
const VALUE: &str = "tk_59f1d3c7";

impl<W: Write> Tour<W> {
    pub(super) async fn sealed_and_rotated(&mut self) -> Told {
        self.story.chapter("A secret at rest: sealed for its row, and rotated")?;
        let made = self.logged(&["sealing with the ephemeral key"]).await?;
        let first = made.text_of("key_id").to_owned();
        let named = first.len() == 8 && made.text_of("level") == "WARN";
        self.story.claim("no key was set: one was made, and the log says which", named, &made)?;

        let answer = self.ask(Ask::get("/secrets").json(KEPT), &["location"]).await?;
        let kept = answer.status == 201 && answer.header("location") == "/secrets/1";
        self.story.claim("a secret is kept", kept, &answer)?;
        let line = self.access_line("/secrets", answer.id()).await?;
        let counted = *line.field("db_count") == 1;
        self.story.claim("the access line says what the store took", counted, &line)?;
        let stored = self.ask(Ask::get("/secrets/1/sealed"), &[]).await?;
        let sealed = text_of(&stored.json(), "sealed");
        let envelope = sealed.starts_with(&format!("sealed.v1.{first}."));
        self.story.claim("what is stored is an envelope of that key", envelope, &sealed)?;
        let hidden = !stored.text.contains(VALUE);
        self.story.claim("and has nothing of it that could be read", hidden, &stored.text)?;
        let packed = Ask::get("/secrets/1").header("accept-encoding", "gzip");
        let answer = self.ask(packed, &["cache-control", "content-encoding"]).await?;
        let opened = answer.json() == json!({ "id": 1, "name": "mail", "value": VALUE });
        self.story.claim("in its row it opens", opened, &answer.text)?;
        let neither = answer.header("cache-control") == "no-store"
            && answer.header("content-encoding").is_empty();
        let claim = "that answer is not stored, nor packed: its length would tell of the secret";
        self.story.claim(claim, neither, &answer.headers)?;

        let rotate = Ask::new(Method::POST, "/secrets/rotate");
        let report = self.ask(rotate, &[]).await?.json();
        let second = text_of(&report, "key_id");
        let one = ["seen", "resealed"].iter().all(|count| report.get(count) == Some(&json!(1)));
        let rotated = second.len() == 8
            && second != first
            && one
            && report.get("complete") == Some(&json!(true));
        self.story.claim("another key takes over, and all is sealed anew", rotated, &report)?;
        let stored = self.ask(Ask::get("/secrets/1/sealed"), &[]).await?.json();
        let again = text_of(&stored, "sealed");
        let anew = again.starts_with(&format!("sealed.v1.{second}.")) && again != sealed;
        self.story.claim("what is stored is another envelope", anew, &again)?;
        let answer = self.ask(Ask::get("/secrets/1"), &[]).await?;
        let same = text_of(&answer.json(), "value") == VALUE;
        self.story.claim("and the secret is the same", same, &answer.text)?;

        let answer = self.ask(Ask::get("/secrets/2"), &["content-type"]).await?;
        self.story.claim("another there is not: 404", answer.is_problem(404), &answer.text)?;
        let leaked: Vec<_> = self.log.all().into_iter().filter(Line::has(VALUE)).collect();
        self.story.claim("no line of the whole log has it", leaked.is_empty(), leaked)?;
        Ok(())
    }
}

fn text_of(object: &Value, member: &str) -> String {
    object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}
