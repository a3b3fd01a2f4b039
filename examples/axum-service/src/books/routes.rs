//! `/books` and `/orders`.

use axum::{
    Json,
    extract::{Path, State},
    http::{
        HeaderValue, StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::IntoResponse,
};
use buttress::{
    problem::Failure,
    sanitize::{self, Id, Page, Query, Valid},
};
use serde::Serialize;

use super::{Book, Error, NewBook, NewOrder, Order};
use crate::routes::Service;

#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    books: Vec<Book>,
    /// The page after this one, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

pub(crate) async fn page(
    State(Service { books, .. }): State<Service>,
    Query(page): Query<Page>,
) -> Result<Json<Shown>, Failure> {
    let (books, is_more) = books.page(page).await.map_err(failed)?;
    let next = if is_more { page.number().checked_add(1) } else { None };
    Ok(Json(Shown { books, next }))
}

pub(crate) async fn book(
    State(Service { books, .. }): State<Service>,
    Path(id): Path<Id<i64>>,
) -> Result<Json<Book>, Failure> {
    Ok(Json(books.book(id.get()).await.map_err(failed)?))
}

pub(crate) async fn add(
    State(Service { books, .. }): State<Service>,
    Valid(sanitize::Json(new)): Valid<sanitize::Json<NewBook>>,
) -> Result<impl IntoResponse, Failure> {
    let book = books.add(new).await.map_err(failed)?;
    let location = [(LOCATION, format!("/books/{}", book.id))];
    Ok((StatusCode::CREATED, location, Json(book)))
}

pub(crate) async fn order(
    State(Service { books, .. }): State<Service>,
    Valid(sanitize::Json(new)): Valid<sanitize::Json<NewOrder>>,
) -> Result<impl IntoResponse, Failure> {
    let order = books.order(new).await.map_err(failed)?;
    let location = [(LOCATION, format!("/orders/{}", order.id))];
    Ok((StatusCode::CREATED, location, Json(order)))
}

pub(crate) async fn ordered(
    State(Service { books, .. }): State<Service>,
    Path(id): Path<Id<i64>>,
) -> Result<Json<Order>, Failure> {
    Ok(Json(books.ordered(id.get()).await.map_err(failed)?))
}

/// What passes is worth another try, which may find another instance.
fn failed(error: Error) -> Failure {
    let is_passing = error.is_passing();
    let failure = Failure::from(error);
    if is_passing {
        return failure.with_header(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    failure
}
