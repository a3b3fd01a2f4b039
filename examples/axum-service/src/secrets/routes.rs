//! `/secrets`: kept, shown, and sealed anew.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{Extensions, HeaderMap, StatusCode, header::LOCATION},
    response::IntoResponse,
};
use buttress::{Secret, problem::Failure, sanitize::Strict, seal::Sealed};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::{Rotated, Stored};
use crate::{error::Error, routes::Service};

/// In bytes.
const LONGEST_NAME: usize = 100;
const LONGEST_VALUE: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
pub(crate) struct New {
    name: String,
    value: Secret<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: i64,
    name: String,
    #[serde(serialize_with = "exposed")]
    value: Secret<String>,
}

/// Marks an answer that has a secret in it beside what somebody else may have chosen, its name:
/// compressed, it would tell the secret by its length (BREACH, CVE-2013-3587).
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldsSecret;

impl HoldsSecret {
    /// For the stack's compression.
    pub(crate) fn marks(_: StatusCode, _: &HeaderMap, own: &Extensions) -> bool {
        own.get::<Self>().is_some()
    }
}

pub(crate) async fn create(
    State(Service { secrets, .. }): State<Service>,
    Json(New { name, value }): Json<New>,
) -> Result<impl IntoResponse, Failure> {
    Error::of_length("name", name.len(), LONGEST_NAME)?;
    Error::of_length("value", value.expose().len(), LONGEST_VALUE)?;
    let id = secrets.create(name, value).await?;
    let location = [(LOCATION, format!("/secrets/{id}"))];
    Ok((StatusCode::CREATED, location, Json(json!({ "id": id }))))
}

/// The value. A real service asks first who wants to know.
pub(crate) async fn value(
    State(Service { secrets, .. }): State<Service>,
    Path(Strict(id)): Path<Strict<i64>>,
) -> Result<impl IntoResponse, Failure> {
    let (name, value) = secrets.value(id).await?;
    Ok((Extension(HoldsSecret), Json(Shown { id, name, value })))
}

/// What is stored: nothing that a thief of the file could use.
pub(crate) async fn sealed(
    State(Service { secrets, .. }): State<Service>,
    Path(Strict(id)): Path<Strict<i64>>,
) -> Result<Json<Value>, Failure> {
    let Stored { name, sealed } = secrets.stored(id).await?;
    let parsed = Sealed::<String>::parse(sealed.as_str()).ok();
    let key_id = parsed.as_ref().map(Sealed::key_id);
    Ok(Json(json!({ "id": id, "name": name, "key_id": key_id, "sealed": sealed })))
}

pub(crate) async fn rotate(
    State(Service { secrets, .. }): State<Service>,
) -> Result<Json<Value>, Failure> {
    let Rotated { key_id, report } = secrets.rotate().await?;
    let failure = |(id, error): &(i64, _)| json!({ "id": id, "error": format!("{error}") });
    Ok(Json(json!({
        "key_id": key_id,
        "complete": report.is_complete(),
        "seen": report.seen(),
        "resealed": report.resealed(),
        "current": report.current(),
        "overtaken": report.overtaken(),
        "failed": report.failed(),
        "failures": report.failures().iter().map(failure).collect::<Vec<_>>(),
    })))
}

/// By itself a secret is censored.
fn exposed<S: Serializer>(value: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.expose())
}
