//! Uploads of any size in constant memory: `POST /upload`.

use std::fmt::Write;

use axum::{Json, body::Body};
use buttress::problem::Failure;
use futures_util::StreamExt;
use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::error::Error;

#[derive(Debug, Serialize)]
pub(crate) struct Received {
    bytes: u64,
    sha256: String,
}

/// Each piece is seen once, and given back.
pub(crate) async fn upload(body: Body) -> Result<Json<Received>, Failure> {
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut digest) = (0, Context::new(&SHA256));
    while let Some(piece) = pieces.next().await {
        // Past a limit the stack has the answer, whatever is said here.
        let piece = piece.map_err(Error::Upload)?;
        bytes += piece.len() as u64;
        digest.update(&piece);
    }
    // Nothing is done with a body before it has come to its end.
    Ok(Json(Received { bytes, sha256: hex(digest.finish().as_ref()) }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
