//! Under axum, hyper and tonic, with tower-http's layers outside and inside, and behind its
//! decompression.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::convert::Infallible;

use axum::{Router, routing::post};
use buttress_core::{body::ResponseBody, reject::Rejected};
use buttress_sanitize::{GuardedBody, Kind, Policy, SanitizeLayer};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{
    compression::CompressionBody, cors::CorsLayer, decompression::RequestDecompressionLayer,
    map_response_body::MapResponseBodyLayer, trace::TraceLayer,
};

fn strict() -> SanitizeLayer {
    SanitizeLayer::new(Policy::strict_json())
}

/// tower-http's Cors asks for a body that is `Default`, which Trace's is not: the core's is put
/// between the two.
macro_rules! both_sides {
    ($layer:expr, $service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer($layer)
            .layer(CorsLayer::permissive())
            .layer(MapResponseBodyLayer::new(ResponseBody::inner))
            .layer(TraceLayer::new_for_http())
            .service($service)
    };
}

#[tokio::test]
async fn under_axum_inside_and_outside_of_a_router() {
    let echo = || Router::new().route("/", post(|body: String| async { body }));
    let inside =
        echo().layer(TraceLayer::new_for_http()).layer(strict()).layer(CorsLayer::permissive());
    let outside = ServiceBuilder::new()
        .layer(CorsLayer::permissive())
        .layer(MapResponseBodyLayer::new(ResponseBody::inner))
        .layer(TraceLayer::new_for_http())
        .layer(strict())
        .service(echo());
    let send = |body: &'static str| {
        let request = Request::post("/").header("origin", "https://app.example");
        let request = request.header("content-type", "application/json; charset=utf-8");
        request.body(axum::body::Body::from(body)).unwrap()
    };
    for (body, status) in [(r#"{"a": 1}"#, 200), (r#"{"a": 1, "a": 2}"#, 400)] {
        let answer = inside.clone().oneshot(send(body)).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let answer = outside.clone().oneshot(send(body)).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn under_axum_a_route_has_a_policy_of_its_own() {
    let app = Router::new()
        .route(
            "/small",
            post(|_: Bytes| async {}).layer(SanitizeLayer::new(Policy::strict_json().max_body(2))),
        )
        .route("/upload", post(|_: Bytes| async {}).layer(strict().accept([Kind::Other])));
    for (path, content_type, body, status) in [
        ("/small", "application/json", "[]", 200),
        ("/small", "application/json", "[1]", 413),
        ("/upload", "image/png", "\u{89}PNG", 200),
        ("/upload", "application/json", "[]", 415),
    ] {
        let request = Request::post(path).header("content-type", content_type);
        let request = request.body(axum::body::Body::from(body)).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}

/// axum's own extractor makes a 400 with a text of its own of the error.
#[tokio::test]
async fn under_axum_what_its_own_extractors_make_of_an_error_is_replaced() {
    let app =
        Router::new().route("/", post(|_: axum::Json<serde_json::Value>| async {})).layer(strict());
    for (chunks, status) in [([r#"{"a": 1"#, "}"], 200), ([r#"{"a": 1"#, r#", "a": 2}"#], 400)] {
        let chunks = chunks.map(Ok::<_, std::io::Error>);
        let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
        let request = Request::post("/").header("content-type", "application/json");
        let answer = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
        let rejected = answer.extensions().get::<Rejected>().map(|rejected| rejected.reason());
        assert_eq!(rejected, (status == 400).then_some("duplicate_key"));
    }
}

/// A server, and what it answers to bytes that are sent as they are, until it closes or has
/// answered so many requests.
async fn hyper_answers(requests: &[&str]) -> Vec<String> {
    type Guarded = GuardedBody<hyper::body::Incoming>;
    let service = both_sides!(
        strict(),
        service_fn(|request: Request<Guarded>| async {
            let response = match request.into_body().collect().await {
                Ok(body) => Response::new(Full::new(body.to_bytes())),
                Err(_) => Response::builder().status(500).body(Full::default()).unwrap(),
            };
            Ok::<_, Infallible>(response)
        })
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(service);
        let connection = hyper::server::conn::http1::Builder::new();
        let _ = connection.serve_connection(TokioIo::new(stream), service).await;
    });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut answers = Vec::new();
    for request in requests {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The head, and as much as it says.
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if body.len() >= length {
                    answers.push(text);
                    break;
                }
            }
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            answer.push(byte[0]);
        }
    }
    drop(stream);
    server.await.unwrap();
    answers
}

#[tokio::test]
async fn under_hyper_a_chunked_body_has_a_clean_answer_and_the_connection_goes_on() {
    const HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let chunked = |chunks: &[&str]| {
        let chunks: String = chunks.iter().map(|c| format!("{:x}\r\n{c}\r\n", c.len())).collect();
        format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    let good = chunked(&["[1,", "2]"]);
    let bad = chunked(&[r#"{"__proto"#, r#"__": 1}"#]);
    let known = format!("{HEAD}content-length: 4\r\n\r\n[1,]");
    let answers = hyper_answers(&[&good, &bad, &known, &good]).await;
    assert!(answers[0].starts_with("HTTP/1.1 200") && answers[0].ends_with("[1,2]"));
    assert!(answers[1].starts_with("HTTP/1.1 400") && answers[1].contains("prototype_key"));
    assert!(answers[2].starts_with("HTTP/1.1 400") && answers[2].contains("syntax"));
    assert!(answers[3].starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn under_tonic() {
    let layer = strict().accept([Kind::Grpc]);
    let service = both_sides!(layer.clone(), tonic::service::Routes::default().prepare());
    let request = |path| {
        let message = tonic::body::Body::new(Full::<Bytes>::from("\0\0\0\0\u{2}\u{8}\u{1}"));
        Request::post(path).header(CONTENT_TYPE, "application/grpc").body(message).unwrap()
    };
    for (path, status, reason) in [
        // UNIMPLEMENTED, since there is no such method.
        ("/package.Service/Method", "12", None),
        // INVALID_ARGUMENT.
        ("/package.Service/%00", "3", Some("nul")),
    ] {
        let response = service.clone().oneshot(request(path)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], status);
        let rejected = response.extensions().get::<Rejected>().map(|rejected| rejected.reason());
        assert_eq!(rejected, reason);
    }
    // It is also what tonic's server takes.
    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_http())
        .layer(layer)
        .add_routes(tonic::service::Routes::default());
}

async fn gzip(data: Vec<u8>) -> Bytes {
    let request = Request::get("/").header("accept-encoding", "gzip").body(()).unwrap();
    let service = ServiceBuilder::new()
        .layer(tower_http::compression::CompressionLayer::new())
        .service(service_fn(move |_: Request<()>| {
            let response = Response::new(Full::from(data.clone()));
            async { Ok::<Response<Full<Bytes>>, Infallible>(response) }
        }));
    let response: Response<CompressionBody<Full<Bytes>>> = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn behind_decompression_what_is_judged_is_what_is_read() {
    let app = Router::new()
        .route("/", post(|body: String| async { body }))
        .layer(strict())
        .layer(RequestDecompressionLayer::new());
    for (text, status) in [("[1, 2]", 200), (r#"{"__proto__": 1}"#, 400)] {
        // What is short is not compressed.
        let body = gzip(format!("{text:100}").into_bytes()).await;
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("content-encoding", "gzip");
        let request = request.body(axum::body::Body::from(body)).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[test]
fn a_bomb_behind_decompression_is_413_in_bounded_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // 64 MiB in some 64 KiB.
    let bomb = runtime.block_on(async {
        let mut text = vec![b' '; 64 << 20];
        text[0] = b'[';
        gzip(text).await
    });
    assert!(bomb.len() < 128 * 1024, "{}", bomb.len());
    let layer = SanitizeLayer::new(Policy::strict_json());
    let app = Router::new()
        .route("/", post(|body: Bytes| async move { body.len().to_string() }))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(layer)
        .layer(RequestDecompressionLayer::new());
    let bytes = allocation_counter::measure(|| {
        runtime.block_on(async {
            let request = Request::post("/")
                .header("content-type", "application/json")
                .header("content-encoding", "gzip");
            let request = request.body(axum::body::Body::from(bomb.clone())).unwrap();
            let answer = app.oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 413);
            assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "body_size");
        });
    });
    // The handler gathers up to 1 MiB, in a buffer that grows by doubling.
    assert!(bytes.bytes_max < 4 << 20, "{}", bytes.bytes_max);
}

/// axum's `Json` looks at a type without its suffix, and its `Form` at how the type begins.
#[tokio::test]
async fn under_axum_what_its_extractors_take_for_json_or_a_form_is_judged_whatever_is_accepted() {
    type Map = std::collections::BTreeMap<String, serde_json::Value>;
    let app = Router::new()
        .route("/json", post(|_: axum::Json<Map>| async {}))
        .route("/form", post(|_: axum::Form<Map>| async {}))
        .layer(strict().accept([Kind::Json, Kind::Form, Kind::Multipart, Kind::Other]));
    for (uri, content_type, body, status) in [
        ("/json", "application/json+xml", r#"{"a": 1}"#, 200),
        ("/json", "application/json+xml", r#"{"__proto__": 1}"#, 400),
        ("/json", "application/JSON+a", r#"{"__proto__": 1}"#, 400),
        ("/form", "application/x-www-form-urlencoded2", "a=1", 200),
        ("/form", "application/x-www-form-urlencoded2", "__proto__=1", 400),
        // To axum it is JSON and a form.
        ("/json", "application/x-www-form-urlencoded+json", "[]", 415),
        ("/form", "application/x-www-form-urlencoded+json", "\"&__proto__=1&a=1&a=2\"", 415),
    ] {
        let request = Request::post(uri).header("content-type", content_type);
        let request = request.body(axum::body::Body::from(body)).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{content_type} {body}");
    }
}

/// What a server answers to these bytes and to their end, all of it.
async fn hyper_says(bytes: &[u8]) -> String {
    type Guarded = GuardedBody<hyper::body::Incoming>;
    let layer = SanitizeLayer::new(Policy::strict_json().max_body(1_000));
    let service = layer.layer(service_fn(|request: Request<Guarded>| async {
        let response = match request.into_body().collect().await {
            Ok(body) => Response::new(Full::new(body.to_bytes())),
            Err(_) => Response::builder().status(500).body(Full::default()).unwrap(),
        };
        Ok::<_, Infallible>(response)
    }));
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = hyper_util::service::TowerToHyperService::new(service);
    let mut connection = hyper::server::conn::http1::Builder::new();
    connection.half_close(true);
    let server = tokio::spawn(connection.serve_connection(TokioIo::new(server), service));
    let (mut read, mut write) = tokio::io::split(client);
    write.write_all(bytes).await.unwrap();
    write.shutdown().await.unwrap();
    let mut all = String::new();
    read.read_to_string(&mut all).await.unwrap();
    let _ = server.await.unwrap();
    all
}

const JSON: &str = "host: a\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn under_hyper_no_method_is_a_way_around() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "QUERY"] {
        let request = |text: &str| {
            format!("{method} / HTTP/1.1\r\n{JSON}content-length: {}\r\n\r\n{text}", text.len())
        };
        assert!(hyper_says(request("[1]").as_bytes()).await.starts_with("HTTP/1.1 200"));
        let answer = hyper_says(request(r#"{"__proto__":1}"#).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{method}: {answer}");
    }
}

/// Who waits for `100 Continue` gets the refusal instead, and has sent nothing.
#[tokio::test]
async fn under_hyper_who_asks_before_it_sends_is_refused_at_once() {
    for (head, status) in [
        ("content-length: 1001", "413"),
        ("content-length: 2\r\ncontent-type: text/plain", "415"),
        ("content-length: 2\r\ncontent-encoding: gzip", "415"),
        ("content-length: 2\r\nexpect: 100-continue", "200"),
    ] {
        let head = format!("POST / HTTP/1.1\r\n{JSON}expect: 100-continue\r\n{head}\r\n\r\n");
        let body = if status == "200" { "[]" } else { "" };
        let answer = hyper_says(format!("{head}{body}").as_bytes()).await;
        let first = if status == "200" { "HTTP/1.1 100 Continue" } else { "HTTP/1.1 4" };
        assert!(answer.starts_with(first), "{answer}");
        assert!(answer.contains(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

/// The second request is in the body of the first, for whoever believes the other length.
#[tokio::test]
async fn under_hyper_a_length_that_lies_hides_nothing() {
    let hidden = "GET /a/../b HTTP/1.1\r\nhost: a\r\n\r\n";
    for lengths in [
        "content-length: 3\r\ncontent-length: 60",
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked, identity",
        "content-length: +3",
        "content-length: 3, 4",
    ] {
        let request = format!("POST / HTTP/1.1\r\n{JSON}{lengths}\r\n\r\n[1]{hidden}");
        let answer = hyper_says(request.as_bytes()).await;
        // By hyper, or, where the body is none, by the handler.
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 500"));
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lengths}: {answer}");
    }
    let cut = format!("POST / HTTP/1.1\r\n{JSON}content-length: 60\r\n\r\n[1]");
    assert!(!hyper_says(cut.as_bytes()).await.contains("HTTP/1.1 200"));
}

/// Extensions of chunks and trailers are none of the document.
#[tokio::test]
async fn under_hyper_what_stands_around_the_chunks_is_no_part_of_the_body() {
    let request = |chunks: &str| {
        format!("POST / HTTP/1.1\r\n{JSON}transfer-encoding: chunked\r\n\r\n{chunks}")
    };
    let good = request("1;a=\"__proto__\"\r\n[\r\n1\r\n]\r\n0\r\n__proto__: 1\r\n\r\n");
    let answer = hyper_says(good.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("[]"), "{answer}");
    let bad = request("4\r\n{\"__\r\n1;x\r\np\r\n9\r\nroto__\":1\r\n1\r\n}\r\n0\r\n\r\n");
    let answer = hyper_says(bad.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("prototype_key"), "{answer}");
}

/// The stream is answered while the client still sends.
#[tokio::test]
async fn under_http2_a_violation_in_a_long_body_has_a_whole_answer() {
    type Guarded = GuardedBody<hyper::body::Incoming>;
    let service = strict().layer(service_fn(|request: Request<Guarded>| async {
        let status = if request.into_body().collect().await.is_ok() { 200 } else { 500 };
        let response = Response::builder().status(status).body(Full::<Bytes>::default());
        Ok::<_, Infallible>(response.unwrap())
    }));
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = hyper_util::service::TowerToHyperService::new(service);
    let executor = hyper_util::rt::TokioExecutor::new();
    let connection = hyper::server::conn::http2::Builder::new(executor.clone());
    tokio::spawn(connection.serve_connection(TokioIo::new(server), service));
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);

    for (first, status) in [("[0", 200), (r#"[{"a":1,"a":2}"#, 400)] {
        let pieces = std::iter::once(Bytes::from(first))
            .chain(std::iter::repeat_n(Bytes::from(" ".repeat(16 * 1024)), 40))
            .chain([Bytes::from("]")])
            .map(|data| Ok::<_, Infallible>(http_body::Frame::data(data)));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
        let request = Request::post("/").header("content-type", "application/json");
        client.ready().await.unwrap();
        let answer = client.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(String::from_utf8_lossy(&body).contains("duplicate_key"), status == 400);
    }
}

/// After the upgrade it is nobody's business.
#[tokio::test]
async fn under_hyper_an_upgrade_goes_through() {
    type Guarded = GuardedBody<hyper::body::Incoming>;
    let service = strict().layer(service_fn(|mut request: Request<Guarded>| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut bytes = [0; 4];
            io.read_exact(&mut bytes).await.unwrap();
            io.write_all(&bytes).await.unwrap();
        });
        let response = Response::builder().status(101).header("connection", "upgrade");
        let response = response.header("upgrade", "echo").body(Full::<Bytes>::default());
        Ok::<_, Infallible>(response.unwrap())
    }));
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let service = hyper_util::service::TowerToHyperService::new(service);
    let connection = hyper::server::conn::http1::Builder::new();
    let connection = connection.serve_connection(TokioIo::new(server), service).with_upgrades();
    tokio::spawn(connection);
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    client.write_all(b"{{{\0").await.unwrap();
    let mut bytes = [0; 4];
    client.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"{{{\0");
}
