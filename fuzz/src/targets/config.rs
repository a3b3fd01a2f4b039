use std::{net::SocketAddr, time::Duration};

use buttress_config::{CENSOR, Environment, Rate, Report, Secret, Size, Url, Value, config};

config! {
    /// One of each.
    #[derive(Debug)]
    struct Settings {
        /// An address.
        bind: SocketAddr = var("BIND").default("127.0.0.1:0"),
        /// A duration.
        timeout: Duration = var("TIMEOUT").alias("TIMEOUT_MS").default("1s"),
        /// A size.
        body: Size = var("BODY").default("1MiB"),
        /// A rate.
        limit: Rate = var("LIMIT").default("1/s"),
        /// A number.
        many: u16 = var("MANY").default(1),
        /// A URL.
        url: Option<Url> = var("URL"),
        /// A list.
        origins: Vec<Url> = var("ORIGINS").default(""),
        /// A secret, of which no text is a part by chance.
        secret: Option<Secret<String>> = var("SECRET"),
    }
}

/// A secret that is looked for is at least so long; a shorter one may be a word of the report.
const SHORTEST: usize = 12;

/// A file of variables: it is read to its end, what can be read reads back, and whatever is printed
/// has no secret and no control character in it.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // It would be opened.
    if text.contains("_FILE") {
        return;
    }
    let environment = Environment::of::<&str, &str>([]).prefix("S").text(".env", &text);
    let (out, secret) = match environment.load::<Settings>() {
        Ok(loaded) => {
            reads_back(&loaded);
            let mut out = String::new();
            for line in loaded.effective().map(ToString::to_string) {
                out.push_str(&line);
            }
            for line in loaded.warnings().map(ToString::to_string) {
                out.push_str(&line);
            }
            (out, loaded.secret.as_ref().map(|secret| secret.expose().clone()))
        }
        Err(report) => {
            is_whole(&report);
            (report.to_string().replace('\n', ""), plain_secret(&text))
        }
    };
    assert!(!out.chars().any(char::is_control), "a control character is printed: {out:?}");
    if let Some(secret) = secret.filter(|secret| secret.len() >= SHORTEST) {
        let around = out.replace(CENSOR, "");
        assert!(!around.contains(&secret), "the secret is printed: {out}");
    }
}

/// Each problem says of what, why, and what would be right, and the count is right.
fn is_whole(report: &Report) {
    assert!(report.is_fatal(), "it is refused, and no error");
    for problem in report.problems() {
        assert!(!problem.subjects().is_empty(), "of what?");
        assert!(!problem.reason().is_empty() && !problem.right().is_empty(), "why?");
    }
    assert_eq!(report.problems().count(), report.errors().count() + report.warnings().count());
}

/// What was read is what is written of it.
fn reads_back(settings: &Settings) {
    let Settings { bind, timeout, body, limit, many, url, origins, .. } = settings;
    assert_eq!(SocketAddr::parse(&bind.to_string()), Ok(*bind));
    assert_eq!(Size::parse(&body.to_string()), Ok(*body));
    assert_eq!(Rate::parse(&limit.to_string()), Ok(*limit));
    assert_eq!(u16::parse(&many.to_string()), Ok(*many));
    let micros = u64::try_from(timeout.as_micros()).ok();
    if let Some(micros) = micros {
        assert_eq!(Duration::parse(&format!("{micros}us")), Ok(*timeout));
    }
    for url in url.iter().chain(origins) {
        assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(url));
        let scheme = url.scheme();
        let place = url.as_str().strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
        let host = url.host().unwrap_or_default();
        assert!(place.is_some_and(|place| place.contains(host)), "the host is made up");
        is_censored(url);
    }
}

/// A password, as a reader would find it, is not printed.
fn is_censored(url: &Url) {
    let (_, rest) = url.as_str().split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return };
    let Some((name, password)) = user.split_once(':') else { return };
    let beside = url.as_str().replacen(password, "", 1);
    if password.len() >= SHORTEST && !name.contains(password) && !beside.contains(password) {
        let out = format!("{url}{url:?}");
        assert!(!out.contains(password), "the password is printed: {out}");
    }
}

/// The secret, where its line is as plain as can be.
fn plain_secret(text: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("SECRET="));
    let secret = lines.next().filter(|_| lines.next().is_none())?;
    let is_plain = secret.chars().all(|c| c.is_ascii_alphanumeric());
    // A quote before it may have taken it in.
    let is_alone = !text.contains(['"', '\'', '\r']);
    (is_plain && is_alone).then(|| secret.to_owned())
}
