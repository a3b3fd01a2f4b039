//! What is written down of a configuration.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

mod shop;

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use buttress_config::{Docs, Environment, Profile, Secret, Stale, config};
use shop::Settings;

fn docs() -> Docs {
    Environment::process().docs::<Settings>()
}

#[test]
fn the_files_beside_the_tests_are_fresh() -> Result<(), Stale> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shop");
    docs().check_env_example(folder.join("env.example"))?;
    docs().check_markdown(folder.join("variables.md"))
}

#[test]
fn the_example_is_read_by_the_service_that_it_is_of() {
    let example = docs().env_example();
    // As it is, what must be set is still to be filled in, and nothing else.
    let report = Environment::of([("SHOP_MAIL_KEY", "mk-0123456789")])
        .prefix("SHOP_")
        .text(".env", &example)
        .load::<Settings>()
        .unwrap_err();
    let empty: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert_eq!(empty.len(), 1, "{report}");
    assert!(empty.concat().starts_with("SHOP_SESSION_SECRET=\"\" (file .env) is set, and empty"));

    // With every default spelled out it is the same as without.
    let filled = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(variable) if !variable.starts_with(' ') => variable,
            _ => line,
        })
        .filter(|line| !line.contains("SHOP_MAIL_KEY=") && !line.contains("SESSION_SECRET="));
    let filled: Vec<_> = filled.collect();
    let given = [("SHOP_SESSION_SECRET", shop::SECRET), ("SHOP_MAIL_KEY", "mk-0123456789")];
    let spelled =
        Environment::of(given).text(".env", &filled.join("\n")).load::<Settings>().unwrap();
    let url = ("SHOP_STORE_URL", "postgres://shop@localhost/shop");
    let plain = Environment::of(given.into_iter().chain([url])).load::<Settings>().unwrap();
    let (spelled, plain) = (spelled.into_inner(), plain.into_inner());
    assert_eq!(format!("{spelled:?}"), format!("{plain:?}"));
}

#[test]
fn every_variable_is_in_both_once() {
    let (docs, names) = (docs(), docs().names().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(names.first().map(String::as_str), Some("APP_ENV"));
    assert_eq!(names.last().map(String::as_str), Some("SHOP_ENABLE_CHAT"));
    for name in names {
        let begins = |line: &str| line.trim_start_matches('#').starts_with(&format!("{name}="));
        assert_eq!(docs.env_example().lines().filter(|line| begins(line)).count(), 1, "{name}");
        let row = format!("| `{name}`");
        assert_eq!(docs.markdown().lines().filter(|line| line.starts_with(&row)).count(), 1);
    }
}

#[test]
fn the_default_of_a_secret_is_not_written_down() {
    config! {
        #[derive(Debug)]
        struct Keys {
            /// Signs.
            key: Secret<String> = var("KEY").default("planted"),
            /// Opens.
            other: Secret<String> = var("OTHER").default_in(Profile::Test, "planted"),
            /// Named like a secret.
            token: String = var("TOKEN").default("planted"),
        }
    }
    let docs = Environment::process().docs::<Keys>();
    let all = format!("{}{}{docs:?}", docs.env_example(), docs.markdown());
    assert!(!all.contains("planted"), "{all}");
}

#[test]
fn what_a_page_says_wrongly_is_told_with_its_line() {
    let path = env::temp_dir().join(format!("buttress-config-stale-{}", std::process::id()));
    let fresh = docs().env_example();
    fs::write(&path, fresh.replace("#SHOP_LIMIT=100/15m", "#SHOP_LIMIT=10/15m")).unwrap();
    let stale = docs().check_env_example(&path).unwrap_err().to_string();
    let number = fresh.lines().position(|line| line == "#SHOP_LIMIT=100/15m").unwrap() + 1;
    assert!(stale.contains(&format!(":{number} is stale")), "{stale}");
    assert!(
        stale.contains("is: #SHOP_LIMIT=10/15m") && stale.contains("should: #SHOP_LIMIT=100/15m")
    );
    fs::write(&path, &fresh).unwrap();
    assert!(docs().check_env_example(&path).is_ok());
    fs::write(&path, fresh.replace('\n', "\r\n")).unwrap();
    assert!(docs().check_env_example(&path).is_ok());
    fs::write(&path, fresh.trim_end()).unwrap();
    assert!(docs().check_env_example(&path).is_ok());
    fs::write(&path, fresh.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    assert!(docs().check_env_example(&path).is_err());
    assert!(docs().check_markdown(&path).unwrap_err().to_string().contains("has no lines"));
    fs::remove_file(&path).unwrap();
    assert!(docs().check_env_example(&path).is_err());
}

#[test]
fn they_are_written_anew_on_demand_and_the_page_around_stays() {
    if let Some(folder) = env::var_os("AS_CHILD").map(PathBuf::from) {
        docs().check_env_example(folder.join(".env.example")).unwrap();
        docs().check_markdown(folder.join("README.md")).unwrap();
        return;
    }
    let folder = env::temp_dir().join(format!("buttress-config-update-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let page = "# Shop\n\n<!-- variables -->\nold\n<!-- /variables -->\n\nThe end.\n";
    fs::write(folder.join("README.md"), page).unwrap();
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "they_are_written_anew_on_demand_and_the_page_around_stays"])
        .env("AS_CHILD", &folder)
        .env("UPDATE_CONFIG_DOCS", "1")
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(page.starts_with("# Shop\n\n<!-- variables -->\n| variable |"), "{page}");
    assert!(page.ends_with("|\n<!-- /variables -->\n\nThe end.\n"), "{page}");
    assert!(docs().check_env_example(folder.join(".env.example")).is_ok());
    fs::remove_dir_all(&folder).unwrap();
}
