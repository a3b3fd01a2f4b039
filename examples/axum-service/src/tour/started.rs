//! The chapter on the configuration.

use std::{io::Write, iter::once};

use buttress::config::{Environment, Loaded, Report};

use super::{Told, Tour};
use crate::settings::{Settings, ours};

/// Four that stop the start, and a name with a slip in it.
const WRONG: [(&str, &str); 5] = [
    ("BIND", "3000"),
    ("DATABASE_URL", "mysql://app:tk_f00d@db/shop"),
    ("SHUTDOWN_GRACE", "30"),
    ("LOG_FORMAT", "loud"),
    ("LIMIT_GENRAL", "5/s"),
];
/// The same, mended.
const RIGHT: [(&str, &str); 5] = [
    ("BIND", "0.0.0.0:3000"),
    ("DATABASE_URL", "postgres://app:tk_f00d@db/shop"),
    ("SHUTDOWN_GRACE", "30s"),
    ("LOG_FORMAT", "json"),
    ("LIMIT_GENERAL", "5/s"),
];
const PASSWORD: &str = "tk_f00d";

impl<W: Write> Tour<W> {
    pub(super) async fn started_wrong(&mut self) -> Told {
        self.story.chapter("Started wrong: all of it in one report, before anything begins")?;
        let report = self.check(&WRONG)?.err().unwrap_or_default();
        let all = report.errors().count() == 4;
        self.story.claim("four mistakes, found at once", all, &report)?;
        let advice = report.problems().all(|problem| !problem.right().is_empty());
        self.story.claim("each with what would be right", advice, &report)?;
        let meant = report.warnings().any(|warning| warning.right() == "LIMIT_GENERAL?");
        self.story.claim(
            "a name with a slip in it, with the one that was meant",
            meant,
            &report,
        )?;
        let hidden = !report.to_string().contains(PASSWORD);
        self.story.claim("and not the password", hidden, &report)?;

        let production: Vec<_> = once(("APP_ENV", "production")).chain(RIGHT).collect();
        let report = self.check(&production)?.err().unwrap_or_default();
        let asked = report.errors().any(|error| error.right().starts_with("a METRICS_TOKEN"));
        let claim = "mended, but for production: who can reach /metrics is to have a token";
        self.story.claim(claim, asked, &report)?;

        let loaded = self.check(&RIGHT)?;
        let table = loaded.as_ref().map(Loaded::table).unwrap_or_default();
        let redacted = table.contains("[REDACTED]") && !table.contains(PASSWORD);
        self.story.claim("what holds, with where it came from, redacted", redacted, &table)?;
        // As a service does at its start.
        loaded?.log();
        let line = self.logged(&["\"config\"", "\"DATABASE_URL\""]).await?;
        let same = line.text_of("value") == "[REDACTED]" && line.text_of("origin") == "environment";
        self.story.claim("the log has the same, a line for each", same, &line)?;
        Ok(())
    }

    /// What `--check-config` says of these.
    fn check(&mut self, variables: &[(&str, &str)]) -> Checked {
        let set: String =
            variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        self.story.command(&format!("{set}example-axum --check-config"))?;
        let loaded = ours(Environment::of(variables.iter().copied())).load::<Settings>();
        let told = match &loaded {
            Ok(loaded) => loaded.table(),
            Err(report) => report.to_string(),
        };
        for line in told.lines() {
            self.story.shown(line)?;
        }
        Ok(loaded)
    }
}

/// Whether it could be told, and whether it is right.
type Checked = std::io::Result<Result<Loaded<Settings>, Report>>;
