use std::pin::Pin;

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::passing::not_called;
use crate::end::trailers;
use crate::finding::Verdict;
use crate::probe::{Probe, ProbeBody, ProbeError};
use crate::trial::{Event, Trial, expect_ok};
use crate::{BoxError, Finding, Law, Laws, Subject};

/// A body that the inner answers, and to what.
pub(super) struct Case {
    pub(super) name: &'static str,
    method: Option<Method>,
    status: StatusCode,
    pub(super) body: ProbeBody,
}

impl Case {
    const fn new(name: &'static str, body: ProbeBody) -> Self {
        Self { name, method: None, status: StatusCode::OK, body }
    }

    pub(super) fn all() -> Vec<Self> {
        let body = ProbeBody::new;
        let mut head = Self::new("HEAD", body());
        head.method = Some(Method::HEAD);
        let mut head_sized =
            Self::new("HEAD, answered with a sized body", body().data("hello").exact());
        head_sized.method = Some(Method::HEAD);
        let mut no_content = Self::new("204", body());
        no_content.status = StatusCode::NO_CONTENT;
        let mut not_modified = Self::new("304", body());
        not_modified.status = StatusCode::NOT_MODIFIED;
        vec![
            Self::new("empty", body()),
            head,
            head_sized,
            no_content,
            not_modified,
            Self::new("one frame, exact", body().data("hello").exact()),
            Self::new("three frames, exact", body().data("a").data("bc").data("def").exact()),
            Self::new("two frames, bounded", body().data("a").data("bc").at_most(10)),
            Self::new("two frames, no size", body().data("a").data("bc")),
            Self::new("two frames, silent end", body().data("a").data("bc").silent_end()),
            Self::new("empty frames", body().data("").data("a").data("").data("b").exact()),
            Self::new("data and trailers", body().data("a").trailers(trailers())),
            Self::new("trailers alone", body().trailers(trailers()).silent_end()),
            Self::new("data and an error", body().data("a").error(failed())),
            Self::new("an error alone", body().error(failed())),
        ]
    }

    /// The response's body as the layer hands it out; `None` where there is none, because the layer
    /// answers the case's method by itself or reads the body, and fails with it, before it answers.
    pub(super) fn open<L: Subject>(&self, laws: &Laws<L>) -> Verdict<Option<Opened<L>>> {
        let (status, body) = (self.status, self.body.clone());
        let length = body.size_hint().exact().filter(|_| self.has_length());
        let mut trial = laws.trial_over(Probe::answering(move || {
            let mut response = Response::new(body.clone());
            *response.status_mut() = status;
            response.headers_mut().extend(length.map(|bytes| (CONTENT_LENGTH, bytes.into())));
            Ok(response)
        }));
        let mut request = (laws.request)();
        if let Some(method) = &self.method {
            *request.method_mut() = method.clone();
        }
        trial.ready()?;
        let future = trial.service.call(request);
        let answered = trial.run(future)?.map_err(Into::<BoxError>::into);
        if trial.probe.calls() == 0 {
            return if self.method.is_some() { Ok(None) } else { Err(not_called()) };
        }
        // A layer that reads the body before it answers can tell its error in no other way.
        if answered.as_ref().is_err_and(|error| error.downcast_ref() == Some(&failed())) {
            return Ok(None);
        }
        let (answer, body) = expect_ok(answered)?.into_parts();
        let length = answer.headers.get(CONTENT_LENGTH).filter(|_| self.has_length());
        let length = length.map(bytes).transpose()?;
        Ok(Some(Opened { trial, length, body: Box::pin(body) }))
    }

    /// Whether a content-length is that of the body: without a body it may be that of another.
    fn has_length(&self) -> bool {
        self.method != Some(Method::HEAD) && self.status == StatusCode::OK
    }
}

fn bytes(length: &HeaderValue) -> Verdict<u64> {
    let bytes = length.to_str().ok().and_then(|length| length.parse().ok());
    bytes.ok_or_else(|| Finding::new(Law::HonestSize, format!("a content-length of {length:?}")))
}

fn failed() -> ProbeError {
    ProbeError::new("the inner body failed")
}

/// A case's response, as the layer hands it out.
pub(super) struct Opened<L: Subject> {
    pub(super) trial: Trial<L::Wrapped>,
    pub(super) length: Option<u64>,
    pub(super) body: Pin<Box<L::Body>>,
}

impl<L: Subject> Opened<L> {
    pub(super) fn event(&mut self) -> Verdict<Event> {
        self.trial.event(self.body.as_mut())
    }
}
