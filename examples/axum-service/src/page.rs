//! The page at `/`, whose inline style and script run by the request's nonce alone.

use axum::{
    Extension,
    extract::State,
    response::{Html, IntoResponse},
};
use buttress::{headers::CspNonce, problem::Failure};

use crate::routes::Service;

const PAGE: &str = include_str!("page.html");

pub(crate) async fn show(
    State(service): State<Service>,
    Extension(nonce): Extension<CspNonce>,
) -> Result<impl IntoResponse, Failure> {
    let nonce = nonce.get().map_err(Failure::internal)?;
    // Neither needs escaping: the one is base64url, and the other a socket's address.
    let origin = format!("http://{}", service.address);
    Ok(Html(PAGE.replace("{nonce}", nonce).replace("{origin}", &origin)))
}
