//! What is judged of a request before its body.

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use http_body::{Body, SizeHint};

use crate::{
    content_type::{ContentType, Kind, refused},
    policy::Policy,
    rule::Rule,
    violation::{Place, Violation},
};

impl Policy {
    /// Judges the path and the query of a request: [`check_path`](Self::check_path) and
    /// [`check_query`](Self::check_query).
    ///
    /// ```
    /// use buttress_sanitize::{Policy, Rule};
    /// use http::Request;
    ///
    /// let (head, ()) = Request::get("/files/a%2f..%2fb?id=1").body(())?.into_parts();
    /// let violation = Policy::strict_json().check_head(&head).unwrap_err();
    /// assert_eq!(violation.rule(), Rule::EncodedSlash);
    /// # Ok::<(), http::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check_head(&self, head: &Parts) -> Result<Vec<Violation>, Violation> {
        let mut reports = self.check_path(head.uri.path())?;
        if let Some(query) = head.uri.query() {
            reports.append(&mut self.check_query(query)?);
        }
        Ok(reports)
    }
}

/// What a body is declared to be: its encoding, its type and its length, judged. From now on its
/// type is declared in one way.
pub(crate) fn content(
    headers: &mut HeaderMap,
    size: &SizeHint,
    policy: &Policy,
    accepts: impl Fn(Kind) -> bool,
) -> Result<Kind, Violation> {
    if is_encoded(headers) {
        let pointer = String::from("/content-encoding");
        return Err(Violation::new(Rule::ContentEncoding, Place::Header, pointer, None));
    }
    let kind = match plain(headers) {
        Some(kind) => kind,
        None => match ContentType::of(headers)? {
            // Bytes of which nothing is said (RFC 9110 §8.3).
            None => Kind::Other,
            Some(of) => {
                headers.insert(CONTENT_TYPE, of.to_header_value());
                of.kind()
            }
        },
    };
    if !accepts(kind) {
        return Err(refused(Rule::ContentType));
    }
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    // A stream of messages has no size.
    if kind != Kind::Grpc && size.lower().max(declared.unwrap_or(0)) > policy.limits.body {
        return Err(too_large());
    }
    Ok(kind)
}

pub(crate) fn too_large() -> Violation {
    Violation::new(Rule::BodySize, Place::Body, String::new(), None)
}

pub(crate) fn too_slow() -> Violation {
    Violation::new(Rule::BodyTime, Place::Body, String::new(), None)
}

/// Whether there is nothing to judge. Many clients declare a content type with every request, `GET`
/// too.
pub(crate) fn is_empty<B: Body>(body: &B) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

/// The values that nearly everybody sends, and that are canonical already.
fn plain(headers: &HeaderMap) -> Option<Kind> {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    match (lines.next()?.as_bytes(), lines.next()) {
        (b"application/json", None) => Some(Kind::Json),
        (b"application/x-www-form-urlencoded", None) => Some(Kind::Form),
        (b"application/grpc", None) => Some(Kind::Grpc),
        _ => None,
    }
}

/// Whether a coding is left that nobody has decoded. `identity` is none (RFC 9110 §8.4.1 reserves
/// it, and some clients send it).
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}
