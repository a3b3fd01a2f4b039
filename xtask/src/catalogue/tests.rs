use super::*;
use crate::cargo::root;

/// The catalogue counts to here; these numbers it gave up.
const LAST: u32 = 120;
const GIVEN_UP: [u32; 4] = [107, 110, 111, 112];

fn catalogue() -> String {
    workspace::read(&root().join("docs/systems.md")).unwrap()
}

#[test]
fn the_catalogue_names_only_what_exists() {
    let members = workspace::members(root()).unwrap();
    let text = catalogue();
    let problems = problems(root(), &members, &rows(&text).unwrap());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_catalogue_has_every_row_once_and_in_order() {
    let text = catalogue();
    let numbers: Vec<u32> = rows(&text).unwrap().iter().map(|row| row.number).collect();
    let expected: Vec<u32> = (1..=LAST).filter(|it| !GIVEN_UP.contains(it)).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_row_is_read_cell_by_cell() {
    let text = "\
        | # | what | crate | state | API | test | example |\n\
        |---|---|---|---|---|---|---|\n\
        | 7 | ids | core | done | `a::B`, `a::c` | `t.rs::d` | – |\n";
    let row = Row {
        number: 7,
        what: "ids",
        owner: "core",
        state: State::Done,
        apis: vec!["a::B", "a::c"],
        tests: vec!["t.rs::d"],
        examples: vec![],
    };
    assert_eq!(rows(text).unwrap(), [row]);
}

#[test]
fn a_row_that_is_not_strict_is_refused() {
    for (line, problem) in [
        ("| 7 | a | b | open | – | – |", "row 7: 6 cells"),
        ("| 7 | a | b | soon | – | – | – |", "row 7: the state is `soon`"),
        ("| 7 | a | b | open | x::Y | – | – |", "row 7: `x::Y` is not a name"),
        ("| 7 | a | b | open | `x` and `y` | – | – |", "row 7: `"),
        ("| 7 | a |  | open | – | – | – |", "row 7: says not"),
        ("| 7 | a | b | open | | – | – |", "row 7: `` is not a name"),
    ] {
        let refusal = rows(line).unwrap_err().to_string();
        assert!(refusal.starts_with(problem), "{refusal}");
    }
}

#[test]
fn names_that_do_not_exist_are_found() {
    let root = std::env::temp_dir().join(format!("xtask-catalogue-{}", std::process::id()));
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"shown\"]\n");
    write("a/Cargo.toml", "[package]\nname = \"family-a\"\n");
    write("a/src/lib.rs", "pub mod m; pub struct B; impl B { pub fn c() {} fn d() {} }");
    write("a/tests/t.rs", "#[test] fn it_works() {}");
    write("shown/Cargo.toml", "[package]\nname = \"example-x\"\npublish = false\n");
    write("shown/src/main.rs", "fn main() { route(\"/users/{id}\") }");
    write("shown/proto/x.proto", "service Greeter { rpc Hello (A) returns (B); }");
    let members = workspace::members(&root).unwrap();

    let row = |state: &str, api: &str, test: &str, example: &str| {
        format!("| 1 | x | y | {state} | {api} | {test} | {example} |")
    };
    let test = "`a/tests/t.rs::it_works`";
    let cases = [
        (row("done", "`family_a::B`", test, "–"), ""),
        (row("done", "`family_a::B::c`, `family_a::m`", test, "–"), ""),
        (row("open", "–", "–", "`example-x: GET /users/{id}?x=`"), ""),
        (row("open", "–", "–", "`example-x: Greeter/Hello`"), ""),
        (row("done", "`family_a::B`", "–", "–"), "done, without an API and a test"),
        (row("done", "–", test, "–"), "done, without an API and a test"),
        (row("open", "`family_a::B::d`", "–", "–"), "`d` is not public"),
        (row("later", "`family_a::C`", "–", "–"), "`C` is not public"),
        (row("open", "`family_b::C`", "–", "–"), "no published crate"),
        (row("open", "–", "`a/tests/t.rs::it_fails`", "–"), "no `fn it_fails(`"),
        (row("open", "–", "`a/tests/u.rs::it_works`", "–"), "u.rs"),
        (row("open", "–", "–", "`example-x: GET /admin`"), "has no `GET /admin`"),
        (row("open", "–", "–", "`example-x: Greeter/Bye`"), "has no `Greeter/Bye`"),
        (row("open", "–", "–", "`example-y: GET /`"), "no package"),
    ];
    for (line, problem) in cases {
        let found = problems(&root, &members, &rows(&line).unwrap()).join("\n");
        assert!(found.contains(problem), "{line}: {found}");
        assert_eq!(found.is_empty(), problem.is_empty(), "{line}: {found}");
    }
    std::fs::remove_dir_all(root).unwrap();
}
