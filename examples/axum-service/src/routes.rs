//! The routes. Nothing in them knows of the stack, but for the context that it gives.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName},
    },
    response::IntoResponse,
    routing::{get, post},
};
use buttress::headers::{SecureWhen, SecurityHeadersLayer};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    error::{Error, request_id},
    outbound::Outbound,
    page,
};

/// The longest pause that a caller may ask `/slow` for.
const LONGEST_MS: u64 = 10_000;
/// What a caller may ask `/stream` for: so many lines, with such pauses.
const MOST_CHUNKS: u32 = 100;
const LONGEST_PAUSE_MS: u64 = 1_000;

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    outbound: Outbound,
}

pub(crate) fn router(address: SocketAddr) -> Router {
    // A page among the answers of an API: it brings its own headers, and the stack leaves those
    // that are there as they are. On a desk it comes over plain HTTP, where Safari would take
    // `upgrade-insecure-requests` at its word, for localhost too: so that is for https alone.
    let headers = SecurityHeadersLayer::web_strict().secure_when(SecureWhen::scheme_https());
    let page = get(page::show).layer(headers);
    Router::new()
        .route("/", page)
        .route("/users/{id}", get(user))
        .route("/echo", post(echo))
        .route("/slow", get(slow))
        .route("/stream", get(stream))
        .route("/fail", get(fail))
        .route("/panic", get(panics))
        .route("/outbound", get(outbound))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Service { address, outbound: Outbound::to(address) })
}

#[derive(Debug, Serialize)]
struct User {
    id: u64,
    name: String,
}

async fn user(id: Result<Path<u64>, PathRejection>) -> Result<Json<User>, Error> {
    let Path(id) = id?;
    if id == 0 {
        return Err(Error::client(StatusCode::NOT_FOUND, "users are counted from 1"));
    }
    Ok(Json(User { id, name: format!("User {id}") }))
}

async fn echo(body: Result<Json<Value>, JsonRejection>) -> Result<Json<Value>, Error> {
    Ok(body?)
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Slow {
    ms: u64,
}

impl Default for Slow {
    fn default() -> Self {
        Self { ms: 250 }
    }
}

async fn slow(query: Result<Query<Slow>, QueryRejection>) -> Result<Json<Value>, Error> {
    let Query(Slow { ms }) = query?;
    at_most("ms", ms, LONGEST_MS)?;
    sleep(Duration::from_millis(ms)).await;
    Ok(Json(json!({ "slept_ms": ms })))
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Chunks {
    chunks: u32,
    ms: u64,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { chunks: 5, ms: 200 }
    }
}

async fn stream(query: Result<Query<Chunks>, QueryRejection>) -> Result<impl IntoResponse, Error> {
    let Query(Chunks { chunks, ms }) = query?;
    at_most("chunks", chunks.into(), MOST_CHUNKS.into())?;
    at_most("ms", ms, LONGEST_PAUSE_MS)?;
    let lines = stream::unfold(1, move |chunk| async move {
        if chunk > chunks {
            return None;
        }
        if chunk > 1 {
            sleep(Duration::from_millis(ms)).await;
        }
        // The handler has returned long ago, and the request still has its context.
        let id = request_id().unwrap_or_default();
        Some((Ok::<_, Infallible>(format!("{chunk}/{chunks} request_id={id}\n")), chunk + 1))
    });
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(lines)))
}

/// The kind of text that must not leave the house.
const SECRET: &str = "cannot connect to postgres://app:hunter2@db.internal:5432/orders";

async fn fail() -> Error {
    Error::internal(SECRET)
}

#[expect(clippy::panic, reason = "to show what becomes of a panic")]
async fn panics() -> Json<Value> {
    panic!("no row for api key hunter2");
}

async fn outbound(State(service): State<Service>) -> Result<Json<Value>, Error> {
    let answer = service.outbound.get("/users/1").await.map_err(Error::internal)?;
    let theirs = answer.headers().get(HeaderName::from_static("x-request-id"));
    let user: Value = serde_json::from_slice(answer.body()).map_err(Error::internal)?;
    Ok(Json(json!({
        "request_id": request_id(),
        "upstream": {
            "status": answer.status().as_u16(),
            "request_id": theirs.and_then(|id| id.to_str().ok()),
            "body": user,
        },
    })))
}

async fn nowhere() -> Error {
    Error::client(StatusCode::NOT_FOUND, "there is nothing here; GET / lists what there is")
}

async fn wrong_method() -> Error {
    Error::client(StatusCode::METHOD_NOT_ALLOWED, "the header `allow` says what is allowed here")
}

fn at_most(name: &str, value: u64, most: u64) -> Result<(), Error> {
    if value <= most {
        return Ok(());
    }
    Err(Error::client(StatusCode::BAD_REQUEST, format!("{name} is at most {most}")))
}
