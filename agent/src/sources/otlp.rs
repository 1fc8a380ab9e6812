//! OpenTelemetry logs and metrics, over gRPC and over HTTP with protobuf or JSON.
//!
//! A sender hears of success once what it sent is stored. What it sends again is stored once.

mod http;
mod logs;
mod metrics;
mod values;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tracing::warn;

use super::doors::{Door, Doors, OTLP_GRPC, OTLP_HTTP};
use super::{Arrival, Closed, Delivery, Outlet};

/// Larger requests are refused, as they came and unpacked.
const LARGEST_REQUEST: usize = 4 << 20;
/// Requests under way when Medic stops have so long to be stored.
const FAREWELL: Duration = Duration::from_secs(10);

/// Listens until Medic stops; `None`: not over this protocol.
pub async fn run(grpc: Option<String>, http: Option<String>, outlet: Outlet) -> Result<(), Closed> {
    let doors = Doors::default();
    let receiver = Receiver::new(outlet.clone());
    let over_grpc = async {
        let Some(address) = grpc.as_deref() else { return Ok(()) };
        let door = Door { key: "grpc", address, what: OTLP_GRPC };
        match doors.open(&door, &outlet).await? {
            Some(listener) => serve_grpc(listener, receiver.clone()).await,
            None => Ok(()),
        }
    };
    let over_http = async {
        let Some(address) = http.as_deref() else { return Ok(()) };
        let door = Door { key: "http", address, what: OTLP_HTTP };
        match doors.open(&door, &outlet).await? {
            Some(listener) => serve_http(listener, receiver.clone()).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(over_grpc, over_http).map(|_| ())
}

async fn serve_grpc(listener: TcpListener, receiver: Receiver) -> Result<(), Closed> {
    let logs = LogsServiceServer::new(receiver.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST_REQUEST);
    let metrics = MetricsServiceServer::new(receiver.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST_REQUEST);
    let stop = receiver.stopped();
    let server = Server::builder()
        .concurrency_limit_per_connection(64)
        .add_service(logs)
        .add_service(metrics)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop);
    until_farewell(&receiver, async { server.await.map_err(|error| error.to_string()) }).await
}

async fn serve_http(listener: TcpListener, receiver: Receiver) -> Result<(), Closed> {
    let stop = receiver.stopped();
    let server = axum::serve(listener, http::routes(receiver.clone())).with_graceful_shutdown(stop);
    until_farewell(&receiver, async { server.await.map_err(|error| error.to_string()) }).await
}

async fn until_farewell(
    receiver: &Receiver,
    server: impl Future<Output = Result<(), String>>,
) -> Result<(), Closed> {
    let late = async {
        receiver.stopped().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        outcome = server => {
            if let Err(error) = outcome {
                warn!(error, "a receiver of OpenTelemetry ended");
            }
        }
        () = late => {}
    }
    if receiver.closed.is_cancelled() { Err(Closed) } else { Ok(()) }
}

/// Stores what is sent.
#[derive(Clone)]
struct Receiver {
    outlet: Outlet,
    /// The number of the next record; it follows on those of earlier runs.
    next: Arc<AtomicU64>,
    /// Cancelled when the collector is gone.
    closed: CancellationToken,
}

/// What a request was turned into.
#[derive(Default)]
struct Taken {
    arrivals: Vec<Arrival>,
    /// How many items say nothing that could be kept.
    refused: i64,
}

impl Receiver {
    fn new(outlet: Outlet) -> Receiver {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        Receiver { outlet, next: Arc::new(AtomicU64::new(now)), closed: CancellationToken::new() }
    }

    async fn logs(&self, request: ExportLogsServiceRequest) -> Result<ExportLogsServiceResponse, Closed> {
        let refused = self.store(logs::read(request)).await?;
        let partial_success = (refused > 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: refused,
            error_message: "log records without a body, attributes or a name say nothing".to_owned(),
        });
        Ok(ExportLogsServiceResponse { partial_success })
    }

    async fn metrics(
        &self,
        request: ExportMetricsServiceRequest,
    ) -> Result<ExportMetricsServiceResponse, Closed> {
        let refused = self.store(metrics::read(request)).await?;
        let partial_success = (refused > 0).then(|| ExportMetricsPartialSuccess {
            rejected_data_points: refused,
            error_message: "data points of metrics without a name say nothing".to_owned(),
        });
        Ok(ExportMetricsServiceResponse { partial_success })
    }

    /// Stores what a request holds; returns how much of it was refused.
    async fn store(&self, mut taken: Taken) -> Result<i64, Closed> {
        if taken.arrivals.is_empty() {
            return Ok(taken.refused);
        }
        let first = self.next.fetch_add(taken.arrivals.len() as u64, Ordering::Relaxed);
        for (arrival, seq) in taken.arrivals.iter_mut().zip(first..) {
            arrival.record.seq = seq;
        }
        let delivery = Delivery { records: taken.arrivals, ..Delivery::default() };
        let outcome = self.outlet.store(delivery).await;
        if outcome.is_err() {
            self.closed.cancel();
        }
        outcome.map(|()| taken.refused)
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let (stop, closed) = (self.outlet.stop.clone(), self.closed.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = closed.cancelled() => {}
            }
        }
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.logs(request.into_inner()).await.map(Response::new).map_err(unavailable)
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics(request.into_inner()).await.map(Response::new).map_err(unavailable)
    }
}

/// A sender tries again later what could not be stored.
fn unavailable(error: Closed) -> Status {
    Status::unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
