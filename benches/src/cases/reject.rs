use std::time::Duration;

use buttress::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{Response, StatusCode};

use super::nothing;
use crate::{
    Case,
    drive::{Nothing, repeat},
};

/// A refusal in words; who decides that it is one costs extra.
pub(super) fn cases() -> Vec<Case> {
    vec![case("rejection, http", Protocol::Http), case("rejection, gRPC", Protocol::Grpc)]
}

fn case(name: &str, protocol: Protocol) -> Case {
    Case::new(name, nothing(), move || {
        Ok(repeat(move || -> Response<ResponseBody<Nothing>> {
            Rejection::new("limit", "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
                .with_detail("100 requests per 15 minutes")
                .with_retry_after(Duration::from_millis(8_400))
                .respond(&DefaultResponder, protocol)
        }))
    })
}
