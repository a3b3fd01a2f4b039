use super::*;

const EXAMPLE: &str = r#"
[package]
name = "buttress-example" # a # in a comment
version.workspace = true
publish = false

[features]
default = ["server"]
server = []
# What it is for.
tokio = [
  "dep:tokio", # one to a line
  "dep:hyper-util",
]
"quoted-name" = []

[dependencies]
bytes = "1"
http = { workspace = true }
tokio = { workspace = true, optional = true, features = ["rt"] }
serde = { version = "1", optional = true }
tracing.workspace = true

[dependencies.hyper-util]
workspace = true
optional = true

[target.'cfg(unix)'.dependencies]
signal-hook = "0.3"

[dev-dependencies]
axum = "0.8"
"#;

#[test]
fn a_manifest_tells_name_features_and_dependencies() {
    let manifest = Manifest::parse(EXAMPLE);
    assert_eq!(manifest.name, "buttress-example");
    assert!(!manifest.publish);
    // `serde` is a feature because nothing names `dep:serde`.
    assert_eq!(manifest.features, ["server", "tokio", "quoted-name", "serde"]);
    let dependencies: Vec<(&str, bool)> = manifest
        .dependencies
        .iter()
        .map(|dependency| (dependency.name.as_str(), dependency.optional))
        .collect();
    assert_eq!(
        dependencies,
        [
            ("bytes", false),
            ("http", false),
            ("tokio", true),
            ("serde", true),
            ("tracing", false),
            ("hyper-util", true),
            ("signal-hook", false),
        ]
    );
}

#[test]
fn a_package_is_published_unless_it_says_no() {
    assert!(Manifest::parse("[package]\nname = \"x\"").publish);
}

#[test]
fn strings_hide_what_would_end_them() {
    let parsed = entries(r##"a = "x = [1, # no" # yes"##);
    assert_eq!(
        parsed,
        [Entry { path: vec!["a".to_owned()], value: r#""x = [1, # no""#.to_owned() }]
    );
    assert_eq!(array(r#"["a,b", 'c', ]"#), ["a,b", "c"]);
    assert_eq!(
        inline(r#"{ version = "1, 2", features = ["a", "b"] }"#).collect::<Vec<_>>(),
        [("version", r#""1, 2""#), ("features", r#"["a", "b"]"#)]
    );
}
