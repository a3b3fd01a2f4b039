use std::path::PathBuf;

use super::*;
use crate::manifest::Manifest;

#[test]
fn no_published_crate_exceeds_its_budget() {
    let members = workspace::members(root()).unwrap();
    let excess: Vec<String> = costs(&members).unwrap().iter().filter_map(Cost::excess).collect();
    assert!(excess.is_empty(), "{}", excess.join("\n"));
}

#[test]
fn the_workspace_keeps_the_dependency_law() {
    let members = workspace::members(root()).unwrap();
    let breaches = breaches(&members).unwrap();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn axum_alone_is_less_than_what_this_workspace_makes_of_it() {
    let names: BTreeSet<String> = axum_alone().unwrap().into_iter().map(|it| it.0).collect();
    assert!(names.contains("hyper-util") && names.contains("matchit"));
    assert!(!names.contains("h2"), "http2 is no default feature of axum");
}

#[test]
fn an_excess_says_the_count_and_the_budget() {
    let brings = packages("a v1.0.0\nb v1.0.0 (proc-macro)\na v1.0.0 (*)\na v2.0.0\n");
    assert_eq!(brings.len(), 3, "one for each name and version");
    let cost = |budget| Cost { name: "buttress-x".to_owned(), brings: brings.clone(), budget };
    assert_eq!(cost(3).excess(), None);
    assert_eq!(
        cost(2).excess().unwrap(),
        "buttress-x brings 3 crates beyond axum's own; its budget is 2"
    );
}

fn member(name: &str, dependency: &str) -> Member {
    Member {
        manifest: Manifest::parse(&format!(
            "[package]\nname = \"{name}\"\n\
             [dependencies]\n{dependency} = {{ workspace = true, optional = true }}\n\
             [dev-dependencies]\nbuttress-conformance.workspace = true\n"
        )),
        dir: PathBuf::new(),
    }
}

#[test]
fn arrows_point_down_only() {
    for (from, to, allowed) in [
        ("buttress-core", "buttress-log", false),
        ("buttress-log", "buttress-core", true),
        ("buttress-log", "buttress-redact", true),
        ("buttress-redact", "buttress-log", false),
        ("buttress-conformance", "buttress-core", true),
        ("buttress", "buttress-log", true),
        ("buttress-log", "buttress", false),
        ("buttress-core", "http", true),
    ] {
        let ours = ["buttress", "buttress-core", "buttress-log", "buttress-redact"];
        let mut members: Vec<Member> = ours.map(|name| member(name, "bytes")).into();
        members.retain(|known| known.name() != from);
        members.push(member(from, to));
        assert_eq!(wrong_arrows(&members).is_empty(), allowed, "{from} → {to}");
    }
}
