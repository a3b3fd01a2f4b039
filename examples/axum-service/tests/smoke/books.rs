//! Books and orders: the same over the embedded `SQLite` and over a Postgres, which is hurt.

use std::{
    collections::BTreeMap,
    fs,
    process::{Output, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    http::{Response, StatusCode},
};
use buttress_testkit::{
    postgres::{PASSWORD, Server},
    proxy::{Loss, Proxy},
};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{sleep, timeout},
};

use super::{
    PATIENCE, Service, assert_problem, collect,
    config::Folder,
    example,
    health::{TOKEN, installed},
    id, json_of, only,
    shutdown::signal,
    text,
};

const ISBNS: [&str; 4] = ["9780306406157", "9783161484100", "9780140439120", "9780262510875"];

/// The longest that a request may take, whatever the database does: two seconds for a connection
/// that is free, two for a new one and one for an old one, three and a half for the statement, and
/// two to cancel it. The rest is for a machine that has much else to do.
const BOUND: Duration = Duration::from_secs(15);

impl Service {
    async fn add(&self, isbn: &str, stock: i32) -> Response<Bytes> {
        let book =
            json!({ "isbn": isbn, "title": "Pride", "author": "Jane Austen", "stock": stock });
        self.post("/books", book.to_string()).await
    }

    /// A book of so many copies: its id.
    async fn stocked(&self, isbn: &str, stock: i32) -> i64 {
        let answer = self.add(isbn, stock).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
        json_of(&answer)["id"].as_i64().unwrap()
    }

    async fn order(&self, book: i64, copies: i32) -> Response<Bytes> {
        self.post("/orders", json!({ "book": book, "copies": copies }).to_string()).await
    }

    async fn stock(&self, book: i64) -> Value {
        json_of(&self.get(&format!("/books/{book}")).await)["stock"].clone()
    }
}

/// A Postgres of this test's own, if there are its programs.
async fn postgres(test: &str) -> Option<Server> {
    installed(Server::start().await, test, "postgres")
}

/// A service over it.
async fn over(server: &Server) -> Service {
    Service::with(&[("DATABASE_URL", &server.url())]).await
}

fn start(url: &str) -> Command {
    let mut command = example();
    command.env("BIND", "127.0.0.1:0").env("DATABASE_URL", url);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it, and answers what it says on its way out.
async fn refused(url: &str) -> (Output, String) {
    let output = timeout(PATIENCE, start(url).output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "it never listened");
    (output, said)
}

/// Runs this in the database, and answers once it is under way there.
async fn meanwhile(server: &Server, sql: &str) -> impl Future<Output = ()> {
    let mut runs = Box::pin(async move { server.sql(sql).await.map(drop).unwrap() });
    let begun = async {
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while server.sql(asleep).await.unwrap() != "1" {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = &mut runs => panic!("{sql} was too quick"),
        begun = timeout(PATIENCE, begun) => begun.unwrap(),
    }
    runs
}

async fn all_of_the_shop(service: &Service) {
    assert_eq!(json_of(&service.get("/books").await), json!({ "books": [] }));
    let answer = service.add(ISBNS[0], 3).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
    let book = json_of(&answer);
    let shown = json!({
        "id": book["id"], "isbn": ISBNS[0], "title": "Pride", "author": "Jane Austen", "stock": 3,
    });
    assert_eq!(book, shown);
    let location = only(answer.headers(), "location").to_owned();
    assert_eq!(location, format!("/books/{}", book["id"]));
    assert_eq!(json_of(&service.get(&location).await), book);
    let line = service.access_line(&location, id(&service.get(&location).await)).await;
    assert_eq!(line["db_count"], 1, "{line}");

    let known = service.add(ISBNS[0], 3).await;
    assert_eq!(known.status(), StatusCode::CONFLICT);
    assert_problem(&known, "a book that is there");
    assert_eq!(json_of(&known)["detail"], "there is a book of this ISBN already");
    assert!(!text(&known).contains(ISBNS[0]), "{}", text(&known));

    let wrong = json!({ "isbn": "9780306406158", "title": "", "author": "x", "stock": -1 });
    let answer = service.post("/books", wrong.to_string()).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let errors = json_of(&answer)["errors"].as_array().unwrap().clone();
    let places: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/isbn", "/stock", "/title"], "{errors:?}");

    pages(service).await;
    orders(service, book["id"].as_i64().unwrap()).await;
}

async fn pages(service: &Service) {
    for isbn in &ISBNS[1..3] {
        service.stocked(isbn, 1).await;
    }
    for (query, isbns, next) in [
        ("", &ISBNS[..3], Value::Null),
        ("?limit=2", &ISBNS[..2], json!(2)),
        ("?limit=3", &ISBNS[..3], Value::Null),
        ("?limit=2&page=2", &ISBNS[2..3], Value::Null),
        ("?page=4294967295&limit=100", &[], Value::Null),
    ] {
        let page = json_of(&service.get(&format!("/books{query}")).await);
        let books = page["books"].as_array().unwrap();
        let shown: Vec<_> = books.iter().map(|book| book["isbn"].as_str().unwrap()).collect();
        assert_eq!(shown, isbns, "{query}");
        assert_eq!(page["next"], next, "{query}");
    }
    for query in ["page=0", "page=01", "limit=101", "limit=x", "page="] {
        let answer = service.get(&format!("/books?{query}")).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

async fn orders(service: &Service, book: i64) {
    let answer = service.order(book, 2).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
    let order = json_of(&answer);
    assert_eq!(order, json!({ "id": order["id"], "book": book, "copies": 2 }));
    let location = only(answer.headers(), "location").to_owned();
    assert_eq!(location, format!("/orders/{}", order["id"]));
    assert_eq!(json_of(&service.get(&location).await), order);
    assert_eq!(service.stock(book).await, 1);

    let answer = service.order(book, 2).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_problem(&answer, "more than there are");
    assert_eq!(json_of(&answer)["stock"], 1);
    assert_eq!(service.stock(book).await, 1, "nothing was taken");
    for (book, copies, status) in [(book, 1, 201), (book, 1, 409), (9999, 1, 404), (book, 0, 422)] {
        let answer = service.order(book, copies).await;
        assert_eq!(answer.status(), status, "{copies} of {book}: {}", text(&answer));
    }
    for (path, status) in
        [("/books/9999", 404), ("/orders/9999", 404), ("/books/0", 400), ("/orders/x", 400)]
    {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_problem(&answer, path);
    }
}

#[tokio::test]
async fn without_a_database_there_is_one_in_memory() {
    let service = Service::start().await;
    all_of_the_shop(&service).await;
    let metrics = service.get("/metrics").await;
    assert!(!text(&metrics).contains("pool_"), "there is no pool");
}

#[tokio::test]
async fn over_postgres_it_is_the_same() {
    let Some(server) = postgres("over_postgres_it_is_the_same").await else { return };
    let url = server.url();
    // Below info the driver itself logs parameters, as the pool's page says.
    let levels = "debug,tokio_postgres=info";
    let verbose = [("DATABASE_URL", &*url), ("RUST_LOG", levels), ("ALLOW_DEBUG", "true")];
    let service = Service::with(&verbose).await;
    all_of_the_shop(&service).await;
    let told = service.line(&[r#""target":"config""#, r#""variable":"DATABASE_URL""#]).await;
    assert_eq!(told["value"], "[REDACTED]");
    let log = service.whole_log().await;
    assert!(!log.contains(PASSWORD) && !log.contains(ISBNS[0]), "{log}");
}

/// As many as there are copies get one, and nobody gets one that is not there.
async fn sold_out(service: &Service) {
    let book = service.stocked(ISBNS[0], 10).await;
    let answers = join_all((0..40).map(|_| service.order(book, 1))).await;
    let mut counts = BTreeMap::new();
    for answer in &answers {
        *counts.entry(answer.status().as_u16()).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([(201, 10), (409, 30)]));
    assert_eq!(service.stock(book).await, 0);
}

#[tokio::test]
async fn orders_at_once_never_sell_what_is_not_there() {
    sold_out(&Service::start().await).await;
    let Some(server) = postgres("orders_at_once_never_sell_what_is_not_there").await else {
        return;
    };
    // Two instances, and a server that would rather have them one after the other.
    server
        .sql("ALTER DATABASE postgres SET default_transaction_isolation = serializable")
        .await
        .unwrap();
    let (one, other) = join(over(&server), over(&server)).await;
    sold_out(&one).await;
    let book = one.stocked(ISBNS[1], 10).await;
    let both = [&one, &other];
    let orders = (0..40).map(|n| both[n % 2].order(book, 1));
    let sold = join_all(orders).await.iter().filter(|answer| answer.status() == 201).count();
    assert_eq!((sold, one.stock(book).await), (10, json!(0)));
    assert_eq!(server.sql("SELECT sum(copies) FROM orders").await.unwrap(), "20");
}

#[tokio::test]
async fn a_postgres_that_is_not_up_yet_is_waited_for() {
    let Some(mut server) = postgres("a_postgres_that_is_not_up_yet_is_waited_for").await else {
        return;
    };
    server.kill().unwrap();
    let mut child = start(&server.url()).spawn().unwrap();
    let mut log = collect(child.stderr.take().unwrap());
    let waits = |log: &String| log.matches("no connection yet").count() >= 2;
    timeout(PATIENCE, log.wait_for(waits)).await.unwrap().unwrap();
    let told =
        log.borrow().lines().find(|line| line.contains("no connection yet")).unwrap().to_owned();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["level"], &told["pool"]), (&json!("WARN"), &json!("postgres")), "{told}");
    assert!(told["error"].as_str().unwrap().contains("refused"), "{told}");
    server.restart().await.unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    assert!(log.borrow().contains(r#""message":"connected""#));
    assert!(!log.borrow().contains(PASSWORD));
}

#[tokio::test]
async fn a_signal_while_it_waits_for_postgres_ends_the_start() {
    let Some(mut server) = postgres("a_signal_while_it_waits_for_postgres").await else { return };
    server.kill().unwrap();
    let mut child = start(&server.url()).spawn().unwrap();
    let mut log = collect(child.stderr.take().unwrap());
    let waits = |log: &String| log.contains("no connection yet");
    timeout(PATIENCE, log.wait_for(waits)).await.unwrap().unwrap();
    signal("TERM", child.id().unwrap()).await;
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "it never listened");
    let told = |log: &String| log.contains(r#""message":"shut down""#);
    assert!(timeout(PATIENCE, log.wait_for(told)).await.unwrap().is_ok());
    // What was opened by then is closed.
    assert!(log.borrow().contains("postgres done"), "{}", *log.borrow());
}

#[tokio::test]
async fn a_wrong_password_ends_the_start_at_once_with_a_word_and_without_the_password() {
    let Some(server) = postgres("a_wrong_password_ends_the_start_at_once").await else { return };
    let begun = Instant::now();
    let (output, said) = refused(&server.url().replace(PASSWORD, "hunter2-planted")).await;
    // Another try would change nothing; what is worth one has a minute.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(1), "{said}");
    let word = format!(
        "example-axum: DATABASE_URL: {}/postgres: it does not accept the user or the password\n",
        server.address()
    );
    assert!(said.ends_with(&word), "{said}");
    assert!(!said.contains("planted"), "{said}");
}

#[tokio::test]
async fn a_file_of_books_is_there_after_a_restart_and_is_for_several() {
    let folder = Folder::new("books");
    let file = folder.0.join("books.db");
    let file = file.to_str().unwrap();
    let both = [("BOOKS_DB", file); 2];
    let (one, other) = join(Service::with(&both[..1]), Service::with(&both[1..])).await;
    sold_out(&one).await;
    assert_eq!(other.order(1, 1).await.status(), StatusCode::CONFLICT);
    drop((one, other));
    let service = Service::with(&both[..1]).await;
    assert_eq!(service.stock(1).await, 0);
    assert_eq!(service.add(ISBNS[0], 1).await.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_file_of_books_that_cannot_be_is_named() {
    let mut command = example();
    command.env("BIND", "127.0.0.1:0").env("BOOKS_DB", "/dev/null/x");
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("BOOKS_DB: unable to open database file: /dev/null/x"), "{said}");
}

#[tokio::test]
async fn while_the_file_of_books_is_spoilt_nobody_is_sent_here() {
    let folder = Folder::new("spoilt");
    let file = folder.0.join("books.db");
    let service = Service::with(&[("BOOKS_DB", file.to_str().unwrap())]).await;
    service.until("/ready", |answer| answer.status() == StatusCode::OK).await;
    fs::write(&file, [b'x'; 8192]).unwrap();
    service.until("/ready", |answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(service.get("/books").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn instances_that_start_at_once_migrate_once() {
    let Some(server) = postgres("instances_that_start_at_once_migrate_once").await else { return };
    let services = join_all((0..3).map(|_| over(&server))).await;
    let done = "SELECT string_agg(name, ' ' ORDER BY position) FROM schema_migrations";
    assert_eq!(server.sql(done).await.unwrap(), "books orders orders_by_book");
    let mut told = 0;
    for service in &services {
        told += service.whole_log().await.matches("migrated: ").count();
        assert_eq!(service.get("/books").await.status(), StatusCode::OK);
    }
    assert_eq!(told, 3);
    // An instance of a newer version has gone on.
    server.sql("INSERT INTO schema_migrations VALUES (4, 'of a newer one')").await.unwrap();
    assert_eq!(over(&server).await.get("/books").await.status(), StatusCode::OK);
    server.sql("UPDATE schema_migrations SET name = 'customers' WHERE position = 2").await.unwrap();
    let (output, said) = refused(&server.url()).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(r#"migration 2 was "customers" when it was applied"#), "{said}");
}

#[tokio::test]
async fn a_migration_that_fails_ends_the_start_and_leaves_nothing() {
    let Some(server) = postgres("a_migration_that_fails_ends_the_start").await else { return };
    server.sql("CREATE TABLE orders (id integer)").await.unwrap();
    let (output, said) = refused(&server.url()).await;
    assert_eq!(output.status.code(), Some(1));
    let word = "example-axum: cannot migrate the books: the server refused the statement \
                (SQLSTATE 42P07): relation \"orders\" already exists\n";
    assert!(said.ends_with(word), "{said}");
    let tables = "SELECT string_agg(relname, ' ') FROM pg_stat_user_tables";
    assert_eq!(server.sql(tables).await.unwrap(), "orders");
}

/// Whatever the answer is, it comes in time.
async fn in_time(answer: impl Future<Output = Response<Bytes>>) -> Response<Bytes> {
    let begun = Instant::now();
    let answer = answer.await;
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    answer
}

/// The answer to what may come again, with nothing of the reason.
fn unavailable(answer: &Response<Bytes>, what: &str) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}: {}", text(answer));
    assert_problem(answer, what);
    assert_eq!(only(answer.headers(), "retry-after"), "1", "{what}");
    assert!(!text(answer).contains("postgres"), "{what}: {}", text(answer));
}

#[tokio::test]
async fn while_postgres_is_frozen_requests_end_in_time_and_readiness_says_so() {
    let Some(mut server) = postgres("while_postgres_is_frozen_requests_end_in_time").await else {
        return;
    };
    let service = over(&server).await;
    let book = service.stocked(ISBNS[0], 50).await;
    let unhealthy = async || {
        service.until("/ready", |answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE).await;
        // What needs no books works on; and a restart would mend nothing.
        assert_eq!(service.get("/users/1").await.status(), StatusCode::OK);
        assert_eq!(service.get("/live").await.status(), StatusCode::OK);
    };
    let recovered = async || {
        service.until("/ready", |answer| answer.status() == StatusCode::OK).await;
        let begun = Instant::now();
        service.until("/books", |answer| answer.status() == StatusCode::OK).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    };

    server.freeze().unwrap();
    let orders = join_all((0..20).map(|_| in_time(service.order(book, 1))));
    let (read, orders) = join(in_time(service.get("/books")), orders).await;
    unavailable(&read, "frozen");
    orders.iter().for_each(|answer| unavailable(answer, "frozen"));
    unhealthy().await;
    server.thaw().unwrap();
    recovered().await;

    server.kill().unwrap();
    unavailable(&in_time(service.get("/books")).await, "killed");
    unavailable(&in_time(service.order(book, 1)).await, "killed");
    unhealthy().await;
    server.restart().await.unwrap();
    recovered().await;
    assert_eq!(service.order(book, 1).await.status(), StatusCode::CREATED);
    // Those that were told to come again have taken nothing.
    assert_eq!(service.stock(book).await, 49);
    assert_eq!(server.sql("SELECT sum(copies) FROM orders").await.unwrap(), "1");
}

/// How many statements of the service wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
                       WHERE query LIKE 'UPDATE%' AND wait_event_type = 'Lock'";

async fn becomes(server: &Server, sql: &str, wanted: &str) {
    let asked = async {
        while server.sql(sql).await.unwrap() != wanted {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{sql} is not {wanted}"));
}

#[tokio::test]
async fn a_statement_over_its_time_is_ended_on_the_server_and_nothing_is_taken() {
    let Some(server) = postgres("a_statement_over_its_time_is_ended_on_the_server").await else {
        return;
    };
    let service = over(&server).await;
    let book = service.stocked(ISBNS[0], 5).await;
    let locked = meanwhile(&server, "BEGIN; LOCK TABLE books; SELECT pg_sleep(6); COMMIT").await;
    let order = async {
        let answer = in_time(service.order(book, 1)).await;
        unavailable(&answer, "a statement over its time");
        assert_eq!(server.sql(WAITING).await.unwrap(), "0", "nobody waits there any more");
        service.line(&["request failed", id(&answer), "the statement ran over its time"]).await
    };
    let (_, ()) = join(order, locked).await;
    assert_eq!(service.order(book, 1).await.status(), StatusCode::CREATED);
    assert_eq!(service.stock(book).await, 4);
    let timeouts = r#"pool_timeouts_total{pool="postgres",kind="statement"}"#;
    assert_eq!(service.sample(timeouts).await, 1);
}

#[tokio::test]
async fn a_connection_that_is_ended_within_a_transaction_has_done_nothing() {
    let Some(server) = postgres("a_connection_that_is_ended_within_a_transaction").await else {
        return;
    };
    let service = over(&server).await;
    let book = service.stocked(ISBNS[0], 5).await;
    let locked = meanwhile(&server, "BEGIN; LOCK TABLE books; SELECT pg_sleep(2); COMMIT").await;
    let ended = async {
        becomes(&server, WAITING, "1").await;
        let end = WAITING.replace("count(*)", "pg_terminate_backend(pid)");
        assert_eq!(server.sql(&end).await.unwrap(), "t");
    };
    let ((answer, ()), ()) = join(join(service.order(book, 1), ended), locked).await;
    unavailable(&answer, "a connection that was ended");
    assert_eq!(service.stock(book).await, 5);
    assert_eq!(service.order(book, 1).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_pool_that_is_used_to_its_limit_is_degraded_and_the_service_ready() {
    let Some(server) = postgres("a_pool_that_is_used_to_its_limit_is_degraded").await else {
        return;
    };
    let url = server.url();
    let small = [("DATABASE_URL", &*url), ("DATABASE_POOL", "2"), ("STATUS_TOKEN", TOKEN)];
    let service = Service::with(&small).await;
    let book = service.stocked(ISBNS[0], 50).await;
    let locked = meanwhile(&server, "BEGIN; LOCK TABLE books; SELECT pg_sleep(6); COMMIT").await;
    let orders = join_all((0..8).map(|_| in_time(service.order(book, 1))));
    let looks = async {
        let check = async || json_of(&service.details().await)["checks"].clone();
        let degraded = async {
            while check().await["postgres-saturation"]["status"] != "degraded" {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, degraded).await.unwrap();
        assert_eq!(check().await["postgres"]["status"], "healthy");
        let ready = service.get("/ready").await;
        assert_eq!((ready.status(), text(&ready)), (StatusCode::OK, r#"{"status":"warn"}"#));
    };
    let ((orders, ()), ()) = join(join(orders, looks), locked).await;
    orders.iter().for_each(|answer| unavailable(answer, "an exhausted pool"));
    assert_eq!(service.stock(book).await, 50);
}

#[tokio::test]
async fn what_nobody_knows_is_no_503_that_says_come_again() {
    let Some(server) = postgres("what_nobody_knows_is_no_503").await else { return };
    let proxy = Proxy::start(server.address()).await.unwrap();
    let url = server.url().replace(&server.address().to_string(), &proxy.address().to_string());
    let service = Service::with(&[("DATABASE_URL", &url)]).await;
    let book = service.stocked(ISBNS[0], 5).await;
    let (lost, unknown) = ("the connection broke", "whether the transaction was committed is not");
    for (part, loss, status, word, stock) in [
        // And not `READ COMMITTED`.
        ("COMMIT\0", Loss::Answer, 500, unknown, "4"),
        ("COMMIT\0", Loss::Question, 500, unknown, "4"),
        ("INSERT INTO orders", Loss::Question, 503, lost, "4"),
        ("INSERT INTO orders", Loss::Answer, 503, lost, "4"),
    ] {
        proxy.lose(part.as_bytes(), loss);
        let answer = in_time(service.order(book, 1)).await;
        assert_eq!(answer.status(), status, "{part} {loss:?}: {}", text(&answer));
        assert_problem(&answer, part);
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503, "{part} {loss:?}");
        service.line(&["request failed", id(&answer), word]).await;
        let left = server.sql("SELECT stock FROM books").await.unwrap();
        assert_eq!(left, stock, "{part} {loss:?}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM orders").await.unwrap(), "1");
    assert_eq!(service.order(book, 1).await.status(), StatusCode::CREATED);
}

/// What is answered is what was done, but for what was left unanswered at its `COMMIT`.
#[tokio::test]
async fn a_restart_under_load_loses_no_order_and_sells_none_twice() {
    let Some(mut server) = postgres("a_restart_under_load_loses_no_order").await else { return };
    let service = over(&server).await;
    let book = service.stocked(ISBNS[0], 1_000_000).await;
    let is_over = AtomicBool::new(false);
    let sold = AtomicU32::new(0);
    let orders = join_all((0..8).map(|_| async {
        let mut counts = BTreeMap::new();
        while !is_over.load(SeqCst) {
            let status = in_time(service.order(book, 1)).await.status();
            sold.fetch_add(u32::from(status == StatusCode::CREATED), SeqCst);
            *counts.entry(status.as_u16()).or_insert(0) += 1;
            sleep(Duration::from_millis(1)).await;
        }
        counts
    }));
    let sells = async |more: u32| {
        let enough = sold.load(SeqCst) + more;
        let selling = async {
            while sold.load(SeqCst) < enough {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, selling).await.unwrap();
    };
    let hurt = async {
        for _ in 0..3 {
            sells(20).await;
            server.kill().unwrap();
            server.restart().await.unwrap();
        }
        sells(20).await;
        is_over.store(true, SeqCst);
        server
    };
    let (counts, server) = join(orders, hurt).await;
    let of = |status| counts.iter().filter_map(|counts| counts.get(&status)).sum::<i64>();
    let (sold, failed, unknown) = (of(201), of(503), of(500));
    assert_eq!(counts.iter().flat_map(BTreeMap::values).sum::<i64>(), sold + failed + unknown);
    let number = async |sql: &str| server.sql(sql).await.unwrap().parse::<i64>().unwrap();
    let ordered = number("SELECT sum(copies) FROM orders").await;
    assert!((sold..=sold + unknown).contains(&ordered), "{sold} {failed} {unknown}: {ordered}");
    assert_eq!(number("SELECT stock FROM books").await, 1_000_000 - ordered);
    assert!(failed + unknown > 0, "nobody has noticed");
}

#[tokio::test]
async fn the_pool_is_in_the_numbers() {
    let Some(server) = postgres("the_pool_is_in_the_numbers").await else { return };
    let service = over(&server).await;
    service.stocked(ISBNS[0], 1).await;
    let metrics = service.get("/metrics").await;
    for sample in [
        r#"pool_connections{pool="postgres",state="idle"} 1"#,
        r#"pool_connections{pool="postgres",state="out"} 0"#,
        r#"pool_connections_max{pool="postgres"} 10"#,
        r#"pool_waiting{pool="postgres"} 0"#,
        r#"pool_created_total{pool="postgres"} 1"#,
        r#"pool_timeouts_total{pool="postgres",kind="wait"} 0"#,
        r#"pool_closed_total{pool="postgres",reason="lost"} 0"#,
    ] {
        assert!(text(&metrics).lines().any(|line| line == sample), "{sample}: {}", text(&metrics));
    }
    let line = text(&metrics).lines().find(|line| line.starts_with("pool_acquires_within_total"));
    assert!(line.is_some(), "{}", text(&metrics));
}

#[tokio::test]
async fn a_slow_statement_is_a_line_without_values_and_with_the_requests_id() {
    let Some(server) = postgres("a_slow_statement_is_a_line_without_values").await else { return };
    let url = server.url();
    let service = Service::with(&[("DATABASE_URL", &url), ("DATABASE_SLOW", "700ms")]).await;
    let book = service.stocked(ISBNS[0], 77).await;
    let locked = "BEGIN; LOCK TABLE books; SELECT pg_sleep(1.2); COMMIT";
    let locked = meanwhile(&server, locked).await;
    let (answer, ()) = join(service.order(book, 73), locked).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
    let line = service.line(&["slow statement", id(&answer)]).await;
    assert_eq!(
        line["statement"],
        "UPDATE books SET stock = stock - $2 WHERE id = $1 AND stock >= $2"
    );
    assert_eq!((&line["level"], &line["rows"]), (&json!("WARN"), &json!(1)), "{line}");
    assert_eq!(line["request_id"], id(&answer));
    assert!(line["took_ms"].as_u64().unwrap() >= 700, "{line}");
    let log = service.whole_log().await;
    let slow: Vec<_> = log.lines().filter(|line| line.contains("slow statement")).collect();
    assert_eq!(slow.len(), 1, "{slow:?}");
    let known = [
        "level",
        "message",
        "outcome",
        "pool",
        "request_id",
        "rows",
        "service",
        "span_id",
        "statement",
        "target",
        "timestamp",
        "took_ms",
        "trace_flags",
        "trace_id",
    ];
    assert!(line.as_object().unwrap().keys().eq(known), "{line}");
    // The others of the transaction count too.
    let access = service.access_line("/orders", id(&answer)).await;
    assert_eq!(access["db_count"], 4, "{access}");
}

/// While an order waits for its row, the service is told to end.
async fn ended_within_an_order(
    server: &Server,
    service: &mut Service,
    secs: u32,
) -> (i64, Option<StatusCode>) {
    let book = service.stocked(ISBNS[0], 5).await;
    let locked = format!("BEGIN; LOCK TABLE books; SELECT pg_sleep({secs}); COMMIT");
    let locked = meanwhile(server, &locked).await;
    let request = service.request("POST", "/orders").header("content-type", "application/json");
    let order = json!({ "book": book, "copies": 2 }).to_string();
    let order = service.client.request(request.body(order.into()).unwrap());
    let signal = async {
        becomes(server, WAITING, "1").await;
        service.signal("TERM").await;
    };
    let ((order, ()), ()) = join(join(order, signal), locked).await;
    (book, order.ok().map(|answer| answer.status()))
}

/// What is left in the database once its connections are gone: how many copies, and orders.
async fn left(server: &Server, book: i64) -> [String; 2] {
    let connections = "SELECT count(*) FROM pg_stat_activity \
                       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    becomes(server, connections, "0").await;
    let stock = server.sql(&format!("SELECT stock FROM books WHERE id = {book}")).await.unwrap();
    [stock, server.sql("SELECT count(*) FROM orders").await.unwrap()]
}

#[tokio::test]
async fn a_signal_within_a_transaction_lets_it_end_and_then_the_pool_is_closed() {
    let Some(server) = postgres("a_signal_within_a_transaction_lets_it_end").await else { return };
    let mut service = over(&server).await;
    let (book, answered) = ended_within_an_order(&server, &mut service, 2).await;
    assert_eq!(answered, Some(StatusCode::CREATED));
    assert_eq!(service.ended().await.code(), Some(0));
    let report = service.report().await;
    assert_eq!((&report["killed"], &report["unanswered"]), (&json!(0), &json!(0)), "{report}");
    assert!(report["phases"].as_str().unwrap().contains("postgres"), "{report}");
    assert_eq!(left(&server, book).await, ["3", "1"]);
}

#[tokio::test]
async fn a_transaction_that_does_not_end_in_time_is_rolled_back() {
    let Some(server) = postgres("a_transaction_that_does_not_end_in_time").await else { return };
    // Two fifths of it are to drain: less than the statement would wait for.
    let url = server.url();
    let mut service = Service::with(&[("DATABASE_URL", &url), ("SHUTDOWN_GRACE", "5s")]).await;
    let (book, answered) = ended_within_an_order(&server, &mut service, 6).await;
    assert_eq!(answered, None, "it was given up");
    assert_eq!(service.ended().await.code(), Some(0));
    let report = service.report().await;
    assert_eq!(report["killed"], 1, "{report}");
    assert_eq!(left(&server, book).await, ["5", "0"]);
}
