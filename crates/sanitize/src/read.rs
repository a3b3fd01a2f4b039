//! Values of a type, read from a request.

use std::{future::poll_fn, pin::pin};

use bytes::{Bytes, BytesMut};
use http::{Request, Uri};
use http_body::Body;
use serde::de::DeserializeOwned;

use crate::{
    body::{BoxError, GuardedBody},
    content_type::Kind,
    guarded::GuardedJson,
    head,
    input::InputError,
    params,
    policy::Policy,
    violation::Place,
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
/// use http_body::Body;
/// use http_body_util::Full;
///
/// #[derive(serde::Deserialize)]
/// struct Order { item: String, count: u8 }
///
/// // Of `hyper::body::Incoming`, say.
/// async fn order<B>(request: Request<B>) -> Response<Full<Bytes>>
/// where
///     B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
/// {
///     match read_json::<Order, _>(request, &Policy::strict_json()).await {
///         Ok(order) => Response::new(Full::from(format!("{} {}", order.value.count, order.value.item))),
///         Err(error) => error.to_problem().into_http(),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let request = |body: &'static str| {
///     let request = Request::post("/orders").header("content-type", "application/json");
///     request.body(Full::<Bytes>::from(body)).unwrap()
/// };
/// assert_eq!(order(request(r#"{"item": "tea", "count": 2}"#)).await.status(), 200);
/// assert_eq!(order(request(r#"{"item": "tea", "count": 300}"#)).await.status(), 422);
/// assert_eq!(order(request(r#"{"item": "tea", "item": ""}"#)).await.status(), 400);
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
        .map_err(|violation| InputError::taking(kind, violation))?;
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
