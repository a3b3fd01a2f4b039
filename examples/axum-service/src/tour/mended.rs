//! The chapters on calls to a service that fails at times.

use std::{error::Error, io::Write, time::Duration};

use axum::http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Told, Tour, caller::Ask};

/// More than it takes to open the breaker: each adds three failures to a window of twenty.
const FAILING: usize = 8;

impl<W: Write> Tour<W> {
    pub(super) async fn mended_by_a_retry(&mut self) -> Told {
        self.story.chapter("A call that fails twice, and is mended")?;
        let answer = self.ask(Ask::get("/upstream?fail=2"), &[]).await?;
        let line = self.access_line("/upstream", answer.id()).await?;
        let mended = json!({
            "status": 200, "attempts": 3, "stop": "done", "breaker": "closed",
            "upstream": { "attempt": 3 },
        });
        self.story.claim("the third attempt brought it", answer.json() == mended, &answer.text)?;
        let told = *line.field("retry_attempts") == 3 && line.text_of("retry_stop") == "done";
        self.story.claim("the access line says what it took", told, &line)?;

        let post = Ask::new(Method::POST, "/upstream?fail=1");
        let answer = self.ask(post.clone(), &[]).await?;
        let once = answer.status == 502
            && of(&answer.json(), "/attempts") == 1
            && of(&answer.json(), "/stop") == "not_repeatable";
        self.story.claim("a POST is not repeated: it may have been done", once, &answer.text)?;
        let answer = self.ask(post.header("idempotency-key", "order-4711"), &[]).await?;
        let again = answer.status == 200 && of(&answer.json(), "/attempts") == 2;
        self.story.claim("one with an Idempotency-Key is", again, &answer.text)?;
        let state = self.upstream().await?;
        let paid = of(&state, "/retry/retries") == 3;
        self.story.claim("three retries, and a budget for more", paid, &state)?;
        Ok(())
    }

    pub(super) async fn left_alone(&mut self) -> Told {
        self.story.chapter("A service that does not work is left alone")?;
        let failing = Ask::get("/upstream?fail=9");
        self.story.command(&self.caller.command(&failing))?;
        let mut statuses = Vec::new();
        while statuses.last() != Some(&503) && statuses.len() < FAILING {
            let answer = self.caller.ask(&failing).await?;
            self.story.shown(format_args!("{} {}", answer.status, answer.text))?;
            statuses.push(answer.status.as_u16());
        }
        let opened = statuses.len() > 1 && statuses.last() == Some(&503);
        self.story.claim("after some failures there is a 503 of our own", opened, &statuses)?;
        let before = self.upstream().await?;
        let open = of(&before, "/breaker/state") == "open";
        self.story.claim("the breaker is open", open, &before)?;

        // To a service that is well again, for all anybody knows.
        let answer = self.ask(Ask::get("/upstream"), &["content-type", "retry-after"]).await?;
        let line = self.access_line("/upstream", answer.id()).await?;
        let after = self.upstream().await?;
        let wait: u64 = answer.header("retry-after").parse().unwrap_or_default();
        let refused = answer.is_problem(503) && wait > 0;
        self.story.claim("a call is refused, and told when to come back", refused, &answer)?;
        let why = line.text_of("rejected_by") == "breaker"
            && line.text_of("reason") == "open"
            && line.text_of("retry_stop") == "rejected"
            && line.text_of("breaker_state") == "open";
        self.story.claim("the access line says by whom, and that it ended there", why, &line)?;
        let requests = |state: &Value| of(state, "/upstream/requests");
        let untouched = requests(&before).is_u64() && requests(&before) == requests(&after);
        self.story.claim("the service has seen nothing of it", untouched, &after)?;
        let told = self.log.line(&["\"breaker\"", "upstream: closed -> open"]).await;
        let told = told.unwrap_or_default();
        self.story.logged(&told.text)?;
        let level = told.text_of("level") == "WARN";
        self.story.claim("that it opened is a line in the log", level, &told)?;

        self.story.shown(format_args!("# sleep {wait}"))?;
        sleep(Duration::from_secs(wait)).await;
        let mut states = Vec::new();
        for _ in 0..2 {
            let answer = self.ask(Ask::get("/upstream"), &[]).await?;
            states.push(of(&answer.json(), "/breaker"));
        }
        let closed = states == ["half_open", "closed"];
        self.story.claim("then two calls show that it works, and close it", closed, &states)?;

        let page = self.caller.ask(&Ask::get("/metrics")).await?.text;
        let counted = [
            "retry_calls_total{retry=\"upstream\",stop=\"not_repeatable\"} 1",
            "breaker_opened_total{breaker=\"upstream\",shadow=\"false\"} 1",
            "breaker_circuits{breaker=\"upstream\",state=\"closed\"} 1",
        ];
        for line in page.lines().filter(|line| counted.contains(line)) {
            self.story.shown(line)?;
        }
        let all = counted.iter().all(|sample| page.lines().any(|line| line == *sample));
        self.story.claim("and all of it is counted, for Prometheus", all, &page)?;
        Ok(())
    }

    async fn upstream(&mut self) -> Result<Value, Box<dyn Error>> {
        Ok(self.ask(Ask::get("/upstream/state"), &[]).await?.json())
    }
}

/// What is there, or null.
fn of(json: &Value, pointer: &str) -> Value {
    json.pointer(pointer).cloned().unwrap_or_default()
}
