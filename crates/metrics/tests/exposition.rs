//! The page, read by a reader of its own and by Prometheus where it is installed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod support;

use std::{
    convert::Infallible,
    io::{ErrorKind, Write},
    process::{Command, Stdio},
    time::Duration,
};

use axum::Router;
use buttress_core::{
    context::{self, InRequest, Operation, RequestContext, TraceContext},
    source::{Metrics, Sample},
};
use buttress_metrics::{
    Exposition,
    Format::{self, OpenMetrics, Prometheus},
    HttpMetrics, MetricsService, ProcessMetrics,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use support::{Line, read};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

/// A few exchanges of every kind, with ids.
async fn busy(metrics: HttpMetrics) -> HttpMetrics {
    let service = metrics.layer().layer(service_fn(|request: Request<()>| async move {
        let current = context::current().unwrap();
        let path = request.uri().path();
        current.set_route(path.into());
        if path != "/untraced" {
            current.set_trace(TraceContext::new([0x4b; 16], [0x1f; 8], 1).unwrap());
        }
        current.set_request_id(HeaderValue::from_static("01890a5d"));
        let mut response = Response::new(String::from("hello"));
        *response.status_mut() =
            StatusCode::from_u16(if path == "/fail" { 500 } else { 200 }).unwrap();
        Ok::<_, Infallible>(response)
    }));
    for uri in ["http://a/", "http://a/fail", "http://a/untraced"] {
        let request = Request::get(uri).body(()).unwrap();
        // A client makes no context of its own: its calls are some request's.
        let call = InRequest::new(Some(RequestContext::new()), service.clone().oneshot(request));
        let response = call.await.unwrap();
        let _ = response.into_body().collect().await.unwrap();
    }
    metrics
}

#[tokio::test]
async fn what_requests_made_the_service_do_is_counted_by_kind_and_by_the_server_alone() {
    let (server, client) = (HttpMetrics::server(), HttpMetrics::client());
    let service = client.layer().layer(service_fn(|_: Request<()>| async {
        let current = context::current().unwrap();
        current.count(Operation::Db, Duration::from_millis(1500));
        current.count(Operation::Db, Duration::from_millis(250));
        current.count(Operation::Ai, Duration::from_secs(2));
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let service = server.layer().layer(service);
    for _ in 0..2 {
        let request = Request::get("http://a/").body(()).unwrap();
        let call = InRequest::new(Some(RequestContext::new()), service.clone().oneshot(request));
        let _ = call.await.unwrap().into_body().collect().await.unwrap();
    }
    let page = Exposition::new().http(&server).http(&client).render(Prometheus);
    let lines: Vec<_> = page.lines().filter(|line| line.contains("operation=")).collect();
    assert_eq!(
        lines,
        [
            r#"http_server_request_operations_total{operation="db"} 4"#,
            r#"http_server_request_operations_total{operation="ai"} 2"#,
            r#"http_server_request_operation_seconds_total{operation="db"} 3.5"#,
            r#"http_server_request_operation_seconds_total{operation="ai"} 4"#,
        ],
    );
}

struct Source(&'static str);

impl Metrics for Source {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let labels = [("pool", self.0)];
        each(Sample::gauge("pool_size", "Connections.", 7.0).labels(&labels));
        each(
            Sample::counter("pool_waits_total", "Waits\nof \"some\" \\ kind.", 3.0).labels(&labels),
        );
    }
}

async fn whole() -> Exposition {
    Exposition::new()
        .http(&busy(HttpMetrics::server()).await)
        .http(&busy(HttpMetrics::client()).await)
        .source(ProcessMetrics::new())
        .source(Source("a"))
        .source(Source("b"))
}

#[tokio::test]
async fn both_formats_are_as_their_specifications_say() {
    let page = whole().await;
    for format in [Prometheus, OpenMetrics] {
        let read = read(&page.render(format), format);
        let family = |name: &str| -> Vec<&Line> {
            read.lines.iter().filter(|line| line.name == name).collect()
        };
        assert_eq!(family("pool_size").len(), 2);
        assert_eq!(family("pool_waits_total").iter().map(|line| line.value).sum::<f64>(), 6.0);
        let waits = if format == OpenMetrics { "pool_waits" } else { "pool_waits_total" };
        assert_eq!(read.help[waits], "Waits\nof \"some\" \\ kind.");
        assert_eq!(family("process_threads").len(), usize::from(cfg!(target_os = "linux")));
        for side in ["server", "client"] {
            for of in ["request_duration_seconds", "request_body_size_bytes"] {
                assert!(read.help.contains_key(&format!("http_{side}_{of}")));
            }
        }
    }
}

#[tokio::test]
async fn a_bucket_has_the_ids_of_a_request_in_openmetrics_alone() {
    let page = Exposition::new().http(&busy(HttpMetrics::server()).await);
    let lines = read(&page.render(OpenMetrics), OpenMetrics).lines;
    let names_of = |route: &str| {
        let mut exemplars = lines
            .iter()
            .filter(|line| line.labels.get("http_route").is_some_and(|known| known == route))
            .filter_map(|line| line.exemplar.as_ref());
        let (labels, value, at) = exemplars.next().unwrap();
        assert!(exemplars.next().is_none());
        assert!(*value > 0.0 && *at > 1.7e9, "{value} {at}");
        labels.iter().map(|(name, id)| format!("{name}={id}")).collect::<Vec<_>>()
    };
    let trace = format!("trace_id={}", "4b".repeat(16));
    let span = format!("span_id={}", "1f".repeat(8));
    assert_eq!(names_of("/"), ["request_id=01890a5d".to_owned(), span, trace]);
    assert_eq!(names_of("/untraced"), ["request_id=01890a5d"]);
    assert!(!page.render(Prometheus).contains("01890a5d"));

    let without = busy(HttpMetrics::server().exemplars(false)).await;
    assert!(!Exposition::new().http(&without).render(OpenMetrics).contains("01890a5d"));
}

#[test]
fn what_a_source_says_is_put_right() {
    struct Wrong;
    impl Metrics for Wrong {
        fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
            each(Sample::counter("1st.jobs", "", 1.0).labels(&[("a-b", "1"), ("a_b", "2")]));
            each(Sample::gauge("http_server_active_requests", "Not ours.", 9.0));
            each(Sample::gauge("_1st_jobs", "A counter's name in `OpenMetrics`.", 9.0));
            each(Sample::gauge("level_total", "", 4.0));
            each(Sample::gauge("depth", "First.", 1.0).labels(&[("a", "1"), ("b", "2")]));
            each(Sample::gauge("other", "", f64::NAN));
            each(Sample::gauge("depth", "Second.", 2.0).labels(&[("b", "2"), ("a", "1")]));
            each(Sample::gauge("depth", "", f64::NEG_INFINITY));
            each(Sample::gauge("depth", "As without it.", 3.0).labels(&[("c", "")]));
            each(Sample::gauge("named", "", 5.0).labels(&[("__name__", "x"), ("__", "y")]));
            each(Sample::gauge("http_server_request_duration_seconds_count", "Not ours.", 9.0));
            each(Sample::gauge("http_server_active_requests_count", "", 6.0));
        }
    }
    let page = Exposition::new().http(&HttpMetrics::server()).source(Wrong);
    for (format, of) in [(Prometheus, "_1st_jobs_total"), (OpenMetrics, "_1st_jobs")] {
        let text = page.render(format);
        let read = read(&text, format);
        let shown: Vec<_> = read
            .lines
            .iter()
            .map(|line| (&*line.name, line.labels.len(), line.value.to_string()))
            .collect();
        let expected = [
            ("_1st_jobs_total", 1, "1"),
            ("level_total", 0, "4"),
            ("depth", 2, "1"),
            ("depth", 0, "-inf"),
            ("other", 0, "NaN"),
            ("named", 2, "5"),
            ("http_server_active_requests_count", 0, "6"),
        ];
        assert_eq!(shown, expected.map(|(name, labels, value)| (name, labels, value.to_owned())));
        assert_eq!(read.help[of], "");
        assert!(text.contains("\nnamed{_name__=\"x\",_=\"y\"} 5\n"), "{text}");
        assert_eq!(read.help["depth"], "First.");
    }
}

proptest! {
    #[test]
    fn any_label_and_any_help_reads_back(value in any::<String>(), help in any::<String>()) {
        struct Any(String, String);
        impl Metrics for Any {
            fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
                each(Sample::gauge("any", &self.1, 1.0).labels(&[("text", &self.0)]));
            }
        }
        let page = Exposition::new().source(Any(value.clone(), help.clone()));
        for format in [Prometheus, OpenMetrics] {
            let read = read(&page.render(format), format);
            prop_assert_eq!(&read.lines[0].labels["text"], &value);
            prop_assert_eq!(&read.help["any"], &help);
        }
    }
}

/// Says that a test did not run, so that it does not pass in silence: past the capture of the
/// test harness, which shows nothing of a test that passes.
fn not_run(test: &str, tool: &str) {
    let mut out = std::io::stderr();
    writeln!(out, "{test}: NOT RUN, there is no `{tool}` here").unwrap();
}

/// `None` where it is not installed.
fn promtool(page: &str) -> Option<(bool, String)> {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match started {
        Ok(promtool) => promtool,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    let Some((accepted, said)) = promtool(&whole().await.render(Prometheus)) else {
        return not_run("promtool_finds_nothing_to_say", "promtool");
    };
    assert!(accepted && said.is_empty(), "{said}");
    // It is no tool that finds nothing to say of anything.
    let (accepted, said) = promtool("jobs{state=\"done\"} many\n").unwrap();
    assert!(!accepted && !said.is_empty());
}

/// The number of a query's first result.
async fn asked(port: u16, query: &str) -> Option<String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::get(format!("/api/v1/query?query={query}"))
        .header("host", "127.0.0.1")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let body = client.send_request(request).await.ok()?.into_body().collect().await.ok()?;
    let json: serde_json::Value = serde_json::from_slice(&body.to_bytes()).ok()?;
    Some(json["data"]["result"][0]["value"][1].as_str()?.to_owned())
}

#[tokio::test]
async fn prometheus_scrapes_it() {
    let page = whole().await;
    let samples = read(&page.render(OpenMetrics), OpenMetrics).lines.len();
    let app = Router::new().route_service("/metrics", MetricsService::new(page));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(port.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs: [{{job_name: a, static_configs: [{{targets: ['{target}']}}]}}]\n",
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let started = tokio::process::Command::new("prometheus")
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let prometheus = match started {
        Ok(prometheus) => prometheus,
        // Not installed.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return not_run("prometheus_scrapes_it", "prometheus");
        }
        Err(error) => panic!("{error}"),
    };
    let scraped = async {
        loop {
            if let Some(count) =
                asked(port, "sum(http_server_request_duration_seconds_count)").await
            {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let count = tokio::time::timeout(Duration::from_secs(60), scraped).await.unwrap();
    assert_eq!(count, "3");
    for (query, number) in [
        ("up", "1"),
        // None was left out, not even one that was there twice.
        ("scrape_samples_scraped", &*samples.to_string()),
        ("scrape_samples_post_metric_relabeling", &samples.to_string()),
        ("sum(http_client_request_duration_seconds_count)", "3"),
        // {le="+Inf"}
        ("sum(http_server_request_duration_seconds_bucket%7Ble%3D%22%2BInf%22%7D)", "3"),
        // {error_type="500"}
        ("http_server_request_duration_seconds_count%7Berror_type%3D%22500%22%7D", "1"),
        ("sum(http_server_response_body_size_bytes_sum)", "15"),
        ("sum(http_server_active_requests)", "0"),
        ("sum(pool_waits_total)", "6"),
    ] {
        assert_eq!(asked(port, query).await.as_deref(), Some(number), "{query}");
    }
    drop(prometheus);
    std::fs::remove_dir_all(&folder).unwrap_or_default();
}

#[test]
fn the_content_type_says_the_version() {
    let of = |format: Format| format.content_type().to_str().unwrap().to_owned();
    assert_eq!(of(Prometheus), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(of(OpenMetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
