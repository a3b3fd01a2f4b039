//! The book: its table of contents, and the links between its pages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cargo::root;
use crate::workspace;

fn docs() -> PathBuf {
    root().join("docs")
}

/// Every page of ours; what mdbook made of them lies in `book`.
fn pages() -> Vec<PathBuf> {
    let mut pages = workspace::files(&docs(), "md");
    pages.retain(|page| !page.starts_with(docs().join("book")));
    pages
}

/// What the links of a page lead to, without the place within it.
fn links(page: &Path) -> Vec<String> {
    let text = workspace::read(page).unwrap();
    let targets = text.split("](").skip(1);
    targets.filter_map(|link| link.split([')', '#']).next()).map(str::to_owned).collect()
}

#[test]
fn the_summary_links_every_page_and_no_other() {
    let summary = docs().join("SUMMARY.md");
    let linked: BTreeSet<PathBuf> =
        links(&summary).into_iter().map(|link| docs().join(link)).collect();
    let others = pages().into_iter().filter(|page| *page != summary);
    assert_eq!(linked, others.collect());
}

#[test]
fn a_link_to_a_page_leads_to_one() {
    for page in pages() {
        let folder = page.parent().unwrap();
        for link in links(&page) {
            let outside = link.contains("://") || link.is_empty();
            assert!(outside || folder.join(&link).exists(), "{}: {link}", page.display());
        }
    }
}
