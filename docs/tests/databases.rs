//! What the guide and the recipe say of pools.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::{collections::BTreeSet, error::Error, fs, path::Path, time::Duration};

use buttress::{
    metrics::{Exposition, Format},
    pool::{Backoff, Limits, PgError, PgPool, Postgres, Redis},
    source::Check,
};
use buttress_testkit::postgres::{DATABASE, PASSWORD, Server};
use tokio_postgres::NoTls;

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// That of the recipe, ten times as quick.
fn pool(address: String) -> PgPool {
    let ms = Duration::from_millis;
    let limits = Limits::new().size(2).wait(ms(200)).create(ms(500)).long_use(ms(1));
    let settings = Postgres::new(address).unwrap().limits(limits);
    settings.statement_timeout(ms(300)).pool().unwrap()
}

/// The sentence of each error in the chain, as the recipe's server would say it.
fn sentences(error: &dyn Error, server: &Server) -> Vec<String> {
    let address = server.address().to_string();
    let (mut said, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        let sentence = error.to_string().replace(&address, "127.0.0.1:5432");
        said.push(sentence.replace(&format!("/{DATABASE}:"), "/shop:"));
        next = error.source();
    }
    said
}

#[tokio::test]
async fn the_guide_has_every_metric_kind_and_reason() {
    let guide = page("guide/databases.md");
    let redis = Redis::new("redis://127.0.0.1").unwrap().pool().unwrap();
    let page = Exposition::new()
        .source(pool("postgres://app@127.0.0.1/shop".into()))
        .source(redis)
        .render(Format::Prometheus);
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let mut names: BTreeSet<_> = lines.filter_map(|line| line.split(['{', ' ']).next()).collect();
    assert!(names.len() > 15, "{names:?}");
    for label in ["kind=\"", "reason=\""] {
        let values = page.split(label).skip(1);
        names.extend(values.filter_map(|rest| rest.split('"').next()));
    }
    for name in names {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}

#[tokio::test]
async fn the_recipe_has_the_sentences_of_a_start_that_fails() {
    let recipe = page("recipes/postgres-that-comes-and-goes.md");
    let mut server = Server::start().await.unwrap();
    let wrong = |from: &str, to: &str| server.url().replace(from, to);
    let (password, database) = (wrong(PASSWORD, "wrong"), wrong(&format!("/{DATABASE}"), "/shop"));
    for address in [password, database] {
        let error = pool(address).connect_with_retry(Backoff::new()).await.unwrap_err();
        assert_eq!(error.attempts(), 1);
        let said = sentences(&error, &server);
        assert!(recipe.contains(&format!("| `{}` |", said.first().unwrap())), "{said:?}");
    }
    let error = Postgres::new("postgres://app:p@ss@db/shop").unwrap_err();
    assert!(recipe.contains(&format!("| {error} |")), "{error}");

    server.kill().unwrap();
    let once = Backoff::new().give_up_after(Duration::ZERO);
    let error = pool(server.url()).connect_with_retry(once).await.unwrap_err();
    let said = sentences(&error, &server);
    assert!(recipe.contains(&format!("error={}\n", said.first().unwrap())), "{said:?}");
}

#[tokio::test]
async fn the_recipe_has_the_sentences_of_a_server_that_freezes() {
    let recipe = page("recipes/postgres-that-comes-and-goes.md");
    let server = Server::start().await.unwrap();
    let pool = pool(server.url());
    let (check, saturation) = (pool.check(), pool.saturation());
    check.check().await.unwrap();
    let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    server.freeze().unwrap();
    let mut said = Vec::new();
    // In the order of the table's rows: a statement, a waiter, a new connection.
    let under_way = [&one, &two].map(|connection| connection.query("SELECT 1", &[]));
    let [statement, _] = futures_util::future::join_all(under_way).await.try_into().unwrap();
    let statement = statement.unwrap_err();
    said.extend(sentences(&statement, &server).into_iter().take(1));
    let waiter = PgError::from(pool.get().await.err().unwrap());
    assert!(waiter.is_exhausted());
    said.extend(sentences(&waiter, &server));
    let saturated = saturation.check().await.unwrap_err().to_string();
    drop((one, two));
    let new = PgError::from(pool.get().await.err().unwrap());
    // Up to the reason; what is behind it is for the log.
    said.extend(sentences(&new, &server).into_iter().take(3));
    assert!(check.check().await.is_err());
    server.thaw().unwrap();
    pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
    for sentence in said {
        // Between a statement's error and the reason stands one for the pool.
        let known =
            recipe.contains(&format!("`{sentence}`")) || sentence == "no connection could be made";
        assert!(known, "{sentence}");
    }
    assert!(recipe.contains(&format!("```text\n{saturated}\n```")), "{saturated}");
}

#[tokio::test]
async fn the_recipe_names_what_is_still_out_as_the_pool_does() {
    let recipe = page("recipes/postgres-that-comes-and-goes.md");
    let server = Server::start().await.unwrap();
    let pool = pool(server.url());
    let held = pool.get().await.unwrap();
    let still = pool.close_and_wait(Duration::from_millis(10)).await.unwrap_err().to_string();
    let (before, place) = still.split_once(file!()).unwrap();
    assert!(recipe.contains(&format!("\n{before}src/report.rs:")), "{still}");
    assert!(place.contains(" for "), "{still}");
    drop(held);
}

/// What the guide's figures come from: a pool that is asked for one connection at a time has one
/// process of the server answer all statements; without it there is one for each.
#[tokio::test]
async fn a_pool_spares_the_server_a_process_for_each_statement() {
    const BACKEND: &str = "SELECT pg_backend_pid()";
    let server = Server::start().await.unwrap();
    let pooled = pool(server.url());
    let (mut alone, mut together) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..20 {
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let backend: i32 = client.query_one(BACKEND, &[]).await.unwrap().get(0);
        alone.insert(backend);
        drop(client);
        connection.await.unwrap().unwrap();
        let backend = pooled.get().await.unwrap().query_one(BACKEND, &[]).await.unwrap();
        together.insert(backend.get::<_, i32>(0));
    }
    assert_eq!((alone.len(), together.len()), (20, 1));
}
