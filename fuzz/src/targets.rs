//! The targets: what must hold whatever the bytes are.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a panic is how a target tells of a broken law"
)]

use std::{
    fmt::Write,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, LazyLock, Mutex},
};

use buttress_core::{
    client_ip::{Cidr, ClientIp, ConfigErrorKind, MAX_HOPS, X_FORWARDED_FOR},
    reject::grpc_message as encode,
};
use buttress_redact::{RedactLayer, Redacted, Rules, Verdict};
use buttress_trace::{MAX_MEMBERS, MAX_STATE, extract, inject, parse, with_member};
use http::{HeaderMap, HeaderValue, header::FORWARDED};
use serde_json::{Value, json};
use tracing::{Dispatch, dispatcher::with_default, field::Empty};
use tracing_subscriber::{Registry, fmt::MakeWriter, layer::SubscriberExt};

pub use self::{
    config::config,
    health::probes,
    limit::limit,
    log::log,
    retry::{grpc_timeout, retry_after},
    sanitize::{content_type, sanitize_form, sanitize_json, sanitize_params, sanitize_path},
    seal::{seal_open, seal_parse, seal_stream},
    sql::sql,
};

mod config;
mod health;
mod limit;
mod log;
mod retry;
mod sanitize;
mod seal;
mod sql;

/// A header map refuses to grow without end; this many lines are enough.
const MAX_LINES: usize = 64;

/// The client's address. The first byte chooses the header and the peer, the first line is what
/// is planted left of the list, the rest are the header's lines.
pub fn client_ip(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .take(MAX_LINES);
    let planted = lines.next();
    let lines: Vec<HeaderValue> = lines.collect();

    let trusting = ClientIp::behind(["10.0.0.0/8", "2001:db8:ffff::/48"]).expect("networks");
    let (header, proxy) = if choice & 1 == 0 {
        (X_FORWARDED_FOR, HeaderValue::from_static("10.0.0.2"))
    } else {
        (FORWARDED, HeaderValue::from_static("for=10.0.0.2"))
    };
    let trusting = trusting.header(header.clone());
    let from = |peer: IpAddr, lines: &[HeaderValue]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&header, line.clone());
        }
        trusting.resolve(peer, &headers)
    };

    let stranger = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(from(stranger, &lines), stranger, "a stranger is believed");

    let peer = match choice & 2 {
        0 => IpAddr::from(Ipv4Addr::new(10, 0, 0, 1)),
        _ => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
    };
    let client = from(peer, &lines);
    let mut named = lines.iter().flat_map(|line| addresses(line.as_bytes()));
    assert!(client == peer || named.any(|ip| ip == client), "{client} comes from nowhere");

    // A proxy that adds a hop changes nothing: what it says is what it would have been believed.
    let entries: usize =
        lines.iter().map(|line| line.as_bytes().split(|byte| *byte == b',').count()).sum();
    if entries < MAX_HOPS {
        let hop = IpAddr::from(Ipv4Addr::new(10, 0, 0, 2));
        let more: Vec<_> = lines.iter().cloned().chain([proxy]).collect();
        assert_eq!(from(peer, &more), from(hop, &lines), "a hop is not a hop");
    }

    // Nothing left of the first who is no proxy counts.
    let is_proxy = match client {
        IpAddr::V4(ip) => matches!(ip.octets(), [10, ..]),
        IpAddr::V6(ip) => matches!(ip.segments(), [0x2001, 0xdb8, 0xffff, ..]),
    };
    if let Some(planted) = planted
        && !is_proxy
    {
        let mut before = vec![planted.clone()];
        before.extend(lines.iter().cloned());
        assert_eq!(from(peer, &before), client, "a planted line is believed");

        let mut joined = planted.as_bytes().to_vec();
        joined.push(b',');
        joined.extend_from_slice(lines.first().map_or(b"", HeaderValue::as_bytes));
        let mut before = vec![HeaderValue::from_bytes(&joined).expect("two values and a comma")];
        before.extend(lines.iter().skip(1).cloned());
        assert_eq!(from(peer, &before), client, "a planted entry is believed");
    }

    // Several lines are one list (but a quoted string of `Forwarded` ends with its line).
    if header == X_FORWARDED_FOR && !lines.is_empty() {
        let lines: Vec<_> = lines.iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_bytes(&lines.join(&b',')).expect("values and commas");
        assert_eq!(from(peer, &[joined]), client, "lines are not a list");
    }
}

/// A trusted network as it is written: parsed, printed and parsed again.
pub fn cidr(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(cidr) = text.parse::<Cidr>() else { return };
    assert_eq!(cidr.to_string().parse(), Ok(cidr), "it does not read back");

    let bits = if cidr.network().is_ipv4() { 32 } else { 128 };
    assert!(cidr.prefix() <= bits, "more bits than there are");
    assert!(cidr.contains(cidr.network()), "its first address is outside");
    assert_eq!(Cidr::new(cidr.network(), cidr.prefix()), Ok(cidr), "the parts make another");
    assert_eq!(cidr.network(), plain(cidr.network()), "IPv4 is hidden in IPv6");

    let trusted = ClientIp::behind([cidr]).map_err(|error| error.kind());
    match cidr.prefix() {
        0 => assert_eq!(trusted.err(), Some(ConfigErrorKind::Everyone), "everyone is trusted"),
        _ => assert!(trusted.is_ok(), "a network is refused"),
    }
}

/// The text of a gRPC status: printable, and the same when decoded.
pub fn grpc_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let value = encode(&text);
    let value = value.to_str().expect("visible ASCII");
    assert!(value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{value:?} is not printable");

    // Split at each `%`: all parts but the first begin with two digits.
    let mut parts = value.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).expect("two digits");
        decoded.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
        decoded.extend_from_slice(rest.as_bytes());
    }
    assert_eq!(decoded, text.as_bytes(), "it decodes to something else");
}

/// What must never be printed. No input has it: it is not in any seed, and none grows it.
const SECRET: &str = "pl4nted-s3cr3t";

/// Redaction: a secret under a sensitive key is in no output. The first byte chooses the key and
/// how it is written, the next how deep it lies; the rest stands around it.
pub fn redact(data: &[u8]) {
    let [choice, depth, around @ ..] = data else { return };
    let around = String::from_utf8_lossy(around);
    let around = around.as_ref();
    if around.contains(SECRET) {
        return;
    }
    let words = ["password", "api_key", "Access-Token", "sessionId", "ssn", "user.pin", "COOKIE"];
    let key = words.iter().cycle().nth(usize::from(*choice)).copied().unwrap_or_default();
    let rules = Rules::new();
    let hidden = |text: &str, by: &str| assert!(!text.contains(SECRET), "{by}: {text}");

    // Under a key, at some depth, beside anything.
    let mut value = json!({key: [{"x": SECRET}], "beside": around});
    for level in 0..depth % 32 {
        value = match level % 3 {
            0 => json!([around, value]),
            1 => json!({around: value}),
            _ => json!({"a": value, "b": {key: SECRET}}),
        };
    }
    let text = serde_json::to_string(&Redacted(&value)).expect("JSON of JSON");
    hidden(&text, "Redacted");
    serde_json::from_str::<Value>(&text).expect("it is JSON still");

    // In a query, with the key encoded in part.
    let mut encoded = String::new();
    for (index, byte) in key.bytes().enumerate() {
        let _ = match depth >> (index % 8) & 1 {
            0 => write!(encoded, "{}", char::from(byte)),
            _ => write!(encoded, "%{byte:02X}"),
        };
    }
    let query = format!("{around}&{encoded}={SECRET}&{around}");
    let printed = rules.query(&query).to_string();
    hidden(&printed, "query");
    assert_eq!(printed.matches('&').count(), query.matches('&').count(), "the layout has changed");

    // In events and spans.
    for printed in EVENTS.print(around) {
        hidden(&printed, "fmt");
    }

    // By its look: found once, it is not found again; and what is clear stays.
    let mut once = String::new();
    rules.text(around, &mut once).expect("a string takes all");
    assert_eq!(rules.is_clear(around), once == around, "the scan and the print disagree");
    let mut planted = String::new();
    rules.text(&format!("{around}\n Bearer {SECRET}-\n{around}"), &mut planted).expect("as above");
    hidden(&planted, "text");
    assert!(!matches!(rules.key(key), Verdict::Clear), "{key} is clear");
}

static EVENTS: LazyLock<Events> = LazyLock::new(Events::new);

/// fmt layers under redaction, as text and as JSON, and what they have written.
struct Events {
    outputs: [Output; 2],
    subscriber: Dispatch,
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Events {
    fn new() -> Self {
        let [plain, json] = [Output::default(), Output::default()];
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(plain.clone());
        let json_layer = tracing_subscriber::fmt::layer().json().with_writer(json.clone());
        let subscriber =
            Registry::default().with(RedactLayer::new(layer)).with(RedactLayer::new(json_layer));
        Self { outputs: [plain, json], subscriber: Dispatch::new(subscriber) }
    }

    fn print(&self, around: &str) -> Vec<String> {
        with_default(&self.subscriber, || {
            let span = tracing::info_span!("span", api_key = SECRET, around, late_token = Empty);
            span.record("late_token", SECRET);
            let _entered = span.enter();
            tracing::info!(password = SECRET, user.pin = %SECRET, ?around, "{around}");
            tracing::info!(clear = around, "authorization: Bearer {SECRET}");
        });
        self.outputs.iter().map(Output::take).collect()
    }
}

impl Output {
    fn take(&self) -> String {
        let mut bytes = self.0.lock().expect("no thread panics here");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        bytes.clear();
        text
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no thread panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The trace that a request continues. The first line is `traceparent`, the rest are the lines of
/// `tracestate`.
pub fn trace_context(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').take(MAX_LINES);
    let parent = lines.next().unwrap_or_default();
    let states: Vec<&[u8]> = lines.collect();
    let trace = parse(parent, states.iter().copied());
    assert_eq!(trace.is_some(), is_traceparent(parent), "the grammar says otherwise");
    let Some(trace) = trace else { return };

    // What came is what goes out, as version 00 and without what nobody knows yet.
    let sent = trace.traceparent();
    let sent = sent.to_str().expect("visible ASCII");
    let came = String::from_utf8_lossy(parent);
    let came = came.trim_matches([' ', '\t']);
    assert_eq!(sent.get(2..53), came.get(2..53), "the ids are others");
    assert!(sent.starts_with("00-") && is_traceparent(sent.as_bytes()), "{sent}");
    let flags = |text: &str| u8::from_str_radix(text.get(53..55)?, 16).ok();
    assert_eq!(flags(sent), flags(came).map(|flags| flags & 3), "the flags are others");

    let came: Vec<&[u8]> = states.iter().flat_map(|line| members(line)).collect();
    let check = |trace: &buttress_core::context::TraceContext| {
        let line = trace.state().map_or(b"".as_slice(), HeaderValue::as_bytes);
        assert!(line.len() <= MAX_STATE, "more goes out than is allowed");
        let all: Vec<&[u8]> = members(line).collect();
        assert!(all.len() <= MAX_MEMBERS, "too many members");
        for (at, member) in all.iter().enumerate() {
            let key = |member: &[u8]| member.split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
            assert!(all.iter().skip(at + 1).all(|other| key(other) != key(member)), "a key twice");
        }
        let mut headers = HeaderMap::new();
        inject(trace, &mut headers);
        assert_eq!(extract(&headers).as_ref(), Some(trace), "it does not read back");
        all.iter().map(|member| member.to_vec()).collect::<Vec<_>>()
    };

    // Nothing is made up, and the order stays.
    let carried = check(&trace);
    let mut rest = came.iter();
    for member in &carried {
        assert!(rest.any(|other| other == member), "{} was not sent", member.escape_ascii());
    }

    let ours = with_member(&trace, "rojo", "ours").expect("a valid member");
    assert_eq!(check(&ours).first().map(Vec::as_slice), Some(b"rojo=ours".as_slice()), "not first");
}

/// By the positions of its characters.
fn is_traceparent(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let text = text.trim_matches([' ', '\t']);
    let mut fields = text.splitn(5, '-');
    let mut field = |length: usize| {
        let field = fields.next().filter(|field| field.len() == length)?;
        let digits = field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digits.then_some(field)
    };
    let (Some(version), Some(trace), Some(span), Some(_)) =
        (field(2), field(32), field(16), field(2))
    else {
        return false;
    };
    let named = [trace, span].iter().all(|id| id.bytes().any(|byte| byte != b'0'));
    named && version != "ff" && (version != "00" || fields.next().is_none())
}

/// The members of one line of `tracestate`, without the empty ones.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    line.split(|byte| *byte == b',').filter_map(move |member| {
        let start = member.iter().position(|byte| !is_blank(byte))?;
        let end = member.iter().rposition(|byte| !is_blank(byte))?;
        member.get(start..=end)
    })
}

/// All that could be an address in these bytes, however it is delimited.
fn addresses(line: &[u8]) -> Vec<IpAddr> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let runs = line.split(|byte| !is_part(byte)).filter_map(|run| std::str::from_utf8(run).ok());
    let without_port = |run: &str| run.split(':').next().and_then(|host| host.parse().ok());
    runs.filter_map(|run| run.parse().ok().or_else(|| without_port(run))).map(plain).collect()
}

/// IPv4 inside IPv6 as IPv4, by comparing bytes; NAT64 only around what is no internal address.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 10 | 127, ..]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 100, 64..=127, ..]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 169, 254, ..]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 172, 16..=31, ..]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 168, ..] => ip,
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => [a, b, c, d].into(),
        _ => ip,
    }
}
