//! Content types, parsed once and strictly.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use crate::{
    rule::Rule,
    violation::{Place, Violation},
};

/// The most parameters: each is looked for among those before it, and nobody has so many.
const MOST: usize = 32;

const FORM: &str = "application/x-www-form-urlencoded";

/// What a body is, as far as its guard is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `application/json`, what ends in `+json` (RFC 6839 §3.1), and `application/json+…`, which
    /// some take for the first.
    Json,
    /// `application/x-www-form-urlencoded`, and what begins so, since some look no further.
    Form,
    /// `multipart/form-data`, which has its boundary.
    Multipart,
    /// `application/grpc`, `application/grpc-web`, `application/grpc-web-text`, and these with a
    /// suffix. (`application/grpc+json` is [`Json`](Self::Json): who looks at the suffix alone
    /// takes it for that.)
    Grpc,
    /// Any other.
    Other,
}

impl Kind {
    /// As `Accept` names it. Of what is none of these, one: `*/*` would be these too.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => FORM,
            Self::Multipart => "multipart/form-data",
            Self::Grpc => "application/grpc",
            Self::Other => "application/octet-stream",
        }
    }
}

/// A media type (RFC 9110 §8.3.1) that was read to the letter, and how it is written in only one
/// way.
///
/// Where a guard and a handler read a content type in two ways, a body can get past the guard.
/// So what is not of the grammar is refused, and the handler is given
/// [`canonical`](Self::canonical): in lower case, without blanks, each parameter once, and without
/// those that JSON and forms do not have.
///
/// ```
/// use buttress_sanitize::{ContentType, Kind, Rule};
///
/// let of = ContentType::parse(b"Application/JSON ; charset=\"UTF-8\"")?;
/// assert_eq!((of.kind(), of.canonical()), (Kind::Json, "application/json"));
/// assert_eq!(ContentType::parse(b"text/html;Charset=latin1")?.canonical(), "text/html;charset=latin1");
///
/// let rule = |value| ContentType::parse(value).unwrap_err().rule();
/// assert_eq!(rule(b"application/json, text/plain"), Rule::ContentType);
/// assert_eq!(rule(b"application/json; charset=utf-16"), Rule::Charset);
/// # Ok::<(), buttress_sanitize::Violation>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    canonical: String,
    essence: usize,
    kind: Kind,
    charset: Option<Range<usize>>,
}

impl ContentType {
    /// Reads the value of a `content-type` header; [`of`](Self::of) sees to it that there is one.
    ///
    /// # Errors
    ///
    /// [`Rule::ContentType`] where it is not of the grammar, has a parameter twice or more than 32
    /// of them, could be taken for JSON and for a form, or is `multipart` without a boundary (RFC 2046 §5.1.1); [`Rule::Charset`] where it is JSON or a
    /// form and not UTF-8 (RFC 8259 §8.1).
    pub fn parse(value: &[u8]) -> Result<Self, Violation> {
        Self::read(value).map_err(refused)
    }

    /// Reads the one `content-type` of a request; `None` where it has none.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and [`Rule::ContentType`] where there is more than one: who takes
    /// the first and who takes the last would read the body in two ways.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Violation> {
        let mut lines = headers.get_all(CONTENT_TYPE).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::parse(value.as_bytes()).map(Some),
            _ => Err(refused(Rule::ContentType)),
        }
    }

    fn read(value: &[u8]) -> Result<Self, Rule> {
        let mut rest = Rest(trim(value));
        let mut canonical = String::with_capacity(value.len());
        rest.token(&mut canonical, true)?;
        rest.byte(b'/')?;
        canonical.push('/');
        rest.token(&mut canonical, true)?;
        let essence = canonical.len();
        let kind = match canonical.as_str() {
            "application/json" => Kind::Json,
            FORM => Kind::Form,
            "multipart/form-data" => Kind::Multipart,
            // The one takes it for JSON, the other for a form, and `"&a=1&a=2"` is both.
            other if other.ends_with("+json") && other.starts_with(FORM) => {
                return Err(Rule::ContentType);
            }
            other if other.ends_with("+json") => Kind::Json,
            // Who cuts a suffix off takes this for JSON, and who looks no further than it has to
            // takes that for a form: so do axum's `Json` and `Form` (axum 0.8).
            other if other.starts_with("application/json+") => Kind::Json,
            other if other.starts_with(FORM) => Kind::Form,
            other if is_grpc(other) => Kind::Grpc,
            _ => Kind::Other,
        };
        let mut names: Vec<String> = Vec::new();
        let (mut charset, mut has_boundary) = (None, false);
        while !rest.is_at_end() {
            rest.blanks();
            rest.byte(b';')?;
            rest.blanks();
            // An empty parameter is of the grammar: `text/html;` (RFC 9110 §5.6.6).
            if rest.is_at_end() || rest.0.first() == Some(&b';') {
                continue;
            }
            let mut name = String::new();
            rest.token(&mut name, true)?;
            rest.byte(b'=')?;
            let mut value = String::new();
            rest.token_or_quoted(&mut value)?;
            match name.as_str() {
                "charset" => {
                    value.make_ascii_lowercase();
                    if matches!(kind, Kind::Json | Kind::Form)
                        && !matches!(value.as_str(), "utf-8" | "utf8")
                    {
                        return Err(Rule::Charset);
                    }
                }
                "boundary" if kind == Kind::Multipart => {
                    has_boundary = is_boundary(value.as_bytes());
                    if !has_boundary {
                        return Err(Rule::ContentType);
                    }
                }
                _ => {}
            }
            if names.len() == MOST || names.contains(&name) {
                return Err(Rule::ContentType);
            }
            // Neither has parameters of which anything depends (RFC 8259 §11, WHATWG URL §5), but
            // a profile of a type of its own.
            let has_none = kind == Kind::Form || kind == Kind::Json && name == "charset";
            if !has_none {
                canonical.push(';');
                canonical.push_str(&name);
                canonical.push('=');
                let start = canonical.len();
                push_value(&mut canonical, &value);
                if name == "charset" {
                    charset = Some(start..canonical.len());
                }
            }
            names.push(name);
        }
        if kind == Kind::Multipart && !has_boundary {
            return Err(Rule::ContentType);
        }
        Ok(Self { canonical, essence, kind, charset })
    }

    /// Which guard it needs.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The type and subtype, in lower case.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.canonical.get(..self.essence).unwrap_or_default()
    }

    /// The charset that is declared, in lower case; of JSON and forms it is always UTF-8, and
    /// `None` here.
    #[must_use]
    pub fn charset(&self) -> Option<&str> {
        self.charset.clone().and_then(|range| self.canonical.get(range))
    }

    /// The same type as it is always written.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The canonical form as a header's value.
    #[must_use]
    pub fn to_header_value(&self) -> HeaderValue {
        match self.canonical.as_str() {
            "application/json" => HeaderValue::from_static("application/json"),
            // Only tokens and quoted strings of visible ASCII were taken.
            other => HeaderValue::from_str(other)
                .unwrap_or(HeaderValue::from_static("application/octet-stream")),
        }
    }
}

pub(crate) fn refused(rule: Rule) -> Violation {
    Violation::new(rule, Place::Header, String::from("/content-type"), None)
}

fn is_grpc(essence: &str) -> bool {
    let base = essence.split_once('+').map_or(essence, |(base, _)| base);
    matches!(base, "application/grpc" | "application/grpc-web" | "application/grpc-web-text")
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn blanks(&mut self) {
        self.0 = trim_start(self.0);
    }

    fn byte(&mut self, wanted: u8) -> Result<(), Rule> {
        match self.0.split_first() {
            Some((byte, rest)) if *byte == wanted => {
                self.0 = rest;
                Ok(())
            }
            _ => Err(Rule::ContentType),
        }
    }

    fn token(&mut self, out: &mut String, lower: bool) -> Result<(), Rule> {
        let length = self.0.iter().take_while(|byte| is_token(**byte)).count();
        let (token, rest) = self.0.split_at_checked(length).unwrap_or((&[], self.0));
        if token.is_empty() {
            return Err(Rule::ContentType);
        }
        out.extend(
            token
                .iter()
                .map(|byte| char::from(if lower { byte.to_ascii_lowercase() } else { *byte })),
        );
        self.0 = rest;
        Ok(())
    }

    fn token_or_quoted(&mut self, out: &mut String) -> Result<(), Rule> {
        if self.0.first() != Some(&b'"') {
            return self.token(out, false);
        }
        self.byte(b'"')?;
        loop {
            let (byte, rest) = self.0.split_first().ok_or(Rule::ContentType)?;
            self.0 = rest;
            match byte {
                b'"' => return Ok(()),
                b'\\' => {
                    let (escaped, rest) = self.0.split_first().ok_or(Rule::ContentType)?;
                    self.0 = rest;
                    out.push(visible(*escaped)?);
                }
                byte => out.push(visible(*byte)?),
            }
        }
    }
}

/// Of a quoted string we take what can be seen, the blank too: obs-text is nobody's charset.
const fn visible(byte: u8) -> Result<char, Rule> {
    match byte {
        b' '..=b'~' => Ok(byte as char),
        _ => Err(Rule::ContentType),
    }
}

/// tchar (RFC 9110 §5.6.2).
const fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'
        | b'_' | b'`' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// 1 to 70 characters, the last no blank (RFC 2046 §5.1.1).
fn is_boundary(value: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    (1..=70).contains(&value.len()) && value.iter().all(is_allowed) && value.last() != Some(&b' ')
}

fn push_value(out: &mut String, value: &str) {
    if !value.is_empty() && value.bytes().all(is_token) {
        out.push_str(value);
        return;
    }
    out.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\t', rest)) = bytes.split_first() {
        bytes = rest;
    }
    bytes
}

fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let Some((b' ' | b'\t', rest)) = bytes.split_last() {
        bytes = rest;
    }
    bytes
}
