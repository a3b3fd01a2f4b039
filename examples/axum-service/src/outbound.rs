//! A call to another service, which takes the request's id along.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{
    body::{self, Body, Bytes},
    http::{Request, Response, Uri},
};
use buttress::request_id::{Propagate, PropagateLayer};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// How long a call may take, and how much of the answer is read.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 64 * 1024;

/// An HTTP client. A clone shares its connections.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    base: String,
    client: Propagate<Client<HttpConnector, Body>>,
}

impl Outbound {
    /// Calls the service at this address, over plain HTTP.
    pub(crate) fn to(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let client = ServiceBuilder::new().layer(PropagateLayer::new()).service(client);
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
