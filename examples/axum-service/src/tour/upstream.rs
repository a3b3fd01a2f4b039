//! The chapters on calls to a service that fails.

use std::{io::Write, time::Duration};

use axum::http::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::{OPEN, Told, Tour, caller::Ask};

const STATE: Ask = Ask::get("/upstream/state");
/// More failing calls than open a breaker, whatever was before.
const ENOUGH: usize = 12;
/// More good ones than close it.
const PROBES: usize = 4;

impl<W: Write> Tour<W> {
    pub(super) async fn mended(&mut self) -> Told {
        self.story.chapter("A call to a service that fails twice")?;
        let answer = self.ask(Ask::get("/upstream?fail=2"), &[]).await?;
        let called = answer.json();
        self.story.shown(&called)?;
        let third =
            answer.status == 200 && is(&called, "/attempts", 3) && is(&called, "/stop", "done");
        self.story.claim("the third attempt succeeds", third, &called)?;
        let line = self.access_line("/upstream", answer.id()).await?;
        let told = *line.field("retry_attempts") == 3 && line.text_of("breaker_state") == "closed";
        self.story.claim("the access line says so", told, &line)?;

        let post = Ask::new(Method::POST, "/upstream?fail=1");
        let called = self.ask(post.clone(), &[]).await?.json();
        let once = is(&called, "/attempts", 1) && is(&called, "/stop", "not_repeatable");
        self.story.claim("a POST is not sent twice", once, &called)?;
        let called = self.ask(post.header("idempotency-key", "7f"), &[]).await?.json();
        let twice = is(&called, "/attempts", 2) && is(&called, "/status", 200);
        self.story.claim("but for one with an Idempotency-Key", twice, &called)?;
        Ok(())
    }

    pub(super) async fn given_up(&mut self) -> Told {
        self.story.chapter("A service that does not work is left alone")?;
        let failing = Ask::get("/upstream?fail=9");
        let mut refused = None;
        for _ in 0..ENOUGH {
            let answer = self.caller.ask(&failing).await?;
            if answer.is_problem(503) {
                refused = Some(answer);
                break;
            }
        }
        let opened = refused.is_some();
        self.story.claim("after enough failures the breaker opens", opened, &refused)?;
        let before = self.state().await?;
        let answer = self.ask(failing, &["retry-after"]).await?;
        let wait: u64 = answer.header("retry-after").parse().unwrap_or_default();
        let told = answer.is_problem(503) && (1..=OPEN.as_secs()).contains(&wait);
        self.story.claim(
            "a call is refused at once, with when to come back",
            told,
            &answer.text,
        )?;
        let line = self.access_line("/upstream", answer.id()).await?;
        let why = line.text_of("rejected_by") == "breaker" && line.text_of("reason") == "open";
        self.story.claim("the access line says by whom and why", why, &line)?;
        let after = self.state().await?;
        self.story.shown(&after)?;
        let spared = before.get("upstream") == after.get("upstream");
        self.story.claim("the service hears nothing of it", spared, (&before, &after))?;

        let wait = Duration::from_secs(wait);
        self.story.shown(format_args!("# sleep {}", wait.as_secs()))?;
        sleep(wait).await;
        let mut statuses = Vec::new();
        for _ in 0..PROBES {
            statuses.push(self.caller.ask(&Ask::get("/upstream")).await?.status.as_u16());
        }
        let again = statuses == [200; PROBES];
        self.story.claim("after that it is asked again, a call at a time", again, &statuses)?;
        let state = self.state().await?;
        let closed = is(&state, "/breaker/state", "closed");
        self.story.claim("and good answers close the breaker", closed, &state)?;
        Ok(())
    }

    async fn state(&mut self) -> Result<Value, Box<dyn std::error::Error>> {
        Ok(self.caller.ask(&STATE).await?.json())
    }
}

/// Whether this is what stands there.
fn is(json: &Value, pointer: &str, value: impl Into<Value>) -> bool {
    json.pointer(pointer) == Some(&value.into())
}
