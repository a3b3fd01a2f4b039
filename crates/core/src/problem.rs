//! Problem documents (RFC 9457).

use std::{borrow::Cow, io::Write};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use crate::{
    context,
    value::{Value, write_json_str},
};

/// The media type of a problem document (RFC 9457 §6.1).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong, for a program and for a person (RFC 9457 §3.1).
///
/// A member that was not set is left out, `type` too: absent, it means `about:blank`
/// (RFC 9457 §3.1.1). Constants are not copied, so a problem made of them allocates nothing
/// until it is written, and then once.
///
/// ```
/// use buttress_core::problem::Problem;
/// use http::StatusCode;
///
/// let problem = Problem::new(StatusCode::CONFLICT)
///     .with_kind("https://example.com/problems/stale")
///     .with_detail("the book was changed by someone else")
///     .with_member("current_version", 8_u64);
/// assert_eq!(
///     problem.to_json(),
///     r#"{"type":"https://example.com/problems/stale","title":"Conflict","status":409,"detail":"the book was changed by someone else","current_version":8}"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    status: StatusCode,
    kind: Option<Cow<'static, str>>,
    title: Option<&'static str>,
    detail: Option<Cow<'static, str>>,
    instance: Option<Cow<'static, str>>,
    members: Vec<(Cow<'static, str>, Value)>,
}

impl Problem {
    /// A problem with this status and, as its title, the status's reason phrase.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self { status, kind: None, title: None, detail: None, instance: None, members: Vec::new() }
    }

    /// Sets `type`: a URI that names the kind of problem.
    #[must_use]
    pub fn with_kind(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.kind = Some(uri.into());
        self
    }

    /// Sets `title`: a summary of the kind, the same each time.
    #[must_use]
    pub const fn with_title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// Sets `detail`: what is particular to this time. The client reads it.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets `instance`: a URI that names this one time.
    #[must_use]
    pub fn with_instance(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.instance = Some(uri.into());
        self
    }

    /// Sets an extension member (RFC 9457 §3.2), replacing one of the same name.
    ///
    /// The five standard names belong to their own methods: a member of such a name is ignored.
    #[must_use]
    pub fn with_member(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        let name = name.into();
        if matches!(&*name, "type" | "title" | "status" | "detail" | "instance") {
            return self;
        }
        self.members.retain(|(other, _)| *other != name);
        self.members.push((name, value.into()));
        self
    }

    /// Adds the member `request_id`, if there is a current request and it has an id.
    #[must_use]
    pub fn for_request(self) -> Self {
        let Some(request) = context::current() else { return self };
        match request.request_id_str() {
            Some(id) => self.with_member("request_id", id.to_owned()),
            None => self,
        }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is particular to this time, if it was set.
    #[must_use]
    pub fn get_detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The document as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // The writer puts out nothing but whole `str`s and ASCII.
        String::from_utf8(self.to_vec()).unwrap_or_default()
    }

    /// The document as an answer with its status and media type, in any body that can be made of
    /// bytes: axum's `Body`, `Full<Bytes>`, [`Bytes`] itself.
    #[must_use]
    pub fn into_http<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::from(self.to_vec())));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }

    #[doc(hidden)]
    #[must_use]
    pub fn kind(self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.with_kind(uri)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.with_detail(detail)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn member(self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.with_member(name, value)
    }

    fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.push(b'{');
        if let Some(kind) = &self.kind {
            write_member(&mut out, "type", kind);
        }
        let reason = self.status.canonical_reason().unwrap_or("Error");
        write_member(&mut out, "title", self.title.unwrap_or(reason));
        // Writing into a `Vec` cannot fail.
        let _ = write!(out, r#""status":{}"#, self.status.as_u16());
        for (name, value) in [("detail", &self.detail), ("instance", &self.instance)] {
            if let Some(value) = value {
                out.push(b',');
                write_json_str(&mut out, name);
                out.push(b':');
                write_json_str(&mut out, value);
            }
        }
        for (name, value) in &self.members {
            out.push(b',');
            write_json_str(&mut out, name);
            out.push(b':');
            value.write_json(&mut out);
        }
        out.push(b'}');
        out
    }
}

fn write_member(out: &mut Vec<u8>, name: &str, value: &str) {
    write_json_str(out, name);
    out.push(b':');
    write_json_str(out, value);
    out.push(b',');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_members_are_left_out() {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(problem.to_json(), r#"{"title":"Too Many Requests","status":429}"#);
    }

    #[test]
    fn every_member_is_there_once() {
        let problem = Problem::new(StatusCode::BAD_REQUEST)
            .with_kind("urn:a")
            .with_title("A \"title\"")
            .with_detail("line\nbreak")
            .with_instance("urn:b")
            .with_member("status", 200_u64)
            .with_member("n", 1_u64)
            .with_member("n", 2_u64);
        let json: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:a", "title": "A \"title\"", "status": 400,
                "detail": "line\nbreak", "instance": "urn:b", "n": 2,
            })
        );
    }

    #[test]
    fn a_status_without_a_reason_phrase_has_a_title() {
        let status = StatusCode::from_u16(499).unwrap();
        assert_eq!(Problem::new(status).to_json(), r#"{"title":"Error","status":499}"#);
    }
}
