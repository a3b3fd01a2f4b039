//! Signing in: `POST /login`.

use axum::Json;
use buttress::{Secret, context, problem::Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::error::Error;

/// The one account. A real service keeps no password, but a slow and salted hash of each, such as
/// Argon2id's (RFC 9106), and computes one for a user that there is not, too.
const USER: &str = "ada";
const PASSWORD: &str = "lovelace";

#[derive(Debug, Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: Secret<String>,
}

pub(crate) async fn login(Json(credentials): Json<Credentials>) -> Result<Json<Value>, Failure> {
    if !credentials.are_right() {
        return Err(Error::WrongPair.into());
    }
    if let Some(request) = context::current() {
        request.set_principal(USER.into());
    }
    Ok(Json(json!({ "user": USER })))
}

impl Credentials {
    /// How long it takes tells neither which of the two was wrong, nor how much of it was right.
    fn are_right(&self) -> bool {
        let user = self.user.as_bytes().ct_eq(USER.as_bytes());
        let password = self.password.expose().as_bytes().ct_eq(PASSWORD.as_bytes());
        (user & password).into()
    }
}
