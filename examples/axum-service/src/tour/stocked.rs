//! The chapter on books and orders.

use std::io::Write;

use serde_json::{Value, json};

use super::{Told, Tour, caller::Ask};

const BOOK: &str =
    r#"{"isbn":"9780140439120","title":"Middlemarch","author":"George Eliot","stock":3}"#;
const MISPRINT: &str =
    r#"{"isbn":"9780140439121","title":"Middlemarch","author":"George Eliot","stock":3}"#;
const TWO: &str = r#"{"book":1,"copies":2}"#;
const NO_BOOK: &str = r#"{"book":7,"copies":1}"#;

impl<W: Write> Tour<W> {
    pub(super) async fn ordered_and_sold_out(&mut self) -> Told {
        self.story.chapter("A book and its orders: two tables, changed together or not at all")?;
        self.story.shown("# in an embedded SQLite; with DATABASE_URL the same in Postgres")?;
        let answer = self.ask(Ask::get("/books").json(BOOK), &["location"]).await?;
        let added = answer.status == 201 && answer.header("location") == "/books/1";
        self.story.claim("a book is added, and the answer says where it is", added, &answer)?;
        let answer = self.ask(Ask::get("/books").json(BOOK), &[]).await?;
        self.story.claim("its ISBN is taken now: 409", answer.is_problem(409), &answer.text)?;
        let answer = self.ask(Ask::get("/books").json(MISPRINT), &[]).await?;
        let refused = answer.is_problem(422) && answer.errs_at("/isbn");
        self.story.claim("one with a misprint is none: 422", refused, &answer.text)?;

        let answer = self.ask(Ask::get("/orders").json(TWO), &["location"]).await?;
        let ordered = answer.status == 201 && answer.header("location") == "/orders/1";
        self.story.claim("two of three copies are ordered", ordered, &answer)?;
        let line = self.access_line("/orders", answer.id()).await?;
        let counted = *line.field("db_count") == 1;
        self.story.claim("the access line says what the database took", counted, &line)?;
        let shelf = self.ask(Ask::get("/books?limit=5"), &[]).await?;
        let one = stock(&shelf.json()) == Some(1);
        self.story.claim("one is left", one, &shelf.text)?;
        let answer = self.ask(Ask::get("/orders").json(TWO), &["content-type"]).await?;
        let refused = answer.is_problem(409) && answer.json().get("stock") == Some(&json!(1));
        self.story.claim(
            "two more there are not: 409, and how many there are",
            refused,
            &answer,
        )?;
        let shelf = self.ask(Ask::get("/books"), &[]).await?;
        let same = stock(&shelf.json()) == Some(1);
        self.story.claim("and none of them was taken", same, &shelf.text)?;
        let answer = self.ask(Ask::get("/orders").json(NO_BOOK), &[]).await?;
        self.story.claim("of no book there is no order: 404", answer.is_problem(404), &answer)?;
        Ok(())
    }
}

/// Of the first book of a page.
fn stock(page: &Value) -> Option<i64> {
    page.pointer("/books/0/stock")?.as_i64()
}
