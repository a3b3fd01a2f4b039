//! The book's pages and its table of contents.

use std::collections::BTreeSet;

use crate::cargo::root;
use crate::workspace;

#[test]
fn the_summary_links_every_page_and_no_other() {
    let docs = root().join("docs");
    let text = workspace::read(&docs.join("SUMMARY.md")).unwrap();
    let linked: BTreeSet<&str> =
        text.split("](").skip(1).filter_map(|link| Some(link.split_once(')')?.0)).collect();
    let files = workspace::files(&docs, "md");
    let pages: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.strip_prefix(&docs).ok()?.to_str())
        .filter(|page| *page != "SUMMARY.md" && !page.starts_with("book/"))
        .collect();
    assert_eq!(linked, pages);
}
