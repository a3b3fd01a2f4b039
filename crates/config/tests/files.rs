//! Where values come from.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use buttress_config::{Environment, Problem, ProblemKind, Profile, Secret, config};

config! {
    #[derive(Debug)]
    struct Settings {
        /// Who we are.
        name: String = var("NAME").default("nobody"),
        /// Signs.
        key: Option<Secret<String>> = var("KEY"),
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("buttress-config-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn nothing() -> Environment {
    Environment::of::<String, String>([])
}

fn name_and_origin(environment: &Environment) -> (String, String) {
    let loaded = environment.load::<Settings>().unwrap();
    let setting = loaded.effective().nth(1).unwrap();
    (loaded.name.clone(), setting.origin().to_string())
}

#[test]
fn the_environment_goes_before_the_file_and_that_before_the_default() {
    let folder = Folder::new("order");
    let (first, second) =
        (folder.write("first", "NAME=first\n"), folder.write("second", "NAME=second\n"));
    let name = |environment: &Environment| name_and_origin(environment).0;
    assert_eq!(name(&nothing()), "nobody");
    assert_eq!(name(&nothing().file(&second)), "second");
    assert_eq!(name(&nothing().file(&first).file(&second)), "first");
    assert_eq!(name(&Environment::of([("NAME", "given")]).file(&first)), "given");
    let (_, origin) = name_and_origin(&nothing().file(&first));
    assert_eq!(origin, format!("file {}", first.display()));
}

#[test]
fn a_file_that_is_not_there_is_missed_only_where_it_must_be() {
    let folder = Folder::new("missing");
    let path = folder.0.join("none");
    assert!(nothing().file(&path).load::<Settings>().is_ok());
    let report = nothing().required_file(&path).load::<Settings>().unwrap_err();
    assert_eq!(report.errors().next().map(Problem::kind), Some(ProblemKind::File));
    assert!(report.to_string().contains("none"), "{report}");
}

#[test]
fn a_file_that_cannot_be_read_is_told_though_it_need_not_be_there() {
    let folder = Folder::new("unreadable");
    let report = nothing().file(&folder.0).load::<Settings>().unwrap_err();
    assert_eq!(report.errors().next().map(Problem::kind), Some(ProblemKind::File));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = Folder::new("large");
    let path = folder.write("large", &"#".repeat((1 << 20) + 1));
    assert!(nothing().file(path).load::<Settings>().is_err());
}

/// Whoever waits on a pipe that nobody writes to never starts.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_opened() {
    let folder = Folder::new("pipe");
    let pipe = folder.0.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let report = nothing().file(&pipe).load::<Settings>().unwrap_err();
    assert!(report.to_string().contains("cannot be read: it is no regular file"), "{report}");
    let environment = Environment::of([("KEY_FILE", pipe.to_str().unwrap())]);
    let report = environment.load::<Settings>().unwrap_err();
    assert_eq!(
        report.errors().next().map(Problem::reason),
        Some("names a file that cannot be read: it is no regular file")
    );
    assert!(Environment::of([("KEY_FILE", "/dev/zero")]).load::<Settings>().is_err());
}

/// As Kubernetes mounts secrets: by two links, of which one changes. A link to itself ends nowhere.
#[cfg(unix)]
#[test]
fn links_are_followed_to_their_end() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("links");
    fs::create_dir(folder.0.join("..data-1")).unwrap();
    folder.write("..data-1/key", "abc\n");
    symlink("..data-1", folder.0.join("..data")).unwrap();
    symlink("..data/key", folder.0.join("key")).unwrap();
    let key = |name: &str| {
        let path = folder.0.join(name);
        let environment = Environment::of([("KEY_FILE", path.to_str().unwrap())]);
        environment.load::<Settings>().map(|loaded| loaded.key.as_ref().unwrap().expose().clone())
    };
    assert_eq!(key("key").unwrap(), "abc");
    symlink("other", folder.0.join("one")).unwrap();
    symlink("one", folder.0.join("other")).unwrap();
    for (name, why) in [("one", "symbolic links"), ("..data", "it is no regular file")] {
        let report = key(name).unwrap_err().to_string();
        assert!(report.contains("names a file that cannot be read: "), "{report}");
        assert!(report.contains(why), "{report}");
    }
    let report = nothing().file(folder.0.join("one")).load::<Settings>().unwrap_err();
    assert!(report.to_string().contains("symbolic links"), "{report}");
}

#[test]
fn what_is_no_text_is_not_read() {
    let folder = Folder::new("binary");
    // Of UTF-16, with its mark and without, and of Latin-1.
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let cases = [
        (utf16("\u{feff}NAME=planted\n"), "it has a NUL in it, as a text in UTF-16 has"),
        (utf16("NAME=planted\n"), "it has a NUL in it, as a text in UTF-16 has"),
        (b"NAME=plant\xe9d\n".to_vec(), "it is no text in UTF-8"),
        (b"NAME=planted\0more\n".to_vec(), "it has a NUL in it, as a text in UTF-16 has"),
    ];
    for (bytes, why) in cases {
        let path = folder.0.join("file");
        fs::write(&path, bytes).unwrap();
        let secret = Environment::of([("KEY_FILE", path.to_str().unwrap())]);
        for environment in [nothing().file(&path), secret] {
            let report = environment.load::<Settings>().unwrap_err();
            assert_eq!(report.errors().map(Problem::kind).collect::<Vec<_>>(), [ProblemKind::File]);
            assert!(report.to_string().contains(why), "{report}");
            assert!(!report.to_string().contains("plant"), "{report}");
        }
    }
}

/// No path can have one in it, and the secret itself may be what was put in its place.
#[test]
fn what_can_be_no_path_is_no_path() {
    for path in ["planted\0", "", "\n", &"planted/".repeat(100_000)] {
        let report = Environment::of([("KEY_FILE", path)]).load::<Settings>().unwrap_err();
        assert_eq!(report.errors().map(Problem::kind).collect::<Vec<_>>(), [ProblemKind::File]);
        assert!(!format!("{report}{report:?}").contains("planted"), "{report}");
    }
}

#[test]
fn why_the_file_of_a_secret_cannot_be_read_is_told() {
    let folder = Folder::new("why");
    let large = folder.write("large", &"\u{e9}".repeat(1 << 20));
    let large = Environment::of([("KEY_FILE", large.to_str().unwrap())]);
    let report = large.load::<Settings>().unwrap_err().to_string();
    assert!(report.contains("cannot be read: it is larger than 1 MiB"), "{report}");
    let none = folder.0.join("none");
    let none = Environment::of([("KEY_FILE", none.to_str().unwrap())]);
    let report = none.load::<Settings>().unwrap_err().to_string();
    assert!(report.contains("No such file") || report.contains("cannot find"), "{report}");
}

#[test]
fn each_line_that_cannot_be_read_is_told_by_its_number() {
    let report = nothing().text(".env", "NAME=a\nwhat\nKEY='open\n").load::<Settings>();
    let report = report.unwrap_err();
    let names: Vec<_> = report.errors().filter_map(|problem| problem.subjects().first()).collect();
    let names: Vec<_> = names.into_iter().map(buttress_config::Subject::name).collect();
    assert_eq!(names, [".env:2", ".env:3"]);
}

#[test]
fn a_problem_of_a_file_names_it() {
    let report = nothing().text("shop.env", "NAME=\n").load::<Settings>().unwrap_err();
    assert!(report.to_string().contains("NAME=\"\" (file shop.env) is set, and empty"), "{report}");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = Folder::new("secret");
    for (text, key) in [
        ("abc", "abc"),
        ("abc\n", "abc"),
        ("abc\r\n", "abc"),
        ("a\nb\n", "a\nb"),
        ("\u{feff}abc\n", "abc"),
    ] {
        let path = folder.write("key", text);
        let environment = Environment::of([("KEY_FILE", path.to_str().unwrap())]);
        let loaded = environment.load::<Settings>().unwrap();
        assert_eq!(loaded.key.as_ref().unwrap().expose(), key);
        let setting = loaded.effective().last().unwrap().to_string();
        assert_eq!(setting, format!("KEY_FILE=[REDACTED] (secret file {})", path.display()));
    }
}

#[test]
fn a_secret_and_a_file_for_it_are_one_too_many() {
    let folder = Folder::new("both");
    let path = folder.write("key", "abc");
    let environment = Environment::of([("KEY", "abc"), ("KEY_FILE", path.to_str().unwrap())]);
    let report = environment.load::<Settings>().unwrap_err();
    let text = "KEY, KEY_FILE are both set; right: one of them, a text";
    assert_eq!(report.errors().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    // The environment's goes before that of a file of variables.
    let environment = Environment::of([("KEY", "abc")]);
    let environment = environment.text(".env", &format!("KEY_FILE={}\n", path.display()));
    assert!(environment.load::<Settings>().is_ok());
}

#[test]
fn what_is_no_secret_is_not_read_from_a_file() {
    let loaded = Environment::of([("NAME_FILE", "/etc/hostname")]).load::<Settings>().unwrap();
    assert_eq!(loaded.name, "nobody");
}

/// In a process of its own, as no test can set its own variables.
fn child(test: &str, variables: &[(&str, &std::ffi::OsStr)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env("AS_CHILD", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_processs_own_environment_is_read() {
    if env::var_os("AS_CHILD").is_some() {
        let name = &Environment::process().load::<Settings>().unwrap().name;
        println!("<{name}>");
        return;
    }
    let output = child("the_processs_own_environment_is_read", &[("NAME", "shop".as_ref())]);
    assert!(output.contains("<shop>"), "{output}");
}

#[cfg(unix)]
#[test]
fn what_is_no_unicode_is_told_and_not_shown() {
    use std::os::unix::ffi::OsStrExt;

    if env::var_os("AS_CHILD").is_some() {
        println!("<{}>", Environment::process().load::<Settings>().unwrap_err());
        return;
    }
    let value = std::ffi::OsStr::from_bytes(b"planted\xff");
    let output = child("what_is_no_unicode_is_told_and_not_shown", &[("NAME", value)]);
    assert!(
        output.contains("NAME (environment) is no text in UTF-8")
            || output.contains("NAME is no text in UTF-8"),
        "{output}"
    );
    assert!(!output.contains("planted"), "{output}");
}

#[cfg(unix)]
#[test]
fn a_profile_that_is_no_unicode_is_taken_for_production() {
    use std::os::unix::ffi::OsStrExt;

    if env::var_os("AS_CHILD").is_some() {
        let environment = Environment::process().profile("APP_ENV", Profile::Development);
        let loaded = environment.load::<Settings>().unwrap();
        println!("<{}, {} warning>", loaded.profile(), loaded.warnings().count());
        return;
    }
    let value = std::ffi::OsStr::from_bytes(b"production\xff");
    let test = "a_profile_that_is_no_unicode_is_taken_for_production";
    let output = child(test, &[("APP_ENV", value)]);
    assert!(output.contains("<production, 1 warning>"), "{output}");
}

#[test]
fn a_path_may_be_any_path() {
    let environment = nothing().file(Path::new("no/such/folder/.env"));
    assert!(environment.load::<Settings>().is_ok());
}
