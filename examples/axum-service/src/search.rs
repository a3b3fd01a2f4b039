//! A search through a fixed shelf of books, which are not those of `/books`:
//! `GET /search?q=&page=`.

use std::num::NonZero;

use axum::Json;
use buttress::sanitize::{Query, Strict};
use serde::{Deserialize, Serialize};

/// How many books are on a page.
const PAGE: usize = 5;

const SHELF: [Book; 10] = [
    Book::new("Pride and Prejudice", "Jane Austen", 1813),
    Book::new("Frankenstein", "Mary Shelley", 1818),
    Book::new("On the Economy of Machinery and Manufactures", "Charles Babbage", 1832),
    Book::new("On the Connexion of the Physical Sciences", "Mary Somerville", 1834),
    Book::new("Sketch of the Analytical Engine", "Luigi Menabrea, Ada Lovelace", 1843),
    Book::new("An Investigation of the Laws of Thought", "George Boole", 1854),
    Book::new("On the Origin of Species", "Charles Darwin", 1859),
    Book::new("Alice's Adventures in Wonderland", "Lewis Carroll", 1865),
    Book::new("Middlemarch", "George Eliot", 1871),
    Book::new("A Treatise on Electricity and Magnetism", "James Clerk Maxwell", 1873),
];

#[derive(Clone, Copy, Debug, Serialize)]
struct Book {
    title: &'static str,
    author: &'static str,
    year: u16,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    q: String,
    /// From 1, which it is where there is none: no `0`, `01`, `+1` or `1e0`.
    page: Option<Strict<NonZero<u16>>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Found {
    matches: Vec<Book>,
}

/// Books that have it in their title or their author's name.
pub(crate) async fn search(Query(Search { q, page }): Query<Search>) -> Json<Found> {
    let q = q.to_lowercase();
    let before = page.map_or(0, |Strict(page)| usize::from(page.get()) - 1) * PAGE;
    let is_match =
        |book: &Book| [book.title, book.author].iter().any(|text| text.to_lowercase().contains(&q));
    Json(Found { matches: SHELF.into_iter().filter(is_match).skip(before).take(PAGE).collect() })
}

impl Book {
    const fn new(title: &'static str, author: &'static str, year: u16) -> Self {
        Self { title, author, year }
    }
}
