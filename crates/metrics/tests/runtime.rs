//! The runtime's numbers, and the periodic line.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_core::source::Metrics;
use buttress_metrics::{Exposition, Format, HttpMetrics, RuntimeMetrics};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

#[test]
fn outside_of_a_runtime_there_are_none() {
    assert!(RuntimeMetrics::current().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runtimes_workers_and_tasks_are_shown() {
    let task = tokio::spawn(std::future::pending::<()>());
    let runtime = RuntimeMetrics::current().unwrap();
    let mut seen = Vec::new();
    runtime.collect(&mut |sample| seen.push((sample.name.to_owned(), sample.value)));
    let of = |name: &str| seen.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!(of("tokio_workers"), 2.0);
    assert!(of("tokio_alive_tasks") >= 1.0);
    let text = Exposition::new().source(runtime).render(Format::Prometheus);
    assert!(text.contains("tokio_worker_busy_seconds_total{worker=\"1\"} "));
    task.abort();
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_is_logged_once_in_each_period() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);

    let metrics = HttpMetrics::server();
    let service = metrics.layer().layer(service_fn(|_: Request<()>| async {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    }));
    drop(service.oneshot(Request::new(())).await.unwrap());
    let task = tokio::spawn(metrics.log_every(Duration::from_secs(60)));
    tokio::time::sleep(Duration::from_secs(181)).await;
    task.abort();

    let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let written: Vec<_> = written.lines().collect();
    assert_eq!(written.len(), 3);
    assert!(written.iter().all(|line| line.contains("INFO metrics: requests=1 ")), "{written:?}");
}
