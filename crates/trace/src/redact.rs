//! Spans on their way out, without what must not be in them.

use std::{
    borrow::Cow,
    fmt::{self, Write},
    future::Future,
    time::Duration,
};

use buttress_redact::{Rules, Verdict};
use opentelemetry::{Array, KeyValue, StringValue, Value, trace::Status};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// Wraps any exporter of an OpenTelemetry SDK and censors what it sends: the attributes of spans,
/// events, links and of the resource, the description of a status, and the names of spans and
/// events.
///
/// Whoever sets an attribute need not think of it: a handler, a database driver, a layer of
/// `tracing-opentelemetry`. A filter has to stand here because none in front of the tracer can see
/// what is added to a span later.
///
/// ```
/// use buttress_redact::Rules;
/// use buttress_trace::RedactExporter;
/// use opentelemetry::{KeyValue, trace::{Span, Tracer, TracerProvider}};
/// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
///
/// let sent = InMemorySpanExporter::default();
/// let rules = Rules::new().redact_key("birth_date")?;
/// let provider = SdkTracerProvider::builder()
///     .with_simple_exporter(RedactExporter::new(sent.clone()).rules(rules))
///     .build();
///
/// let mut span = provider.tracer("shop").start("pay");
/// span.set_attribute(KeyValue::new("customer.birthDate", "1815-12-10"));
/// span.set_attribute(KeyValue::new("url.full", "https://shop.example/pay?page=2&token=hunter2"));
/// span.end();
///
/// let span = &sent.get_finished_spans()?[0];
/// assert_eq!(span.attributes[0].value.as_str(), "[REDACTED]");
/// assert_eq!(span.attributes[1].value.as_str(), "https://shop.example/pay?page=2&token=[REDACTED]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is done
/// - A value under a sensitive key is censored whole, a list item by item; where the censor removes,
///   the attribute is gone. A number that is censored becomes a text.
/// - All other texts, and numbers, go by the value rules.
/// - Under `url.query`, `url.full`, `http.url` and `http.target` the query, and a fragment, are
///   censored pair by pair. User and password of such a URL are gone whatever the rules, as the
///   semantic conventions ask: `https://REDACTED:REDACTED@host/`.
///
/// Trace states, instrumentation scopes and the keys themselves stay. What this costs is paid where
/// the exporter runs: with a batch processor not in any request. Nothing is allocated for what is
/// clear, but for URLs.
#[derive(Clone, Debug)]
pub struct RedactExporter<E> {
    inner: E,
    rules: Rules,
}

impl<E> RedactExporter<E> {
    /// By the default rules.
    #[must_use]
    pub fn new(inner: E) -> Self {
        Self { inner, rules: Rules::new() }
    }

    /// By these rules.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The exporter inside.
    #[must_use]
    pub const fn inner(&self) -> &E {
        &self.inner
    }
}

impl<E: SpanExporter> SpanExporter for RedactExporter<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        for span in &mut batch {
            redact(&self.rules, span);
        }
        self.inner.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        let own = |(key, value): (&_, &Value)| KeyValue::new(Clone::clone(key), value.clone());
        let mut all: Vec<KeyValue> = resource.iter().map(own).collect();
        attributes(&self.rules, &mut all);
        let builder = Resource::builder_empty();
        let redacted = match resource.schema_url() {
            Some(url) => builder.with_schema_url(all, url.to_owned()),
            None => builder.with_attributes(all),
        };
        self.inner.set_resource(&redacted.build());
    }
}

fn redact(rules: &Rules, span: &mut SpanData) {
    name(rules, &mut span.name);
    attributes(rules, &mut span.attributes);
    for event in &mut span.events.events {
        name(rules, &mut event.name);
        attributes(rules, &mut event.attributes);
    }
    for link in &mut span.links.links {
        attributes(rules, &mut link.attributes);
    }
    if let Status::Error { description } = &mut span.status {
        name(rules, description);
    }
}

/// A text that has no key.
fn name(rules: &Rules, text: &mut Cow<'static, str>) {
    if !rules.is_clear(text) {
        *text = Cow::Owned(written(|out| rules.text(text, out)));
    }
}

fn attributes(rules: &Rules, all: &mut Vec<KeyValue>) {
    all.retain_mut(|KeyValue { key, value, .. }| {
        let redacted = match (rules.key(key.as_str()), key.as_str()) {
            (Verdict::Remove, _) => return false,
            (Verdict::Censor(censor), _) => {
                Some(each(value, |item| written(|out| censor.write(&item, out))))
            }
            (Verdict::Clear, "url.query") => {
                Some(each(value, |item| rules.query(&item).to_string()))
            }
            (Verdict::Clear, "url.full" | "http.url" | "http.target") => {
                Some(each(value, |item| written(|out| url(rules, &item, out))))
            }
            (Verdict::Clear, _) => by_look(rules, value),
        };
        if let Some(redacted) = redacted {
            *value = redacted;
        }
        true
    });
}

/// What stands in the place of a value whose key is clear, where it must be another.
fn by_look(rules: &Rules, value: &Value) -> Option<Value> {
    let is_clear = match value {
        Value::Bool(_) | Value::Array(Array::Bool(_)) => true,
        Value::I64(number) => is_clear_number(rules, *number),
        Value::F64(number) => matches!(rules.float(*number), Verdict::Clear),
        Value::Array(Array::I64(all)) => all.iter().all(|number| is_clear_number(rules, *number)),
        Value::Array(Array::F64(all)) => {
            all.iter().all(|number| matches!(rules.float(*number), Verdict::Clear))
        }
        Value::Array(Array::String(all)) => all.iter().all(|text| rules.is_clear(text.as_str())),
        other => rules.is_clear(&other.as_str()),
    };
    if is_clear {
        return None;
    }
    // A number is sensitive as its digits are, and as a text they are found.
    Some(each(value, |item| written(|out| rules.text(&item, out))))
}

fn is_clear_number(rules: &Rules, number: i64) -> bool {
    // A negative one is no card.
    let verdict = u128::try_from(number).map_or(Verdict::Clear, |number| rules.number(number));
    matches!(verdict, Verdict::Clear)
}

/// The value with each of its items, as a text, in other words.
fn each(value: &Value, censor: impl Fn(Cow<'_, str>) -> String) -> Value {
    fn items<T: ToString>(all: &[T], censor: impl Fn(Cow<'_, str>) -> String) -> Value {
        let text = |item: &T| StringValue::from(censor(Cow::Owned(item.to_string())));
        Value::Array(Array::String(all.iter().map(text).collect()))
    }
    match value {
        Value::Array(Array::Bool(all)) => items(all, censor),
        Value::Array(Array::I64(all)) => items(all, censor),
        Value::Array(Array::F64(all)) => items(all, censor),
        Value::Array(Array::String(all)) => items(all, censor),
        other => Value::from(censor(other.as_str())),
    }
}

/// A URL, or the path and query of one.
fn url(rules: &Rules, url: &str, out: &mut dyn Write) -> fmt::Result {
    let (url, fragment) = split(url, '#');
    let (url, query) = split(url, '?');
    match user(url) {
        Some((scheme, rest)) => {
            write!(out, "{scheme}REDACTED:REDACTED")?;
            rules.text(rest, out)?;
        }
        None => rules.text(url, out)?,
    }
    if let Some(query) = query {
        write!(out, "?{}", rules.query(query))?;
    }
    // An OAuth answer has its token there (RFC 6749 §4.2.2).
    if let Some(fragment) = fragment {
        write!(out, "#{}", rules.query(fragment))?;
    }
    Ok(())
}

/// What is before and after user and password, if there are such (RFC 3986 §3.2.1).
fn user(url: &str) -> Option<(&str, &str)> {
    let from = url.find("://")? + "://".len();
    let (scheme, rest) = url.split_at_checked(from)?;
    let authority = rest.split('/').next()?;
    let (_, after) = rest.split_at_checked(authority.rfind('@')?)?;
    Some((scheme, after))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// What a censor of the user's could not write is not there.
fn written(write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> String {
    let mut text = String::new();
    let _ = write(&mut text);
    text
}
