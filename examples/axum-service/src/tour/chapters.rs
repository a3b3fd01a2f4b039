//! The chapters, in the order in which a newcomer would ask.

use std::{io::Write, time::Instant};

use axum::http::Method;
use futures_util::StreamExt;

use super::{Told, Tour, caller::Ask, captured::Line};
use crate::FRONT_END;

/// What an answer of an API carries, whoever gives it.
const API_HEADERS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
];

const SLOTS: [&str; 19] = [
    "health",
    "drain",
    "client ip",
    "route",
    "request id",
    "trace",
    "log",
    "metrics",
    "observe",
    "headers",
    "cors",
    "compression",
    "joint",
    "problem",
    "csrf",
    "limit",
    "timeout",
    "body limit",
    "sanitize",
];

/// What `/fail` and `/panic` have in their texts, and nobody outside may see.
const SECRET: &str = "hunter2";

impl<W: Write> Tour<W> {
    pub(super) async fn chapters(&mut self, described: &str) -> Told {
        self.started_wrong().await?;
        self.stack_in_force(described)?;
        self.request_and_its_line().await?;
        self.ids_from_outside().await?;
        self.secret_in_a_query().await?;
        self.graded_headers().await?;
        self.page_with_a_nonce().await?;
        self.masked_error().await?;
        self.masked_panic().await?;
        self.clients_mistake().await?;
        self.judged_as_it_comes().await?;
        self.outbound_call().await?;
        self.mended_by_a_retry().await?;
        self.left_alone().await?;
        self.ordered_and_sold_out().await?;
        self.sealed_and_rotated().await?;
        self.other_origins().await?;
        self.stream().await?;
        self.client_that_leaves().await?;
        self.slow_operation().await?;
        self.numbers().await?;
        self.report().await?;
        self.wrong_passwords().await?;
        self.slowed_down().await
    }

    fn stack_in_force(&mut self, described: &str) -> Told {
        self.story.chapter("The stack in force, outermost first")?;
        for slot in described.lines() {
            self.story.shown(slot)?;
        }
        let named = described.lines().zip(SLOTS).all(|(line, slot)| line.starts_with(slot));
        let count = described.lines().count();
        self.story.claim("nineteen slots, in the one right order", named && count == 19, count)?;
        let empty: Vec<_> = described.lines().filter(|line| line.ends_with(" -")).collect();
        let own = empty.iter().map(|line| line.trim_end_matches([' ', '-']));
        let own = own.eq(["observe", "joint"]);
        self.story.claim("the two that are for layers of our own are empty", own, empty)?;
        Ok(())
    }

    async fn request_and_its_line(&mut self) -> Told {
        self.story.chapter("A request, and its line in the log")?;
        let answer = self.ask(Ask::get("/users/42"), &["content-type", "x-request-id"]).await?;
        let id = answer.id();
        let line = self.access_line("/users/42", id).await?;
        self.story.claim("200, and JSON", answer.status == 200, answer.status)?;
        let is_uuid7 = id.len() == 36 && id.as_bytes().get(14) == Some(&b'7');
        self.story.claim("the answer has an id: a new UUIDv7", is_uuid7, id)?;
        let same = line.text_of("request_id") == id;
        self.story.claim("the line is JSON, and has the same", same, &line)?;
        let trace = line.text_of("trace_id") == id.replace('-', "");
        self.story.claim("which is the id of the trace too, without its dashes", trace, &line)?;
        let route = line.text_of("message") == "GET /users/{id} 200"
            && line.text_of("route") == "/users/{id}";
        self.story.claim("it says the route, not the path alone", route, &line)?;
        let ended = *line.field("status") == 200 && line.text_of("outcome") == "complete";
        self.story.claim("and how it ended", ended, &line)?;
        let asked = line.text_of("client_ip") == "127.0.0.1";
        self.story.claim("and who asked", asked, &line)?;
        let added = *line.field("viewed_user") == 42;
        self.story.claim("and what only the handler knew", added, &line)?;
        Ok(())
    }

    async fn ids_from_outside(&mut self) -> Told {
        self.story.chapter("An id from outside: taken if it is fit to be, else replaced")?;
        let good = Ask::get("/users/42").header("x-request-id", "order-4711");
        let answer = self.ask(good, &["x-request-id"]).await?;
        self.story.claim("a valid id is taken", answer.id() == "order-4711", answer.id())?;

        // Without the check this would end a quoted field and forge others.
        let forged = r#"1" level=ERROR user="admin"#;
        let bad = Ask::get("/users/42").header("x-request-id", forged);
        let answer = self.ask(bad, &["x-request-id"]).await?;
        let line = self.logged(&["request id refused", "level=ERROR"]).await?;
        let replaced = answer.id() != forged && answer.id().len() == 36;
        self.story.claim("an attempt to forge log fields is replaced", replaced, answer.id())?;
        let escaped = !line.text.contains(forged)
            && line.text_of("request_id_rejected").contains("level=ERROR user=");
        self.story.claim("the log shows it escaped", escaped, &line)?;

        let twice = Ask::get("/users/42").header("x-request-id", "a").header("x-request-id", "b");
        let answer = self.ask(twice, &["x-request-id"]).await?;
        let neither = answer.id().len() == 36;
        self.story.claim("two ids at once are none", neither, answer.id())?;
        Ok(())
    }

    async fn secret_in_a_query(&mut self) -> Told {
        self.story.chapter("A secret in a query: the log does not have it")?;
        let ask = Ask::get("/users/42?page=2&token=tk_61c8e7&p%61ssword=tk_61c8e7");
        let answer = self.ask(ask, &["x-request-id"]).await?;
        let line = self.access_line("/users/42", answer.id()).await?;
        let query = line.text_of("query");
        let censored = query == "page=2&token=[REDACTED]&p%61ssword=[REDACTED]";
        self.story.claim("both are censored, and the page is not", censored, query)?;
        let leaked: Vec<_> = self.log.all().into_iter().filter(Line::has("tk_61c8e7")).collect();
        self.story.claim("no line of the whole log has it", leaked.is_empty(), leaked)?;
        Ok(())
    }

    async fn graded_headers(&mut self) -> Told {
        self.story.chapter("Security headers, on a 404 as on anything else")?;
        let names = API_HEADERS.map(|(name, _)| name);
        let answer = self.ask(Ask::get("/nowhere"), &names).await?;
        let missing: Vec<_> =
            API_HEADERS.iter().filter(|(name, value)| answer.header(name) != *value).collect();
        self.story.claim("the nine of an API", missing.is_empty(), missing)?;
        let twice: Vec<_> =
            names.iter().filter(|name| answer.headers.get_all(**name).iter().count() > 1).collect();
        self.story.claim("none of them twice", twice.is_empty(), twice)?;
        self.story.claim("the 404 is a problem document", answer.is_problem(404), &answer.text)?;
        Ok(())
    }

    async fn page_with_a_nonce(&mut self) -> Told {
        self.story.chapter("A page whose inline script runs by a nonce alone")?;
        self.story.command(&self.caller.command(&Ask::get("/")))?;
        let page = self.caller.ask(&Ask::get("/")).await?;
        let policy = page.header("content-security-policy");
        self.story.shown(format_args!("content-security-policy: {policy}"))?;
        let nonce = nonce_of(policy);
        let tag = format!("<script nonce=\"{nonce}\">");
        self.story.shown(&tag)?;
        let marked = nonce.len() == 22
            && page.text.contains(&tag)
            && page.text.contains(&format!("<style nonce=\"{nonce}\">"));
        self.story.claim("policy, script and style have the same nonce", marked, nonce)?;
        let cached = page.header("cache-control");
        self.story.claim("the page is not stored", cached == "no-store", cached)?;
        let again = self.caller.ask(&Ask::get("/")).await?;
        let other = nonce_of(again.header("content-security-policy"));
        self.story.claim("the next request has another", nonce != other, other)?;
        Ok(())
    }

    async fn masked_error(&mut self) -> Told {
        self.story.chapter("An internal error: the causes for the log, the id for the client")?;
        let answer = self.ask(Ask::get("/fail"), &["content-type"]).await?;
        let line = self.logged(&["request failed", answer.id()]).await?;
        let is_problem = answer.is_problem(500);
        self.story.claim("500, a problem document with the id", is_problem, &answer.text)?;
        self.nothing_of_it_in(&answer, &["orders", "postgres", SECRET])?;
        let chain = "cannot read the orders: cannot connect to postgres://app:";
        let found =
            line.text_of("request_id") == answer.id() && line.text_of("error").starts_with(chain);
        self.story.claim("the log has the whole chain, under the same id", found, &line)?;
        let censored = line.text_of("error").ends_with("app:[REDACTED]@db.internal:5432/orders");
        self.story.claim("but not the password in it", censored, &line)?;
        Ok(())
    }

    async fn masked_panic(&mut self) -> Told {
        self.story.chapter("A panic: the same, and the page of another origin can read it")?;
        let ask = Ask::get("/panic").header("origin", FRONT_END);
        let answer = self.ask(ask, &["content-type", "access-control-allow-origin"]).await?;
        let line = self.logged(&["panicked", answer.id()]).await?;
        let is_problem = answer.is_problem(500);
        self.story.claim("500, a problem document with the id", is_problem, &answer.text)?;
        self.nothing_of_it_in(&answer, &["no row", "api key", SECRET])?;
        let text = line.text_of("request_id") == answer.id()
            && line.text_of("error") == format!("no row for api key {SECRET}");
        self.story.claim("the log has its text, under the same id", text, &line)?;
        let place = line.text_of("at").split_once("src/routes.rs:").is_some_and(|(_, at)| {
            let numbers = at.split(':').map(str::parse::<u32>);
            numbers.clone().count() == 2 && numbers.flatten().count() == 2
        });
        self.story.claim("and its place: file, line and column", place, line.text_of("at"))?;
        let allowed = answer.header("access-control-allow-origin");
        self.story.claim("CORS is on the 500 too", allowed == FRONT_END, allowed)?;
        let headers = answer.header("x-content-type-options");
        self.story.claim("and so are the security headers", headers == "nosniff", headers)?;
        Ok(())
    }

    async fn clients_mistake(&mut self) -> Told {
        self.story.chapter("A client's mistake: here the text helps")?;
        let ask = Ask::new(Method::POST, "/echo").json(r#"{"hello":"#);
        let answer = self.ask(ask, &["content-type"]).await?;
        let says_where = answer.is_problem(400) && answer.text.contains(r#""pointer":"/hello""#);
        self.story.claim("400, and the document says where", says_where, &answer.text)?;
        let ask = Ask::new(Method::POST, "/echo").json(r#"{"hello":"world"}"#);
        let answer = self.ask(ask, &[]).await?;
        let same = answer.text == r#"{"hello":"world"}"#;
        self.story.claim("what is right comes back", same, &answer.text)?;
        Ok(())
    }

    async fn outbound_call(&mut self) -> Told {
        self.story.chapter("One trace across a call to another service")?;
        let answer = self.ask(Ask::get("/outbound"), &["x-request-id"]).await?;
        let id = answer.id();
        let theirs = self.access_line("/users/1", id).await?;
        let ours = self.access_line("/outbound", id).await?;
        let json = answer.json();
        let upstream = json.pointer("/upstream/request_id").cloned().unwrap_or_default();
        self.story.claim("the service that was called has the same id", upstream == id, &json)?;
        let trace = ours.text_of("trace_id");
        let one = trace.len() == 32 && theirs.text_of("trace_id") == trace;
        self.story.claim("both lines are of one trace", one, (&ours, &theirs))?;
        let spans = ours.text_of("span_id") != theirs.text_of("span_id");
        self.story.claim("each in a span of its own", spans, (&ours, &theirs))?;
        let counted = *ours.field("http_count") == 1 && ours.field("http_ms").is_f64();
        self.story.claim("the caller's says what it waited for", counted, &ours)?;
        Ok(())
    }

    async fn other_origins(&mut self) -> Told {
        self.story.chapter("Pages of other origins")?;
        let shown = ["access-control-allow-origin", "access-control-allow-methods"];
        let preflight = |origin| {
            Ask::new(Method::OPTIONS, "/echo")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
        };
        let answer = self.ask(preflight(FRONT_END), &shown).await?;
        let allowed = answer.header("access-control-allow-origin");
        self.story.claim("the front end may call", allowed == FRONT_END, allowed)?;
        let answer = self.ask(preflight("https://evil.example"), &shown).await?;
        let allowed = answer.header("access-control-allow-origin");
        self.story.claim("nobody else's page is told that it may", allowed.is_empty(), allowed)?;

        let post = |origin| Ask::new(Method::POST, "/echo").json("{}").header("origin", origin);
        let answer = self.ask(post("https://evil.example"), &["content-type"]).await?;
        let line = self.access_line("/echo", answer.id()).await?;
        let refused = answer.is_problem(403);
        self.story.claim("what does not ask first is refused", refused, &answer.text)?;
        let why = line.text_of("rejected_by") == "csrf" && line.text_of("reason") == "cross_origin";
        self.story.claim("and the access line says by whom and why", why, &line)?;
        let answer = self.ask(post(FRONT_END), &[]).await?;
        self.story.claim("the front end's is not", answer.status == 200, answer.status)?;
        Ok(())
    }

    async fn stream(&mut self) -> Told {
        self.story.chapter("A stream: the context lasts as long as the body")?;
        let ask = Ask::get("/stream?chunks=4&ms=200");
        self.story.command(&self.caller.command(&ask))?;
        let begun = Instant::now();
        let (answer, body) = self.caller.head(&ask).await?;
        let mut body = body.into_data_stream();
        let mut text = String::new();
        let mut first = None;
        while let Some(chunk) = body.next().await {
            let chunk = String::from_utf8(chunk?.into())?;
            let at = begun.elapsed().as_millis();
            self.story.shown(format_args!("{at:>4} ms  {}", chunk.trim_end()))?;
            text.push_str(&chunk);
            first.get_or_insert(chunk);
        }
        let line = self.access_line("/stream", answer.id()).await?;
        let first = first.unwrap_or_default();
        let early = first.starts_with("1/4") && !first.contains("4/4");
        self.story.claim("the first line is here before the last is made", early, &first)?;
        let id = format!("request_id={}", answer.id());
        let all = text.lines().count() == 4 && text.lines().all(|line| line.ends_with(&id));
        self.story.claim("each was made with the request's id at hand", all, &text)?;
        let whole = line.text_of("outcome") == "complete" && *line.field("bytes_out") == text.len();
        self.story.claim("the access line waited for the last byte", whole, &line)?;
        Ok(())
    }
}

/// What stands between `'nonce-` and the next quote.
fn nonce_of(policy: &str) -> &str {
    let Some((_, rest)) = policy.split_once("'nonce-") else { return "" };
    rest.split('\'').next().unwrap_or_default()
}
