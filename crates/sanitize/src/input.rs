//! Values of a type, read from a request.

use std::{error::Error, fmt, future::poll_fn, pin::pin};

use buttress_core::{problem::Problem, reject::Rejection, value::Value};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, StatusCode, Uri, header::ACCEPT};
use http_body::Body;
use serde::de::DeserializeOwned;

use crate::{
    body::{BodyError, BoxError, GuardedBody},
    content_type::Kind,
    guarded::{DataError, GuardedJson, ReadError},
    head, params,
    policy::Policy,
    rule::Rule,
    violation::{self, Place, Violation},
};

/// Reads a JSON body under a policy, in one parse: its content type, its encoding and its length are
/// judged first, and no more of it is held than the policy allows.
///
/// For a handler of any server; under axum the extractors do the same.
///
/// ```
/// use buttress_sanitize::{Policy, read_json};
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
///
/// #[derive(serde::Deserialize)]
/// struct Order { item: String, count: u8 }
///
/// async fn order(request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
///     let (_, body) = request.into_parts();
/// #   let mut request = Request::new(body);
/// #   request.headers_mut().insert("content-type", "application/json".parse().unwrap());
///     match read_json::<Order, _>(request, &Policy::strict_json()).await {
///         Ok(order) => Response::new(Full::from(format!("{} {}", order.value.count, order.value.item))),
///         Err(error) => error.to_problem().into_http(),
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let request = Request::new(Full::from(r#"{"item": "tea", "count": 2}"#));
/// # assert_eq!(order(request).await.status(), 200);
/// # let request = Request::new(Full::from(r#"{"item": "tea", "count": 300}"#));
/// # assert_eq!(order(request).await.status(), 422);
/// # }
/// ```
///
/// # Errors
///
/// Where a rule is broken, the value is none of the type, or the body fails.
pub async fn read_json<T, B>(
    request: Request<B>,
    policy: &Policy,
) -> Result<GuardedJson<T>, InputError>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let text = read(request, policy, Kind::Json).await?;
    GuardedJson::from_slice(&text, policy).map_err(InputError::from)
}

/// Reads a form (`application/x-www-form-urlencoded`) under a policy, as [`read_json`] does JSON.
///
/// Integers and floats are read as [`Strict`](crate::Strict) does, booleans are `true` and `false`,
/// and a parameter that the policy lets come more than once is a list.
///
/// # Errors
///
/// As [`read_json`].
pub async fn read_form<T, B>(request: Request<B>, policy: &Policy) -> Result<T, InputError>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let form = read(request, policy, Kind::Form).await?;
    policy.check_form(&form)?;
    params::read(&form).map_err(|error| InputError::data(error, Place::Body))
}

/// Reads the query of a URI under a policy, as [`read_form`] does a form.
///
/// ```
/// use buttress_sanitize::{Id, Policy, read_query};
///
/// #[derive(serde::Deserialize)]
/// struct Search { q: String, page: Option<u32>, author: Option<Id> }
///
/// let read = |uri: &'static str| {
///     read_query::<Search>(&http::Uri::from_static(uri), &Policy::strict_json())
/// };
/// let search = read("/search?q=tower+%26+hyper&page=2")?;
/// assert_eq!((search.q.as_str(), search.page), ("tower & hyper", Some(2)));
///
/// let error = read("/search?q=a&page=%2B2").err().unwrap();
/// assert_eq!((error.status().as_u16(), error.to_string().as_str()),
///     (422, "query /page: expected an integer from 0 to 2^32 - 1"));
/// assert_eq!(read("/search?q=a&q[]=b").err().unwrap().status(), 400);
/// # Ok::<(), buttress_sanitize::InputError>(())
/// ```
///
/// # Errors
///
/// As [`read_json`].
pub fn read_query<T: DeserializeOwned>(uri: &Uri, policy: &Policy) -> Result<T, InputError> {
    let query = uri.query().unwrap_or_default();
    policy.check_query(query)?;
    params::read(query.as_bytes()).map_err(|error| InputError::data(error, Place::Query))
}

/// The bytes of a body of this kind.
async fn read<B>(request: Request<B>, policy: &Policy, kind: Kind) -> Result<Bytes, InputError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (mut head, body) = request.into_parts();
    let size = body.size_hint();
    head::content(&mut head.headers, &size, policy, |given| given == kind)
        .map_err(|violation| InputError { accept: Some(kind), ..InputError::from(violation) })?;
    // Counted; what is in it is judged when it is parsed.
    let mut body = pin!(GuardedBody::new(body, Kind::Other, policy));
    let (mut only, mut many) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(InputError::of_body)?.into_data() else { continue };
        if only.is_empty() && many.is_empty() {
            only = data;
        } else {
            many.extend_from_slice(&std::mem::take(&mut only));
            many.extend_from_slice(&data);
        }
    }
    Ok(if many.is_empty() { only } else { many.freeze() })
}

/// Why a value was not read. It never has a value that was sent.
///
/// It is 400 for what is not well-formed or breaks a rule (or 408, 413, 414, 415), and 422 for what
/// is well-formed and not what was asked for.
#[derive(Debug)]
pub struct InputError {
    cause: Box<Cause>,
    accept: Option<Kind>,
}

#[derive(Debug)]
enum Cause {
    Refused(Violation),
    Data(DataError, Place),
    #[cfg_attr(
        not(any(feature = "garde", feature = "validator")),
        expect(dead_code, reason = "nobody validates")
    )]
    Invalid(Vec<Invalid>, Place),
    Body(BoxError),
}

/// One thing that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) pointer: String,
    pub(crate) detail: String,
    pub(crate) rule: String,
}

impl InputError {
    const fn of(cause: Box<Cause>) -> Self {
        Self { cause, accept: None }
    }

    pub(crate) fn data(error: DataError, place: Place) -> Self {
        Self::of(Box::new(Cause::Data(error, place)))
    }

    #[cfg(any(feature = "garde", feature = "validator"))]
    pub(crate) fn invalid(invalid: Vec<Invalid>, place: Place) -> Self {
        Self::of(Box::new(Cause::Invalid(invalid, place)))
    }

    /// What a guard further out has found is told as it was found, and a limit further out
    /// (`RequestBodyLimit` of tower-http) as ours.
    fn of_body(error: BodyError) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = next {
            if let Some(violation) = cause.downcast_ref::<Violation>() {
                return Self::from(violation.clone());
            }
            #[cfg(feature = "axum")]
            if cause.is::<http_body_util::LengthLimitError>() {
                return Self::from(head::too_large());
            }
            next = cause.source();
        }
        Self::of(Box::new(Cause::Body(error.into())))
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match &*self.cause {
            Cause::Refused(violation) => violation.status(),
            Cause::Data(..) | Cause::Invalid(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Cause::Body(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// Why, in one of a few fixed words: the [rule](Rule::name) that was broken, `data` for what is
    /// none of the type, `invalid` for what did not pass its validation, `body` for one that
    /// failed.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match &*self.cause {
            Cause::Refused(violation) => violation.rule().name(),
            Cause::Data(..) => "data",
            Cause::Invalid(..) => "invalid",
            Cause::Body(_) => "body",
        }
    }

    /// The rule that was broken, if one was.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match &*self.cause {
            Cause::Refused(violation) => Some(violation),
            Cause::Data(..) | Cause::Invalid(..) | Cause::Body(_) => None,
        }
    }

    /// The problem document (RFC 9457) of a refusal.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let problem = Problem::new(self.status());
        match self.errors() {
            Some(errors) => problem.with_member("errors", errors),
            None => problem.with_detail(UNREADABLE),
        }
    }

    /// The refusal, for whoever answers.
    pub fn to_rejection(&self) -> Rejection {
        let mut rejection = Rejection::new("sanitize", self.reason(), self.status());
        rejection = match self.errors() {
            Some(errors) => rejection.with_member("errors", errors),
            None => rejection.with_detail(UNREADABLE),
        };
        let rule = self.violation().map(Violation::rule);
        match (rule, self.accept) {
            (Some(Rule::ContentType | Rule::Charset), Some(kind)) => {
                rejection.with_header(ACCEPT, HeaderValue::from_static(kind.media_type()))
            }
            (Some(Rule::ContentEncoding), _) => {
                let identity = HeaderValue::from_static("identity");
                rejection.with_header(http::header::ACCEPT_ENCODING, identity)
            }
            _ => rejection,
        }
    }

    fn errors(&self) -> Option<Vec<Value>> {
        Some(match &*self.cause {
            Cause::Refused(violation) => vec![violation.to_value()],
            Cause::Data(error, place) => vec![error.to_value(*place)],
            Cause::Invalid(all, place) => all
                .iter()
                .map(|one| {
                    violation::error(one.detail.clone(), &one.pointer, *place, one.rule.clone())
                })
                .collect(),
            Cause::Body(_) => return None,
        })
    }
}

const UNREADABLE: &str = "the body could not be read";

impl From<Violation> for InputError {
    fn from(violation: Violation) -> Self {
        Self::of(Box::new(Cause::Refused(violation)))
    }
}

impl From<ReadError> for InputError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(violation) => violation.into(),
            ReadError::Data(error) => Self::data(error, Place::Body),
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |f: &mut fmt::Formatter<'_>, place: Place, pointer: &str, detail: &str| match pointer {
                "" => write!(f, "{}: {detail}", place.name()),
                _ => write!(f, "{} {pointer}: {detail}", place.name()),
            };
        match &*self.cause {
            Cause::Refused(violation) => violation.fmt(f),
            Cause::Data(error, place) => line(f, *place, error.pointer(), error.detail()),
            Cause::Invalid(all, place) => {
                for (i, one) in all.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "; " })?;
                    line(f, *place, &one.pointer, &one.detail)?;
                }
                Ok(())
            }
            Cause::Body(_) => f.write_str(UNREADABLE),
        }
    }
}

impl Error for InputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.cause {
            Cause::Body(error) => Some(&**error),
            Cause::Refused(_) | Cause::Data(..) | Cause::Invalid(..) => None,
        }
    }
}
