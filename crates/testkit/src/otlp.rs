//! A collector of OpenTelemetry's protocol: a gRPC server that implements the trace and the metrics
//! service of OTLP, from the published protos, and keeps what it is sent.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use opentelemetry_proto::tonic as proto;
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::InstrumentationScope,
    metrics::v1::Metric,
    trace::v1::Span,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

/// A collector on loopback. A clone is another handle to the same one; it serves until the
/// runtime ends in which it was started.
///
/// ```
/// use buttress_testkit::otlp::Collector;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let collector = Collector::start().await?;
/// // An exporter is built with `.with_endpoint(collector.endpoint())`, and used. Then:
/// assert!(collector.spans().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Received,
}

#[derive(Clone, Debug, Default)]
struct Received(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    scopes: Vec<String>,
    spans: Vec<Span>,
    metrics: Vec<Metric>,
}

impl Collector {
    /// Listens on a free port of `127.0.0.1`, and serves in a task of its own.
    ///
    /// # Errors
    /// Where there is no port to listen on.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let received = Received::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(received.clone()))
            .add_service(MetricsServiceServer::new(received.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Ok(Self { address, received })
    }

    /// What an exporter is given: `http://127.0.0.1:4317`, with its own port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span so far, in the order in which they came.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.received.kept().spans.clone()
    }

    /// The metrics of the newest export. Of an exporter that sums up since its start, as they do
    /// unless they are told otherwise, these are all.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.received.kept().metrics.clone()
    }

    /// The names of the scopes, one for each time that an export named one.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        self.received.kept().scopes.clone()
    }
}

impl Received {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let mut kept = self.kept();
        for of_resource in request.into_inner().resource_spans {
            for of_scope in of_resource.scope_spans {
                kept.scopes.extend(name(of_scope.scope));
                kept.spans.extend(of_scope.spans);
            }
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        let mut kept = self.kept();
        kept.metrics.clear();
        for of_resource in request.into_inner().resource_metrics {
            for of_scope in of_resource.scope_metrics {
                kept.scopes.extend(name(of_scope.scope));
                kept.metrics.extend(of_scope.metrics);
            }
        }
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn name(scope: Option<InstrumentationScope>) -> Option<String> {
    scope.map(|scope| scope.name)
}
