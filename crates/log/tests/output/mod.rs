//! What layers write, for these tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by test files that each use a part; a test is meant to panic"
)]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_core::context::{RequestContext, TraceContext};
use buttress_log::{JsonLayer, PrettyLayer, Sink, Writer};
use http::HeaderValue;
use serde_json::Value;
use tracing_subscriber::{Layer, Registry, prelude::*};

pub(crate) const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// All that was written.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a layer writes while `run` runs.
pub(crate) fn written<L>(layer: impl FnOnce(Writer) -> L, run: impl FnOnce()) -> String
where
    L: Layer<Registry> + Send + Sync + 'static,
{
    let output = Output::default();
    let (writer, guard) = Sink::to(output.clone()).open().unwrap();
    let subscriber = tracing_subscriber::registry().with(layer(writer));
    tracing::subscriber::with_default(subscriber, run);
    assert!(guard.flush(WAIT), "lines are lost");
    output.text()
}

/// The lines of JSON, each read by another parser than ours.
pub(crate) fn json(layer: impl FnOnce(JsonLayer) -> JsonLayer, run: impl FnOnce()) -> Vec<Value> {
    let text = written(|writer| layer(JsonLayer::new(writer)), run);
    text.lines().map(parsed).collect()
}

/// The only line.
pub(crate) fn line(run: impl FnOnce()) -> Value {
    let [line] = <[Value; 1]>::try_from(json(|layer| layer, run)).unwrap();
    line
}

pub(crate) fn pretty(run: impl FnOnce()) -> String {
    written(PrettyLayer::new, run)
}

/// JSON, if no key is twice in an object: `serde_json` does not mind.
pub(crate) fn parsed(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(line.len() < 256 * 1024, "too long");
    assert!(!line.contains(|c: char| c.is_control()), "control characters: {line}");
    assert_eq!(members(&value), keys(line), "a key is there twice: {line}");
    value
}

/// How many members all objects have together.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(values) => values.iter().map(members).sum(),
        _ => 0,
    }
}

/// How many keys are in the text: strings before a colon.
fn keys(json: &str) -> usize {
    let mut count = 0;
    let mut bytes = json.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'"' {
            continue;
        }
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'"' => break,
                _ => {}
            }
        }
        count += usize::from(bytes.peek() == Some(&b':'));
    }
    count
}

/// A request with an id and a trace.
pub(crate) fn request() -> RequestContext {
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static(ID));
    let trace_id = 0x0189_0a5d_ac96_774b_bcce_b302_099a_8057_u128.to_be_bytes();
    let span_id = 0xb7ad_6b71_6920_3331_u64.to_be_bytes();
    request.set_trace(TraceContext::new(trace_id, span_id, 3).unwrap());
    request
}
