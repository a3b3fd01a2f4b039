//! The chapters on what operators see, and what all chapters ask and look up by.

use std::{io::Write, time::Instant};

use serde_json::Value;

use super::{
    Told, Tour,
    caller::{Answer, Ask},
    captured::Line,
};

/// The route of which the exact count is checked.
const COUNTED: &str = "/users/{id}";

impl<W: Write> Tour<W> {
    pub(super) async fn client_that_leaves(&mut self) -> Told {
        self.story.chapter("A client that leaves in the middle")?;
        let ask = Ask::get("/stream?chunks=100&ms=50");
        self.story.command(&self.caller.command(&ask))?;
        let (answer, body) = self.caller.head(&ask).await?;
        self.story.shown("^C")?;
        drop(body);
        let line = self.access_line("/stream", answer.id()).await?;
        let gone = line.text_of("outcome") == "client_gone" && line.text_of("level") == "WARN";
        self.story.claim("one line all the same, and it says so", gone, &line)?;
        let still = *line.field("status") == 200;
        self.story.claim("with the status that was sent", still, &line)?;
        let page = self.caller.ask(&Ask::get("/metrics")).await?.text;
        let count = count_of(&page, &["http_route=\"/stream\"", "error_type=\"client_gone\""]);
        self.story.claim("and one in the metrics", count == 1, count)?;
        let busy = "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 1";
        let alone = page.lines().any(|line| line == busy);
        self.story.claim("nothing is in flight but the scrape", alone, &page)?;
        Ok(())
    }

    pub(super) async fn slow_operation(&mut self) -> Told {
        self.story.chapter("What a request waited for")?;
        let begun = Instant::now();
        let answer = self.ask(Ask::get("/slow?ms=150"), &["x-request-id"]).await?;
        let took = begun.elapsed();
        let slow = self.logged(&["slow service: pause", answer.id()]).await?;
        let line = self.access_line("/slow", answer.id()).await?;
        let waited = line.field("service_ms").as_f64().unwrap_or_default();
        let within = (150.0..=took.as_secs_f64() * 1e3).contains(&waited);
        self.story.claim("the access line has the time of it", within, (waited, took))?;
        let warned = slow.text_of("level") == "WARN" && slow.text_of("target") == "operation";
        self.story.claim("what is slow has a line of its own", warned, &slow)?;
        let child = *slow.field("asked_ms") == 150 && line.field("asked_ms").is_null();
        self.story.claim("with the field of the scope it was in", child, (&slow, &line))?;
        Ok(())
    }

    pub(super) async fn numbers(&mut self) -> Told {
        self.story.chapter("The numbers, as Prometheus reads them")?;
        let ask = Ask::get("/metrics");
        self.story.command(&self.caller.command(&ask))?;
        let answer = self.caller.ask(&ask).await?;
        let route = format!("http_route=\"{COUNTED}\"");
        for line in answer.text.lines().filter(|line| is_count(line, &[&route])) {
            self.story.shown(line)?;
        }
        let kind = answer.header("content-type");
        let prometheus = kind == "text/plain; version=0.0.4; charset=utf-8";
        self.story.claim("200, in the text format", answer.status == 200 && prometheus, kind)?;
        let lines = self.log.all();
        let lines = lines
            .iter()
            .filter(|line| line.text_of("target") == "access" && line.text_of("route") == COUNTED);
        let (lines, counted) = (lines.count(), count_of(&answer.text, &[&route]));
        let exact = counted > 0 && counted == lines;
        let claim = format!("{lines} lines in the log for {COUNTED}, and as many requests here");
        self.story.claim(&claim, exact, counted)?;
        for (claim, name) in [
            ("the calls to others", "http_client_request_duration_seconds_count"),
            ("the process", "process_resident_memory_bytes"),
            ("the runtime", "tokio_workers"),
            ("and the log's own lines", "log_lines_total"),
        ] {
            let there = answer.text.lines().any(|line| line.starts_with(name));
            self.story.claim(claim, there, &answer.text)?;
        }
        let headers =
            answer.id().len() == 36 && answer.header("x-content-type-options") == "nosniff";
        self.story.claim(
            "it has an id and the headers, like any answer",
            headers,
            &answer.headers,
        )?;
        // The next request's line comes after that of the scrape.
        let next = self.caller.ask(&Ask::get("/users/7")).await?;
        self.log.line(&["\"access\"", next.id()]).await;
        let lines = self.log.all().into_iter().filter(Line::has(answer.id())).count();
        self.story.claim("and no line in the log, for it went well", lines == 0, lines)?;
        Ok(())
    }

    pub(super) async fn report(&mut self) -> Told {
        self.story.chapter("The same for a person")?;
        let ask = Ask::get("/report");
        self.story.command(&self.caller.command(&ask))?;
        let report = self.caller.ask(&ask).await?.json();
        let routes = report.pointer("/since_start/by_route").and_then(Value::as_array);
        let routes = routes.map(Vec::as_slice).unwrap_or_default();
        for route in routes {
            self.story.shown(route)?;
        }
        let held = !routes.is_empty()
            && routes.iter().all(|route| {
                let latency = ["p50", "p95", "p99"].map(|name| duration_ms(route, name));
                latency.iter().all(Option::is_some) && latency.is_sorted()
            });
        self.story.claim("percentiles of each route", held, routes)?;
        let slow = routes.iter().find(|route| text_of(route, "route") == "/slow");
        let slow = slow.unwrap_or(&Value::Null);
        let p95 = duration_ms(slow, "p95").unwrap_or_default();
        // Within the 2.2 % of a percentile.
        self.story.claim("/slow took what it was told to", p95 > 146.0, p95)?;
        let id = text_of(slow, "slowest_request_id");
        let line = self.access_line("/slow", id).await?;
        let found = !id.is_empty() && line.text_of("request_id") == id;
        self.story.claim("and the id of its slowest request leads to its line", found, id)?;
        Ok(())
    }

    /// Asks, and shows the answer with these of its headers.
    pub(super) async fn ask(
        &mut self,
        ask: Ask,
        headers: &[&str],
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        self.story.command(&self.caller.command(&ask))?;
        let answer = self.caller.ask(&ask).await?;
        self.story.shown(answer.status)?;
        for name in headers {
            for value in answer.headers.get_all(*name) {
                self.story
                    .shown(format_args!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
            }
        }
        if !answer.text.is_empty() {
            self.story.shown(&answer.text)?;
        }
        Ok(answer)
    }

    /// The line of the request to this path that has this id.
    pub(super) async fn access_line(
        &mut self,
        path: &str,
        id: &str,
    ) -> Result<Line, Box<dyn std::error::Error>> {
        let path = format!("\"path\":\"{path}\"");
        self.logged(&["\"target\":\"access\"", &path, id]).await
    }

    /// Waits for a line of the log, and shows it. Where it does not come there is none to show,
    /// and what is claimed of it will not hold.
    pub(super) async fn logged(
        &mut self,
        parts: &[&str],
    ) -> Result<Line, Box<dyn std::error::Error>> {
        let line = self.log.line(parts).await.unwrap_or_default();
        self.story.logged(&line.text)?;
        Ok(line)
    }

    pub(super) fn nothing_of_it_in(&mut self, answer: &Answer, parts: &[&str]) -> Told {
        let whole = format!("{:?} {}", answer.headers, answer.text);
        let hidden = parts.iter().all(|part| !whole.contains(part));
        self.story.claim("nothing of the text is in it", hidden, whole)?;
        Ok(())
    }
}

/// How many requests the page has of those whose labels have all of these.
fn count_of(page: &str, labels: &[&str]) -> usize {
    let counts = page.lines().filter(|line| is_count(line, labels));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

fn is_count(line: &str, labels: &[&str]) -> bool {
    line.starts_with("http_server_request_duration_seconds_count{")
        && labels.iter().all(|label| line.contains(label))
}

fn duration_ms(route: &Value, name: &str) -> Option<f64> {
    route.get("duration_ms")?.get(name)?.as_f64()
}

fn text_of<'a>(object: &'a Value, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}
