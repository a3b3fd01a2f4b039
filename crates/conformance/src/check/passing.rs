use std::any::{TypeId, type_name};
use std::future::Future;
use std::task::Poll;

use http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body::Body;
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Probe, ProbeBody, ProbeError};
use crate::trial::{Trial, drive, expect_ok, known};
use crate::{Finding, Law, Laws, Subject};

const HEADER: HeaderName = HeaderName::from_static("x-probe-kept");
const VALUES: [HeaderValue; 2] = [HeaderValue::from_static("one"), HeaderValue::from_static("two")];

/// An extension that no layer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark;

pub(crate) fn error<L: Subject>(laws: &Laws<L>) -> Verdict {
    let error = ProbeError::new("the inner service failed");
    let answer = error.clone();
    let mut trial = laws.trial_over(Probe::answering(move || Err(answer.clone())));
    trial.ready()?;
    let future = trial.service.call((laws.request)());
    match trial.run(future)? {
        Err(answered) => {
            let answered = known(answered);
            Law::Error.kept(answered == Ok(error), || {
                format!("the inner's error came out as {answered:?}")
            })
        }
        Ok(response) => Err(Finding::new(
            Law::Error,
            format!("the inner's error came out as a response, {}", response.status()),
        )),
    }
}

pub(crate) fn error_type<L: Subject>() -> Verdict {
    let same = TypeId::of::<L::Error>() == TypeId::of::<ProbeError>();
    Law::ErrorType
        .kept(same, || format!("the inner's `ProbeError` became `{}`", type_name::<L::Error>()))
}

pub(crate) fn request<L: Subject>(laws: &Laws<L>) -> Verdict {
    let (mut sent, body) = (laws.request)().into_parts();
    for value in VALUES {
        sent.headers.append(HEADER, value);
    }
    sent.extensions.insert(Mark);

    let mut trial = laws.trial();
    trial.answer(http::Request::from_parts(sent.clone(), body))?;
    let Some(seen) = trial.probe.take_request() else {
        return Err(not_called());
    };
    let seen = seen.parts;

    Law::Request.kept(seen.method == sent.method, || {
        format!("{} reached the inner as {}", sent.method, seen.method)
    })?;
    Law::Request
        .kept(seen.uri == sent.uri, || format!("{} reached the inner as {}", sent.uri, seen.uri))?;
    Law::Request.kept(seen.version == sent.version, || {
        format!("{:?} reached the inner as {:?}", sent.version, seen.version)
    })?;
    for name in sent.headers.keys() {
        let was: Vec<_> = sent.headers.get_all(name).iter().collect();
        let is: Vec<_> = seen.headers.get_all(name).iter().collect();
        Law::Request.kept(was == is, || {
            format!("the header `{name}`, {was:?}, reached the inner as {is:?}")
        })?;
    }
    Law::Request.kept(seen.extensions.get() == Some(&Mark), || {
        "an extension of the request did not reach the inner".to_owned()
    })
}

pub(crate) fn request_body<L: Subject>(laws: &Laws<L>) -> Verdict {
    let request = (laws.request)();
    let (hint, end) = (request.body().size_hint(), request.body().is_end_stream());
    let mut trial = laws.trial();
    trial.answer(request)?;
    let Some(seen) = trial.probe.take_request() else {
        return Err(not_called());
    };
    Law::RequestBody.kept(seen.body_type == TypeId::of::<ProbeBody>(), || {
        format!("the inner gets a `{}` for a `ProbeBody`", seen.body_type_name)
    })?;
    let sent = (hint.lower(), hint.upper(), end);
    let got = (seen.size_hint.lower(), seen.size_hint.upper(), seen.is_end_stream);
    Law::RequestBody.kept(got == sent, || {
        format!("(lower, upper, is_end_stream) {sent:?} reached the inner as {got:?}")
    })
}

pub(crate) fn response<L: Subject>(laws: &Laws<L>) -> Verdict {
    let mut trial = laws.trial_over(created());
    as_answered(&trial.answer((laws.request)())?)?;

    // Once more, late, and with the service gone meanwhile.
    let mut trial = laws.trial_over(created());
    trial.ready()?;
    trial.probe.answer().close();
    let Trial { task, probe, mut service, .. } = trial;
    let mut future = Box::pin(service.call((laws.request)()));
    if let Poll::Ready(answered) = task.poll(|cx| future.as_mut().poll(cx)) {
        return Err(Finding::new(
            Law::Response,
            answered.map_or_else(
                |error| format!("the inner was at work, and out came the error {}", error.into()),
                |response| format!("the inner was at work, and out came {}", response.status()),
            ),
        ));
    }
    drop(service);
    probe.answer().open();
    as_answered(&expect_ok(drive(&task, "the future", |cx| future.as_mut().poll(cx))?)?)
}

fn created() -> Probe {
    Probe::answering(|| {
        let mut response = Response::new(ProbeBody::new().data("hello").exact());
        *response.status_mut() = StatusCode::CREATED;
        *response.version_mut() = Version::HTTP_2;
        for value in VALUES {
            response.headers_mut().append(HEADER, value);
        }
        response.extensions_mut().insert(Mark);
        Ok(response)
    })
}

fn as_answered<B>(response: &Response<B>) -> Verdict {
    Law::Response.kept(response.status() == StatusCode::CREATED, || {
        format!("201 came out as {}", response.status())
    })?;
    Law::Response.kept(response.version() == Version::HTTP_2, || {
        format!("HTTP/2.0 came out as {:?}", response.version())
    })?;
    let values: Vec<_> = response.headers().get_all(HEADER).iter().collect();
    Law::Response.kept(values.iter().copied().eq(&VALUES), || {
        format!("the header `{HEADER}`, {VALUES:?}, came out as {values:?}")
    })?;
    Law::Response.kept(response.extensions().get() == Some(&Mark), || {
        "an extension of the response was lost".to_owned()
    })
}

/// Whether the layer passes the request on. If it does not, no law can be seen to be kept.
pub(crate) fn passes_on<L: Subject>(laws: &Laws<L>) -> Verdict {
    let mut trial = laws.trial();
    trial.answer((laws.request)())?;
    if trial.probe.calls() > 0 { Ok(()) } else { Err(not_called()) }
}

pub(super) fn not_called() -> Finding {
    Finding::new(
        Law::Request,
        "the inner was not called: with `Laws::request`, make a request that the layer passes on, \
         each time that it is made",
    )
}
