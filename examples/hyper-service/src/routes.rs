//! What the service does. None of it knows of the stack around it.

use std::convert::Infallible;

use buttress::{RequestBody, context, problem::Problem};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tracing::field::display;

type Answer = Response<Full<Bytes>>;

/// `GET /users/{id}`, `POST /echo` and `GET /fail`.
pub(crate) async fn answer(request: Request<RequestBody<Incoming>>) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    Ok(match (parts.method, parts.uri.path()) {
        (Method::POST, "/echo") => echo(body).await,
        (Method::GET, "/fail") => fail(),
        (Method::GET, path) => match path.strip_prefix("/users/").map(str::parse) {
            Some(Ok(id)) => user(id),
            _ => problem(Problem::new(StatusCode::NOT_FOUND)),
        },
        _ => problem(Problem::new(StatusCode::NOT_FOUND)),
    })
}

fn user(id: u64) -> Answer {
    json(&json!({ "id": id, "name": format!("user {id}") }))
}

async fn echo(body: RequestBody<Incoming>) -> Answer {
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        // Also where it is too long: then the stack says so, whatever is said here.
        Err(_) => {
            let detail = "the body broke off";
            return problem(Problem::new(StatusCode::BAD_REQUEST).with_detail(detail));
        }
    };
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) => json(&value),
        Err(error) => {
            let detail = format!("the body is no JSON: {error}");
            problem(Problem::new(StatusCode::BAD_REQUEST).with_detail(detail))
        }
    }
}

/// What went wrong is for the log. The client gets the id by which to find it there.
fn fail() -> Answer {
    let error = "connection to db.internal:5432 refused for user billing";
    let request = context::current().unwrap_or_default();
    let (request_id, client_ip) = (request.request_id_str(), request.client_ip().map(display));
    tracing::error!(request_id, client_ip, error, "the request failed");
    problem(Problem::new(StatusCode::INTERNAL_SERVER_ERROR))
}

fn problem(problem: Problem) -> Answer {
    problem.for_request().into_http()
}

fn json(value: &Value) -> Answer {
    let mut response = Response::new(Full::from(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
