//! A call to another service, which takes the request's id and trace along.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{
    body::{self, Body, Bytes},
    http::{Request, Response, Uri},
};
use buttress::{
    log::{Operation, operation},
    metrics::HttpMetrics,
    observe::Observe,
    request_id::{Propagate, PropagateLayer},
    trace::{self, OutboundLayer},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// How long a call may take, and how much of the answer is read.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 64 * 1024;

/// Outermost first: the trace, the id, the numbers, the connections.
type Stacked = trace::Outbound<Propagate<Observe<Client<HttpConnector, Body>, HttpMetrics>>>;

/// An HTTP client. A clone shares its connections.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    base: String,
    client: Stacked,
}

impl Outbound {
    /// Calls the service at this address, over plain HTTP.
    pub(crate) fn to(address: SocketAddr, numbers: &HttpMetrics) -> Self {
        let client = ServiceBuilder::new()
            .layer(OutboundLayer::propagate())
            .layer(PropagateLayer::new())
            .layer(numbers.layer())
            .service(Client::builder(TokioExecutor::new()).build_http());
        Self { base: format!("http://{}", reachable(address)), client }
    }

    /// GETs a path. There is no id in sight here: it is in the request's context.
    pub(crate) async fn get(&self, path: &str) -> Result<Response<Bytes>, BoxError> {
        let uri: Uri = format!("{}{path}", self.base).parse()?;
        let call = async {
            let request = Request::get(uri).body(Body::empty())?;
            let (parts, body) = self.client.clone().oneshot(request).await?.into_parts();
            let bytes = body::to_bytes(Body::new(body), MOST_BYTES).await?;
            Ok(Response::from_parts(parts, bytes))
        };
        // `http_count` and `http_ms` on the access line.
        let call = operation(Operation::Http, "users").time(call);
        tokio::time::timeout(PATIENCE, call).await?
    }
}

/// Who listens on every address is called on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}
