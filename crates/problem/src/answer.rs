//! What is done with an answer once the decision is there.

use buttress_core::{body::ResponseBody, problem::Problem, reject::Rejected};
use http::{Response, response::Parts};
use http_body::Body;

use crate::{
    body::{Answer, Guarded},
    chain,
    failure::{Carried, is_masked},
    judge::{Caller, Fate, Judged, detail, judge, masks},
    layer::Settings,
    panic::Panic,
    read::Text,
    report, write,
};

/// An answer of which the body is still to be read, and what has come of that.
pub(crate) struct Unread {
    head: Parts,
    pub(crate) said: Vec<u8>,
}

pub(crate) enum Next<B> {
    Done(Response<Answer<B>>),
    Read { body: B, answer: Box<Unread> },
}

/// The answer as it is; its body is watched for panics if there are settings.
pub(crate) fn pass<B>(response: Response<B>, settings: Option<Settings>) -> Response<Answer<B>> {
    response.map(|body| ResponseBody::inner(Guarded::new(body, settings)))
}

/// The service has answered.
pub(crate) fn answered<B: Body>(
    settings: Settings,
    caller: Caller,
    response: Response<B>,
) -> Next<B> {
    if response.status().as_u16() < 400 {
        return Next::Done(pass(response, Some(settings)));
    }
    let (mut head, body) = response.into_parts();
    let reads_documents = caller.reads_documents(settings, &head);
    if let Some(failure) = head.extensions.remove::<Carried>() {
        report::categorize_answer(&head, failure.category());
        report::carried(settings, head.status, &failure);
        return Next::Done(if reads_documents {
            let problem = failure.document(head.status, settings.development);
            write::document(head, problem)
        } else {
            head.extensions.insert(Judged);
            pass(Response::from_parts(head, body), Some(settings))
        });
    }
    let size = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    let fate = if reads_documents { judge(settings, &head, size) } else { Fate::Keep };
    if fate == Fate::Read {
        return Next::Read { body, answer: Box::new(Unread { head, said: Vec::new() }) };
    }
    report::categorize_answer(&head, None);
    if fate == Fate::Keep {
        if is_masked(head.status) && head.extensions.get::<Judged>().is_none() {
            report::kept(head.status, head.extensions.get::<Rejected>());
            head.extensions.insert(Judged);
        }
        return Next::Done(pass(Response::from_parts(head, body), Some(settings)));
    }
    if is_masked(head.status) {
        report::failed(head.status, None, None);
    }
    let problem = Problem::new(head.status);
    Next::Done(write::document(head, problem))
}

/// The body has been read.
pub(crate) fn finish<B>(settings: Settings, answer: Unread, text: &Text) -> Response<Answer<B>> {
    let Unread { mut head, said } = answer;
    let problem = Problem::new(head.status);
    report::categorize_answer(&head, None);
    if is_masked(head.status) {
        let mut error = String::from_utf8_lossy(&said).trim().to_owned();
        if let Text::Broken(broken) = text {
            error = format!("{error}: {}", chain::one_line(&**broken));
        }
        report::failed(head.status, Some(&error), None);
    }
    if masks(settings, &head) || !matches!(text, Text::Whole) {
        return write::document(head, problem);
    }
    match detail(&head, &said) {
        Some(text) if text.is_empty() => write::document(head, problem),
        Some(text) => write::document(head, problem.with_detail(text)),
        None => {
            head.extensions.insert(Judged);
            Response::from_parts(head, ResponseBody::from_bytes(said))
        }
    }
}

/// The service has panicked, before its head was sent.
pub(crate) fn panicked<B>(settings: Settings, caller: Caller, panic: Panic) -> Response<Answer<B>> {
    report::caught(&panic);
    write::panicked(settings, caller, panic)
}
