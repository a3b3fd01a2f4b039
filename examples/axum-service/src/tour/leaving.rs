//! The chapters on what an orchestrator asks, and on the end.

use std::{error::Error, io::Write, time::Duration};

use buttress::shutdown::Shutdown;
use futures_util::{StreamExt, future::join};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    STATUS_TOKEN, Told, Tour,
    caller::{Answer, Ask},
    captured::Line,
    socket::{Frame, Socket},
};

/// For what is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than the pre-stop: under way when nothing more is accepted, and shorter than the drain.
const SLOW: &str = "/slow?ms=4500";

impl<W: Write> Tour<W> {
    pub(super) async fn alive_and_ready(&mut self) -> Told {
        self.story.chapter("Alive and ready: what an orchestrator asks")?;
        let live = self.ask(Ask::get("/livez"), &["content-type", "cache-control"]).await?;
        let passes = live.status == 200 && live.text == r#"{"status":"pass"}"#;
        self.story.claim("alive: 200, and not a word more", passes, &live)?;
        let ready = self.ask(Ask::get("/readyz"), &[]).await?;
        self.story.claim("ready: 200", ready.status == 200, &ready)?;
        let says = |word| ready.text == format!("{{\"status\":\"{word}\"}}");
        let anonymous = says("pass") || says("warn");
        self.story.claim("nobody is told what was looked at", anonymous, &ready.text)?;
        let post = self.ask(Ask::get("/readyz").json("{}"), &["allow"]).await?;
        let refused = post.status == 405 && post.header("allow") == "GET, HEAD";
        self.story.claim("a probe changes nothing: it is GET and HEAD", refused, &post)?;

        let nobody = self.ask(Ask::get("/status"), &["www-authenticate"]).await?;
        let asked = nobody.status == 401 && !nobody.text.contains("memory");
        self.story.claim("details are for those who have the token", asked, &nobody)?;
        let operator = Ask::get("/status").header("authorization", STATUS_TOKEN);
        self.story.command(&self.caller.command(&operator))?;
        let details = self.caller.ask(&operator).await?.json();
        let none = serde_json::Map::new();
        let checks = details.get("checks").and_then(Value::as_object).unwrap_or(&none);
        for (name, check) in checks {
            let status = check.get("status").unwrap_or(&Value::Null);
            let data = check.get("data").unwrap_or(&Value::Null);
            self.story.shown(format_args!("{name}: {status} {data}"))?;
        }
        let watched =
            ["memory", "memory_growth", "cpu", "load", "file_descriptors", "disk", "upstream"];
        let all = watched.iter().all(|name| checks.contains_key(*name));
        self.story.claim("they tell of each check", all, checks)?;
        let beats = details.pointer("/heartbeats/pulse").is_some_and(|beat| beat == "alive");
        self.story.claim("and that the task in the background goes on", beats, &details)?;

        // Its line comes after those that the probes would have had.
        let last = self.caller.ask(&Ask::get("/users/8")).await?;
        self.log.line(&["\"access\"", last.id()]).await;
        let lines = self.log.all().into_iter().filter(Line::has("/readyz")).count();
        self.story.claim("none of these has a line in the log", lines == 0, lines)?;
        Ok(())
    }

    pub(super) async fn gone_cleanly(&mut self, shutdown: &Shutdown) -> Told {
        self.story.chapter("The end, in the midst of work: SIGTERM, and this does the same")?;
        let (events, socket) = self.long_ones().await?;
        let (slow, caller) = (Ask::get(SLOW), self.caller.clone());
        self.story.command(&format!("{} &", self.caller.command(&slow)))?;
        let (slow, told) = join(caller.ask(&slow), self.leaves(shutdown, events, socket)).await;
        told?;
        let slow = slow?;
        let whole = slow.status == 200 && slow.text.contains("slept_ms");
        self.story.claim("what was under way is answered to its end", whole, &slow)?;

        let report = timeout(PATIENCE, shutdown.wait()).await?;
        self.logged(&["\"message\":\"shut down\""]).await?;
        let phases: Vec<_> = report.phases.iter().map(|phase| phase.name.as_ref()).collect();
        let clean = report.code() == 0 && report.killed == 0 && phases == ["upstream"];
        self.story.claim("nothing had to be killed; the exit code would be 0", clean, &report)?;
        Ok(())
    }

    /// A stream of events and a WebSocket, each with its first word said.
    async fn long_ones(&mut self) -> Result<(Events, Socket), Box<dyn Error>> {
        let ask = Ask::get("/events");
        self.story.command(&format!("{} &", self.caller.command(&ask)))?;
        let (_, body) = self.caller.head(&ask).await?;
        let mut events = body.into_data_stream().boxed();
        let first = timeout(PATIENCE, events.next()).await?.transpose()?.unwrap_or_default();
        let first = String::from_utf8(first.into())?;
        for line in first.trim_end().lines() {
            self.story.shown(line)?;
        }
        let beats = first.starts_with("event: pulse\n");
        self.story.claim("a stream of events has begun", beats, first)?;

        self.story.shown(format_args!("# a WebSocket at {}/ws", self.caller))?;
        let mut socket = Socket::open(&self.caller).await?;
        socket.say("hello").await?;
        let said = timeout(PATIENCE, socket.hear()).await??;
        let echoed = said == Frame::text("hello");
        self.story.claim("a WebSocket says what it is told", echoed, said)?;
        Ok((events, socket))
    }

    async fn leaves(
        &mut self,
        shutdown: &Shutdown,
        mut events: Events,
        mut socket: Socket,
    ) -> Told {
        // The events, and the slow one.
        let under_way = async {
            while shutdown.requests_in_flight() < 2 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, under_way).await?;
        shutdown.trigger();
        self.story.shown("# kill -TERM")?;
        let ready = self.ask(Ask::get("/readyz"), &[]).await?;
        self.story.claim("not ready from now on: 503", ready.status == 503, &ready)?;
        let live = self.ask(Ask::get("/livez"), &[]).await?;
        self.story.claim("but alive: a restart would mend nothing", live.status == 200, &live)?;
        let answer = self.ask(Ask::get("/users/42"), &["connection"]).await?;
        let served = answer.status == 200 && closes(&answer);
        let claim = "who comes all the same is served, until balancers have noticed";
        self.story.claim(claim, served, &answer)?;

        let rest = async {
            while let Some(chunk) = events.next().await {
                chunk?;
            }
            Ok::<_, axum::Error>(())
        };
        let ended = timeout(PATIENCE, rest).await;
        let cleanly = matches!(ended, Ok(Ok(())));
        self.story.claim("then the events end, and are not broken off", cleanly, &ended)?;
        let last = timeout(PATIENCE, socket.hear()).await??;
        let away = last.close_code() == Some(1001);
        self.story.claim("the WebSocket is told: Close 1001, going away", away, &last)?;
        socket.close().await?;
        let address = self.caller.address();
        let refused = TcpStream::connect(&address).await.map(drop);
        let nobody = refused.is_err();
        self.story.claim("and nobody new is let in", nobody, refused)?;
        Ok(())
    }
}

type Events = futures_util::stream::BoxStream<'static, Result<axum::body::Bytes, axum::Error>>;

fn closes(answer: &Answer) -> bool {
    answer.header("connection") == "close"
}
