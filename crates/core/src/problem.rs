//! Problem documents (RFC 9457).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

pub(crate) use self::document::Prepared;
use crate::{
    context::{self, RequestContext},
    value::{Members, Value},
};

mod document;

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
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: Option<Cow<'static, str>>,
    title: Option<&'static str>,
    detail: Option<Cow<'static, str>>,
    instance: Option<Cow<'static, str>>,
    members: Members,
    // Whose ids stand in the document.
    request: Option<RequestContext>,
}

/// Equal where the documents are.
impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status && self.to_json() == other.to_json()
    }
}

impl Problem {
    /// A problem with this status and, as its title, the status's reason phrase.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            kind: None,
            title: None,
            detail: None,
            instance: None,
            members: Members::new(),
            request: None,
        }
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
        self.members.set(name, value.into());
        self
    }

    /// Takes the detail away, for clients that are told no more than the kind.
    #[must_use]
    pub fn without_detail(mut self) -> Self {
        self.detail = None;
        self
    }

    /// Adds the members `request_id` and `trace_id` (32 hex digits), as far as there is a current
    /// request and it has them by the time at which the document is written.
    ///
    /// A member of such a name that was set stays.
    ///
    /// ```
    /// use buttress_core::{context::RequestContext, problem::Problem};
    /// use http::{HeaderValue, StatusCode};
    ///
    /// let request = RequestContext::new();
    /// request.set_request_id(HeaderValue::from_static("01890a5d"));
    /// let problem = request.scope(|| Problem::new(StatusCode::NOT_FOUND).for_request());
    /// assert_eq!(
    ///     problem.to_json(),
    ///     r#"{"title":"Not Found","status":404,"request_id":"01890a5d"}"#
    /// );
    /// ```
    #[must_use]
    pub fn for_request(mut self) -> Self {
        self.request = context::current();
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The URI that names the kind of problem, if it was set.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The summary of the kind: the status's reason phrase, if no other was set.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.title.or_else(|| self.status.canonical_reason()).unwrap_or("Error")
    }

    /// What is particular to this time, if it was set.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The URI that names this one time, if it was set.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The extension members that were set, in their order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter()
    }

    /// The document as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // The writer puts out nothing but whole `str`s and ASCII.
        String::from_utf8(self.document(None)).unwrap_or_default()
    }

    /// The document as an answer with its status and media type, in any body that can be made of
    /// bytes: axum's `Body`, `Full<Bytes>`, [`Bytes`] itself.
    #[must_use]
    pub fn into_http<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::from(self.document(None))));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }

    /// The detail as it is kept: a constant is still one.
    pub(crate) const fn kept_detail(&self) -> Option<&Cow<'static, str>> {
        self.detail.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::TraceContext;

    #[test]
    fn without_ids_a_problem_of_a_request_is_like_any_other() {
        let problem = Problem::new(StatusCode::NOT_FOUND);
        let of_request = RequestContext::new().scope(|| problem.clone().for_request());
        assert_eq!(of_request, problem);
    }

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
    fn a_document_without_members_or_escapes_has_the_room_it_needs() {
        let request = RequestContext::new();
        request.set_request_id(HeaderValue::from_static("01890a5d"));
        request.set_trace(TraceContext::new([0xa5; 16], [1; 8], 0).unwrap());
        let bare = Problem::new(StatusCode::BAD_REQUEST);
        let full = bare.clone().with_kind("urn:a").with_detail("größer").with_instance("urn:b");
        for (problem, request) in [(&bare, None), (&full, None), (&full, Some(&request))] {
            let document = problem.document(request);
            assert_eq!(document.len(), document.capacity());
        }
    }

    #[test]
    fn the_ids_of_the_request_are_written() {
        let request = RequestContext::new();
        let problem = Problem::new(StatusCode::NOT_FOUND);
        let of_request = request.scope(|| problem.clone().for_request());
        assert_eq!(of_request.to_json(), problem.to_json());
        request.set_request_id(HeaderValue::from_static("r\"1"));
        request.set_trace(TraceContext::new([0xa5; 16], [1; 8], 0).unwrap());
        let json: serde_json::Value = serde_json::from_str(&of_request.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "title": "Not Found", "status": 404, "request_id": "r\"1", "trace_id": "a5".repeat(16),
            })
        );
    }

    #[test]
    fn a_members_name_is_there_once_though_the_request_has_an_id() {
        let request = RequestContext::new();
        request.set_request_id(HeaderValue::from_static("r-1"));
        let problem = Problem::new(StatusCode::NOT_FOUND).with_member("request_id", "mine");
        let problem = request.scope(|| problem.for_request());
        assert_eq!(problem.to_json(), r#"{"title":"Not Found","status":404,"request_id":"mine"}"#);
    }

    #[test]
    fn problems_are_equal_where_their_documents_are() {
        let of = |id| {
            let request = RequestContext::new();
            request.set_request_id(HeaderValue::from_static(id));
            request.scope(|| Problem::new(StatusCode::NOT_FOUND).for_request())
        };
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn what_was_set_is_read() {
        let bare = Problem::new(StatusCode::GONE);
        assert_eq!((bare.kind(), bare.title(), bare.detail()), (None, "Gone", None));
        assert_eq!((bare.instance(), bare.members().count()), (None, 0));
        let full = bare
            .with_kind("urn:a")
            .with_title("Sold")
            .with_detail("in May")
            .with_instance("urn:b")
            .with_member("year", 2026_u64);
        assert_eq!(
            (full.kind(), full.title(), full.detail()),
            (Some("urn:a"), "Sold", Some("in May"))
        );
        assert_eq!(full.instance(), Some("urn:b"));
        assert_eq!(full.members().collect::<Vec<_>>(), [("year", &Value::from(2026_u64))]);
    }

    #[test]
    fn a_detail_is_taken_away() {
        let problem = Problem::new(StatusCode::BAD_REQUEST).with_detail("no such table");
        assert_eq!(problem.without_detail(), Problem::new(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_status_without_a_reason_phrase_has_a_title() {
        let status = StatusCode::from_u16(499).unwrap();
        assert_eq!(Problem::new(status).to_json(), r#"{"title":"Error","status":499}"#);
    }
}
