//! The chapters on clients that come too often.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    Told, Tour,
    caller::{Answer, Ask},
    captured::Line,
};
use crate::FRONT_END;

const RIGHT: &str = r#"{"user":"ada","password":"lovelace"}"#;
const WRONG: &str = r#"{"user":"ada","password":"byron-1788"}"#;
/// How many wrong passwords a client may try.
const GUESSES: usize = 5;
const LOGIN: &[&str] = &["ratelimit-policy", "ratelimit"];
const REFUSED: &[&str] = &["content-type", "retry-after", "ratelimit"];

/// How many more requests `/slow` takes as they come: the chapter on what a request waited for has
/// had one of the five.
const UNHINDERED: usize = 4;
/// How much longer than the one before it each further one waits.
const STEP: Duration = Duration::from_millis(200);

impl<W: Write> Tour<W> {
    pub(super) async fn wrong_passwords(&mut self) -> Told {
        self.story.chapter("Five wrong passwords, and no more")?;
        let login = |json| Ask::get("/login").json(json);
        let answer = self.ask(login(RIGHT), LOGIN).await?;
        self.story.claim("the right one signs in", answer.status == 200, answer.status)?;
        let free = answer.header("ratelimit").contains("\"auth\";r=5;");
        self.story.claim("and costs nothing", free, answer.header("ratelimit"))?;

        let mut statuses = Vec::new();
        for _ in 0..GUESSES {
            let answer = self.ask(login(WRONG), &["ratelimit"]).await?;
            statuses.push(answer.status.as_u16());
        }
        self.story.claim("five wrong ones are tried", statuses == [401; GUESSES], statuses)?;
        let answer = self.ask(login(WRONG), REFUSED).await?;
        let refused = is_refused_by(&answer, "auth");
        self.story.claim("the sixth is not: 429, by the rule `auth`", refused, &answer.text)?;
        let wait = retry_after(&answer);
        // A fifth of 15 minutes, but for what has passed since.
        let fair = (120..=180).contains(&wait);
        self.story.claim("with the seconds until one more may be", fair, wait)?;
        let line = self.access_line("/login", answer.id()).await?;
        let why =
            line.text_of("rejected_by") == "limit" && line.text_of("reason") == "quota_exceeded";
        self.story.claim("the access line says by whom and why", why, &line)?;

        let spoofed = login(RIGHT)
            .header("x-forwarded-for", "203.0.113.9")
            .header("forwarded", "for=203.0.113.9")
            .header("x-real-ip", "203.0.113.9");
        let answer = self.ask(spoofed, REFUSED).await?;
        let refused = is_refused_by(&answer, "auth");
        self.story.claim(
            "another address in the headers is not believed",
            refused,
            &answer.text,
        )?;
        let line = self.access_line("/login", answer.id()).await?;
        let peer = line.text_of("client_ip") == "127.0.0.1";
        self.story.claim("the log knows the client by the same as the limit", peer, &line)?;
        let leaked: Vec<_> = self.log.all().into_iter().filter(Line::has("byron-1788")).collect();
        self.story.claim("no line of the whole log has a password", leaked.is_empty(), leaked)?;
        Ok(())
    }

    pub(super) async fn slowed_down(&mut self) -> Told {
        self.story.chapter("Slower and slower, before it is refused")?;
        let ask = Ask::get("/slow?ms=0");
        self.story.command(&self.caller.command(&ask))?;
        let mut took = Vec::new();
        for request in 1..=UNHINDERED + 3 {
            let begun = Instant::now();
            let answer = self.caller.ask(&ask).await?;
            took.push(begun.elapsed());
            let ms = begun.elapsed().as_millis();
            self.story.shown(format_args!("{request}: {} after {ms} ms", answer.status))?;
        }
        let mut waits = took.iter().skip(UNHINDERED).zip(1..);
        let longer = took.len() == UNHINDERED + 3 && waits.all(|(took, n)| *took >= STEP * n);
        let claim = "after five in a short time, each waits 200 ms longer than the one before";
        self.story.claim(claim, longer, &took)?;
        let first = took.first().is_some_and(|took| *took < STEP);
        self.story.claim("the first of them did not wait", first, &took)?;
        Ok(())
    }

    /// Asks an instance that admits ten at once.
    pub(super) async fn many_at_once(&mut self) -> Told {
        let title = "Another instance, with LIMIT_GENERAL=100/15m and LIMIT_BURST=10/10s";
        self.story.chapter(title)?;
        let ask = Ask::get("/users/42").header("origin", FRONT_END);
        let answer = self.ask(ask.clone(), LOGIN).await?;
        let mut left = vec![remaining(&answer)];
        for _ in 1..10 {
            let answer = self.caller.ask(&ask).await?;
            self.story.shown(format_args!("ratelimit: {}", answer.header("ratelimit")))?;
            left.push(remaining(&answer));
        }
        let down = (0..10).map(|n| [Some(9 - n), Some(99 - n)]);
        let counted = left.iter().copied().eq(down);
        self.story.claim("both rules count down, with each answer", counted, &left)?;

        let answer = self.ask(ask.clone(), REFUSED).await?;
        let refused = is_refused_by(&answer, "burst");
        self.story.claim("the eleventh is refused by the burst's rule", refused, &answer.text)?;
        let readable = answer.header("access-control-allow-origin") == FRONT_END
            && answer.header("x-content-type-options") == "nosniff";
        self.story.claim("with CORS and security headers on the 429", readable, &answer.headers)?;
        let wait = retry_after(&answer);
        self.story.shown(format_args!("# sleep {wait}"))?;
        sleep(Duration::from_secs(wait)).await;
        let answer = self.ask(ask, &["ratelimit"]).await?;
        let admitted = answer.status == 200;
        self.story.claim("who waits as long as it says is admitted", admitted, answer.status)?;
        let [_, general] = remaining(&answer);
        let free = general == Some(89);
        self.story.claim("what one rule refuses, the other did not count", free, general)?;

        let page = self.caller.ask(&Ask::get("/metrics")).await?.text;
        let sample = "limit_refusals_total{limit=\"general\",rule=\"burst\",";
        let line = page.lines().find(|line| line.starts_with(sample)).unwrap_or_default();
        self.story.shown(line)?;
        self.story.claim("and it is counted, for Prometheus", line.ends_with(" 1"), &page)?;
        Ok(())
    }
}

/// What an answer says is left of the burst's rule, and of the general one.
fn remaining(answer: &Answer) -> [Option<u64>; 2] {
    let list = answer.header("ratelimit");
    ["burst", "general"].map(|rule| {
        let (_, rest) = list.split_once(&format!("\"{rule}\";r="))?;
        rest.split(';').next()?.parse().ok()
    })
}

/// Whether it is a refusal of this rule's, with all that goes with one.
fn is_refused_by(answer: &Answer, rule: &str) -> bool {
    let problem = answer.json();
    let says = |member| problem.get(member).cloned().unwrap_or_default();
    answer.is_problem(429)
        && says("type") == "https://iana.org/assignments/http-problem-types#quota-exceeded"
        && says("violated-policies") == serde_json::json!([rule])
        && retry_after(answer) > 0
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap_or_default()
}
