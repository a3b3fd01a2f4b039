//! What the service does. None of it knows of the stack around it.

use std::{convert::Infallible, io};

use buttress::{RequestBody, problem::Failure};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

type Answer = Response<Full<Bytes>>;

/// By which template a path is served: what logs, metrics and traces show in its place.
pub(crate) fn template(path: &str) -> Option<&'static str> {
    match path {
        "/echo" => Some("/echo"),
        "/fail" => Some("/fail"),
        "/panic" => Some("/panic"),
        _ => user_id(path).map(|_| "/users/{id}"),
    }
}

fn user_id(path: &str) -> Option<u64> {
    path.strip_prefix("/users/")?.parse().ok()
}

/// `GET /users/{id}`, `POST /echo`, `GET /fail` and `GET /panic`.
pub(crate) async fn answer(request: Request<RequestBody<Incoming>>) -> Result<Answer, Infallible> {
    // What failed is for the log, where the stack writes it.
    Ok(try_answer(request).await.unwrap_or_else(Failure::into_http))
}

async fn try_answer(request: Request<RequestBody<Incoming>>) -> Result<Answer, Failure> {
    let (parts, body) = request.into_parts();
    match (parts.method, parts.uri.path()) {
        (Method::POST, "/echo") => echo(body).await,
        (Method::GET, "/fail") => fail(),
        (Method::GET, "/panic") => panics(),
        (Method::GET, path) => match user_id(path) {
            Some(id) => Ok(json(&json!({ "id": id, "name": format!("user {id}") }))),
            None => Err(Failure::new(StatusCode::NOT_FOUND)),
        },
        _ => Err(Failure::new(StatusCode::NOT_FOUND)),
    }
}

async fn echo(body: RequestBody<Incoming>) -> Result<Answer, Failure> {
    let wrong = |detail: String| Failure::new(StatusCode::BAD_REQUEST).with_detail(detail);
    // Also where it is too long: then the stack says so, whatever is said here.
    let body = body.collect().await.map_err(|_| wrong("the body broke off".into()))?.to_bytes();
    let value: Value = serde_json::from_slice(&body)
        .map_err(|error| wrong(format!("the body is no JSON: {error}")))?;
    Ok(json(&value))
}

fn fail() -> Result<Answer, Failure> {
    let cause = "connection to db.internal:5432 refused for user billing";
    Err(Failure::internal(io::Error::other(cause)))
}

#[expect(clippy::panic, reason = "to show what becomes of a panic")]
fn panics() -> Result<Answer, Failure> {
    panic!("no row for api key hunter2");
}

fn json(value: &Value) -> Answer {
    let mut response = Response::new(Full::from(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
