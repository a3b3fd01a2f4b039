//! The document as it is sent.

use bytes::Bytes;

use super::Problem;
use crate::{context::RequestContext, value::write_json_str};

/// A problem of which all is written but the ids of the request.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) problem: Problem,
    document: Bytes,
    /// Where the ids go.
    ids_at: usize,
}

impl Prepared {
    pub(crate) fn new(problem: Problem) -> Self {
        let mut out = Vec::new();
        problem.write_begin(&mut out);
        let ids_at = out.len();
        problem.write_end(&mut out);
        Self { problem, document: out.into(), ids_at }
    }

    pub(crate) fn document(&self, request: Option<&RequestContext>) -> Bytes {
        let ids = Ids::of(&self.problem, request);
        let room = room(&ids.texts());
        let Some((begin, end)) = self.document.split_at_checked(self.ids_at).filter(|_| room > 0)
        else {
            return self.document.clone();
        };
        let mut out = Vec::with_capacity(self.document.len() + room);
        out.extend_from_slice(begin);
        write_texts(&mut out, &ids.texts());
        out.extend_from_slice(end);
        out.into()
    }
}

impl Problem {
    /// The document, with the ids of `request` or else of the one that
    /// [`for_request`](Self::for_request) found.
    pub(crate) fn document(&self, request: Option<&RequestContext>) -> Vec<u8> {
        let ids = Ids::of(self, request);
        // Exact where nothing needs an escape: `Bytes` are made of a full `Vec` as it is, and with
        // one more allocation of any other.
        let texts = [self.summary(), self.particular(), ids.texts()];
        let members = self.members.iter().map(|(name, _)| r#","":"""#.len() + name.len() + 24);
        let room = texts.iter().map(room).sum::<usize>()
            + members.sum::<usize>()
            + r#","status":500}"#.len();

        let mut out = Vec::with_capacity(room);
        self.write_begin(&mut out);
        write_texts(&mut out, &ids.texts());
        self.write_end(&mut out);
        out
    }

    fn summary(&self) -> [Text<'_>; 2] {
        [("type", self.kind()), ("title", Some(self.title()))]
    }

    fn particular(&self) -> [Text<'_>; 2] {
        [("detail", self.detail()), ("instance", self.instance())]
    }

    /// What comes before the ids.
    fn write_begin(&self, out: &mut Vec<u8>) {
        write_texts(out, &self.summary());
        out.extend_from_slice(br#","status":"#);
        out.extend_from_slice(self.status.as_str().as_bytes());
        write_texts(out, &self.particular());
    }

    /// What comes after them.
    fn write_end(&self, out: &mut Vec<u8>) {
        for (name, value) in self.members.iter() {
            out.push(b',');
            write_json_str(out, name);
            out.push(b':');
            value.write_json(out);
        }
        out.push(b'}');
    }
}

/// What the request that is answered adds.
struct Ids<'a> {
    request: Option<&'a str>,
    trace: Option<[u8; 32]>,
}

impl<'a> Ids<'a> {
    fn of(problem: &'a Problem, request: Option<&'a RequestContext>) -> Self {
        let Some(request) = request.or(problem.request.as_ref()) else {
            return Self { request: None, trace: None };
        };
        let is_free = |name| problem.members.get(name).is_none();
        Self {
            request: request.request_id_str().filter(|_| is_free("request_id")),
            trace: request
                .trace()
                .filter(|_| is_free("trace_id"))
                .map(|trace| hex(trace.trace_id())),
        }
    }

    fn texts(&self) -> [Text<'_>; 2] {
        let trace = self.trace.as_ref().and_then(|digits| std::str::from_utf8(digits).ok());
        [("request_id", self.request), ("trace_id", trace)]
    }
}

/// A member that is text, if it is there; its name needs no escape.
type Text<'a> = (&'static str, Option<&'a str>);

fn room(members: &[Text<'_>; 2]) -> usize {
    let texts = members.iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    texts.map(|(name, text)| r#","":"""#.len() + name.len() + text.len()).sum()
}

fn write_texts(out: &mut Vec<u8>, members: &[Text<'_>; 2]) {
    for (name, text) in members {
        if let Some(text) = text {
            out.extend_from_slice(if out.is_empty() { br#"{""# } else { br#",""# });
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(br#"":"#);
            write_json_str(out, text);
        }
    }
}

fn hex(id: &[u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    let nibbles = id.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    for (digit, nibble) in digits.iter_mut().zip(nibbles) {
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    digits
}
