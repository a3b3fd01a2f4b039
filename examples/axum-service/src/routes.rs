//! The routes. Nothing in them knows of the stack, but for the context that it gives.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName},
    },
    response::IntoResponse,
    routing::{get, post},
};
use buttress::{
    context,
    headers::{SecureWhen, SecurityHeadersLayer},
    log::{Operation, logger, operation},
    problem::Failure,
    sanitize::Strict,
    shutdown::Shutdown,
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};

use crate::{
    books::{self, Books},
    comments::comment,
    error::Error,
    limits::Limits,
    login::login,
    numbers::Numbers,
    outbound::Outbound,
    page,
    pulse::{self, Pulse},
    search::search,
    secrets::{self, Secrets},
    socket,
    upload::upload,
    upstream::{self, Upstream},
};

/// The longest pause that a caller may ask `/slow` for.
const LONGEST_MS: u64 = 10_000;
/// From which on it is a line in the log.
const LONG: Duration = Duration::from_millis(100);
/// What a caller may ask `/stream` for: so many lines, with such pauses.
const MOST_CHUNKS: u32 = 100;
const LONGEST_PAUSE_MS: u64 = 1_000;

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) secrets: Secrets,
    pub(crate) books: Books,
    pub(crate) shutdown: Shutdown,
    pub(crate) pulse: watch::Sender<Pulse>,
    outbound: Outbound,
}

impl Service {
    pub(crate) fn new(
        address: SocketAddr,
        numbers: &Numbers,
        upstream: Upstream,
        secrets: Secrets,
        books: Books,
        shutdown: &Shutdown,
        pulse: watch::Sender<Pulse>,
    ) -> Self {
        let outbound = Outbound::to(address, &numbers.called);
        let shutdown = shutdown.clone();
        Self { address, upstream, secrets, books, shutdown, pulse, outbound }
    }
}

pub(crate) fn router(service: Service, limits: &Limits) -> Router {
    // A page among the answers of an API: it brings its own headers, and the stack leaves those
    // that are there as they are. On a desk it comes over plain HTTP, where Safari would take
    // `upgrade-insecure-requests` at its word, for localhost too: so that is for https alone.
    let headers = SecurityHeadersLayer::web_strict().secure_when(SecureWhen::scheme_https());
    let page = get(page::show).route_layer(headers);
    // What axum answers to anything else, and where an extractor refuses, is bare: of that too the
    // stack makes problem documents.
    Router::new()
        .route("/", page)
        .route("/users/{id}", get(user))
        .route("/echo", post(echo))
        .route("/comments", post(comment))
        .route("/login", post(login).route_layer(limits.login.clone()))
        .route("/search", get(search).route_layer(limits.search.clone()))
        .route("/slow", get(slow).route_layer(limits.slow.clone()))
        .route("/stream", get(stream))
        .route("/events", get(pulse::events))
        .route("/ws", get(socket::open))
        .route("/fail", get(fail))
        .route("/panic", get(panics))
        .route("/outbound", get(outbound))
        .route("/upstream", get(upstream::routes::call).post(upstream::routes::call))
        .route("/upstream/state", get(upstream::routes::state))
        .route("/books", get(books::routes::page).post(books::routes::add))
        .route("/books/{id}", get(books::routes::book))
        .route("/orders", post(books::routes::order))
        .route("/orders/{id}", get(books::routes::ordered))
        .route("/secrets", post(secrets::routes::create))
        .route("/secrets/{id}", get(secrets::routes::value))
        .route("/secrets/{id}/sealed", get(secrets::routes::sealed))
        .route("/secrets/rotate", post(secrets::routes::rotate))
        // Said here, so that it is in this router's stack and not in that of one merged with it.
        .fallback(nowhere)
        .with_state(service)
}

/// Those that take what the others do not.
pub(crate) fn uploads() -> Router {
    Router::new().route("/upload", post(upload))
}

#[derive(Debug, Serialize)]
struct User {
    id: u64,
    name: String,
}

async fn user(Path(Strict(id)): Path<Strict<u64>>) -> Result<Json<User>, Failure> {
    // What only the handler knows, on the access line.
    if let Some(request) = context::current() {
        request.add("viewed_user", id);
    }
    if id == 0 {
        return Err(Error::NoUser.into());
    }
    Ok(Json(User { id, name: format!("User {id}") }))
}

/// By itself it takes whatever `serde_json` takes: what is let in is the stack's to say.
async fn echo(Json(body): Json<Value>) -> Json<Value> {
    Json(body)
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

async fn slow(Query(Slow { ms }): Query<Slow>) -> Result<Json<Value>, Failure> {
    Error::at_most("ms", ms, LONGEST_MS)?;
    // Timed as a query or a call would be: `service_ms` on the access line, and a line of its own
    // where it is slow …
    let pause = operation(Operation::Service, "pause").slow(LONG);
    let pause = pause.time(sleep(Duration::from_millis(ms)));
    // … which has this field, as whatever is logged meanwhile.
    logger().with("asked_ms", ms).follow(pause).await;
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

async fn stream(Query(Chunks { chunks, ms }): Query<Chunks>) -> Result<impl IntoResponse, Failure> {
    Error::at_most("chunks", chunks.into(), MOST_CHUNKS.into())?;
    Error::at_most("ms", ms, LONGEST_PAUSE_MS)?;
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
async fn fail() -> Result<Json<Value>, Failure> {
    let cause = "cannot connect to postgres://app:hunter2@db.internal:5432/orders";
    Err(Error::Unreachable(io::Error::other(cause)).into())
}

#[expect(clippy::panic, reason = "to show what becomes of a panic")]
async fn panics() -> Json<Value> {
    panic!("no row for api key hunter2");
}

async fn outbound(State(service): State<Service>) -> Result<Json<Value>, Failure> {
    let answer = service.outbound.get("/users/1").await.map_err(Failure::internal)?;
    let theirs = answer.headers().get(HeaderName::from_static("x-request-id"));
    let user: Value = serde_json::from_slice(answer.body()).map_err(Failure::internal)?;
    Ok(Json(json!({
        "request_id": request_id(),
        "upstream": {
            "status": answer.status().as_u16(),
            "request_id": theirs.and_then(|id| id.to_str().ok()),
            "body": user,
        },
    })))
}

async fn nowhere() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// The id of the current request, wherever the code is.
fn request_id() -> Option<String> {
    context::current()?.request_id_str().map(str::to_owned)
}
