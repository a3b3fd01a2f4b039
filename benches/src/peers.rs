//! The peers' layers that do together what [`Stack::production`](buttress::Stack::production)
//! does.

use std::time::Duration;

use buttress::headers::SecurityHeadersLayer;
use http::{HeaderMap, HeaderValue, StatusCode};
use tower_http::{
    csrf::CsrfLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
};

use crate::Failure;

pub(crate) type SetHeader = SetResponseHeaderLayer<HeaderValue>;

/// Sets an id on the request and echoes it.
pub(crate) fn id() -> (SetRequestIdLayer<MakeRequestUuid>, PropagateRequestIdLayer) {
    (SetRequestIdLayer::x_request_id(MakeRequestUuid), PropagateRequestIdLayer::x_request_id())
}

/// CSRF, body limit and timeout; the timeout is innermost, since it asks for a body with a
/// `Default`, which the body limit's has not.
pub(crate) fn guards() -> (RequestBodyLimitLayer, CsrfLayer, TimeoutLayer) {
    (
        RequestBodyLimitLayer::new(1 << 20),
        CsrfLayer::new(),
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(30)),
    )
}

pub(crate) type Nine = (
    SetHeader,
    SetHeader,
    SetHeader,
    SetHeader,
    SetHeader,
    SetHeader,
    SetHeader,
    SetHeader,
    SetHeader,
);

/// The headers of [`SecurityHeadersLayer::api`].
pub(crate) fn nine_headers() -> Result<Nine, Failure> {
    let [a, b, c, d, e, f, g, h, i] = layers(SecurityHeadersLayer::api().headers())?;
    Ok((a, b, c, d, e, f, g, h, i))
}

pub(crate) type Twelve = (Nine, (SetHeader, SetHeader, SetHeader));

/// The headers of [`SecurityHeadersLayer::web`].
pub(crate) fn twelve_headers() -> Result<Twelve, Failure> {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = layers(SecurityHeadersLayer::web().headers())?;
    Ok(((a, b, c, d, e, f, g, h, i), (j, k, l)))
}

fn layers<const N: usize>(headers: &HeaderMap) -> Result<[SetHeader; N], Failure> {
    let layers: Vec<_> = headers
        .iter()
        .map(|(name, value)| SetHeader::if_not_present(name.clone(), value.clone()))
        .collect();
    let found = layers.len();
    layers.try_into().map_err(|_| format!("the preset has {found} headers, not {N}").into())
}
