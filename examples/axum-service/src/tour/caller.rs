//! The tour's own client.

use std::{
    convert::Infallible, error::Error, fmt, iter::repeat_n, net::SocketAddr, time::Duration,
};

use axum::{
    body::{self, Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE},
};
use futures_util::stream;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 1 << 20;

/// Asks one service.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    base: String,
    client: Client<HttpConnector, Body>,
}

/// A question, and the command that puts the same.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    method: Method,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    json: Option<&'static str>,
    /// So many MiB of zeros.
    upload: Option<usize>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Caller {
    pub(super) fn of(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { base: format!("http://{address}"), client }
    }

    /// Where it asks, as a host and a port.
    pub(super) fn address(&self) -> String {
        self.base.trim_start_matches("http://").to_owned()
    }

    /// What to type in a shell to ask the same.
    pub(super) fn command(&self, ask: &Ask) -> String {
        let quote = if ask.path.contains('?') { "'" } else { "" };
        let from = match ask.upload {
            Some(size) => format!("head -c {size}M /dev/zero | "),
            None => String::new(),
        };
        format!("{from}curl -i {ask}{quote}{}{}{quote}", self.base, ask.path)
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, Box<dyn Error>> {
        let (mut answer, body) = self.head(ask).await?;
        let bytes = timeout(PATIENCE, body::to_bytes(body, MOST_BYTES)).await??;
        answer.text = String::from_utf8(bytes.into())?;
        Ok(answer)
    }

    /// Asks, and leaves the body to be read.
    pub(super) async fn head(&self, ask: &Ask) -> Result<(Answer, Body), Box<dyn Error>> {
        let uri = format!("{}{}", self.base, ask.path);
        let mut request = Request::builder().method(ask.method.clone()).uri(uri);
        for (name, value) in &ask.headers {
            request = request.header(*name, *value);
        }
        let request = match (ask.json, ask.upload) {
            (Some(json), _) => {
                request.header(CONTENT_TYPE, "application/json").body(Body::from(json))?
            }
            (None, Some(size)) => request.body(zeros(size))?,
            (None, None) => request.body(Body::empty())?,
        };
        let (parts, body) = timeout(PATIENCE, self.client.request(request)).await??.into_parts();
        let answer = Answer { status: parts.status, headers: parts.headers, text: String::new() };
        Ok((answer, Body::new(body)))
    }
}

/// Where it asks.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl Ask {
    pub(super) const fn new(method: Method, path: &'static str) -> Self {
        Self { method, path, headers: Vec::new(), json: None, upload: None }
    }

    pub(super) const fn get(path: &'static str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sends so many MiB of zeros, by POST.
    pub(super) const fn upload(path: &'static str, size: usize) -> Self {
        let mut ask = Self::new(Method::POST, path);
        ask.upload = Some(size);
        ask
    }

    /// Sends JSON, by POST.
    pub(super) fn json(mut self, json: &'static str) -> Self {
        self.method = Method::POST;
        self.json = Some(json);
        self
    }
}

/// In pieces, and without a length.
fn zeros(size: usize) -> Body {
    let piece = Bytes::from_static(&[0; 64 * 1024]);
    Body::from_stream(stream::iter(repeat_n(Ok::<_, Infallible>(piece), size * 16)))
}

/// curl's arguments, but for the address.
impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.json {
            Some(json) => write!(f, "--json '{json}' ")?,
            None if self.method == Method::GET => {}
            None => write!(f, "-X {} ", self.method)?,
        }
        if self.upload.is_some() {
            f.write_str("-T - ")?;
        }
        self.headers.iter().try_for_each(|(name, value)| write!(f, "-H '{name}: {value}' "))
    }
}

impl Answer {
    /// A header's value, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn id(&self) -> &str {
        self.header("x-request-id")
    }

    /// The body as JSON; null where it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Whether it is a problem document of this status with the answer's own id.
    pub(super) fn is_problem(&self, status: u16) -> bool {
        let problem = self.json();
        let says = |member| problem.get(member).cloned().unwrap_or_default();
        self.status == status
            && self.header("content-type") == "application/problem+json"
            && says("status") == status
            && !self.id().is_empty()
            && says("request_id") == self.id()
    }
}
