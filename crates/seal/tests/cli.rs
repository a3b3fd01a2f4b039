//! The command, as it is run.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use buttress_seal::{Key, KeyRing, Sealed, context};

/// What it is told in the environment.
#[derive(Clone, Copy, Default)]
struct Keys<'a> {
    key: Option<&'a str>,
    old: Option<&'a str>,
}

fn run(words: &[&str], keys: Keys<'_>, input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seal"));
    command.args(words).env_remove("SEAL_KEY").env_remove("SEAL_KEY_OLD");
    if let Some(key) = keys.key {
        command.env("SEAL_KEY", key);
    }
    if let Some(old) = keys.old {
        command.env("SEAL_KEY_OLD", old);
    }
    let pipe = Stdio::piped;
    let mut child = command.stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // It may have ended without reading.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn good(words: &[&str], keys: Keys<'_>, input: &[u8]) -> Vec<u8> {
    let output = run(words, keys, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    output.stdout
}

fn bad(words: &[&str], keys: Keys<'_>, input: &[u8]) -> (i32, String) {
    let output = run(words, keys, input);
    assert!(output.stdout.is_empty());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn keygen(id: &str) -> String {
    let text = good(&["keygen", "--id", id], Keys::default(), b"");
    String::from_utf8(text).unwrap().trim_end().to_owned()
}

#[test]
fn a_key_is_made_and_a_value_sealed_opened_and_resealed() {
    let (k1, k2) = (keygen("k1"), keygen("k2"));
    let first = Keys { key: Some(&k1), old: None };
    let both = Keys { key: Some(&k2), old: Some(&k1) };
    let place = ["api_keys.secret", "7"];
    let sealed = good(&[&["seal"], place.as_slice()].concat(), first, b"hunter2");
    let again = good(&[&["reseal"], place.as_slice()].concat(), both, &sealed);
    let opened = good(&[&["open"], place.as_slice()].concat(), both, &again);
    assert_eq!(opened, b"hunter2");
    assert!(sealed.starts_with(b"sealed.v1.k1.") && again.starts_with(b"sealed.v1.k2."));

    // The service opens what the command has sealed, and the other way round.
    let ring = KeyRing::new(Key::parse(&k2).unwrap());
    let text = String::from_utf8(again).unwrap();
    let value = Sealed::<String>::parse(text.trim_end()).unwrap();
    assert_eq!(ring.open(&value, context!("api_keys.secret", 7)).unwrap().expose(), "hunter2");
}

#[test]
fn what_is_sealed_is_what_came_in_but_for_the_line_end_on_request() {
    let key = keygen("k1");
    let keys = Keys { key: Some(&key), old: None };
    for (input, trimmed) in [
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        ("hunter2", "hunter2"),
        ("", ""),
        ("\n", ""),
    ] {
        let sealed = good(&["seal", "a"], keys, input.as_bytes());
        assert_eq!(good(&["open", "a"], keys, &sealed), input.as_bytes());
        let sealed = good(&["seal", "--trim", "a"], keys, input.as_bytes());
        assert_eq!(good(&["open", "a"], keys, &sealed), trimmed.as_bytes());
    }
    let large = vec![0xf5; 1_000_000];
    let sealed = good(&["seal", "a"], keys, &large);
    assert!(good(&["open", "a"], keys, &sealed) == large);
}

#[test]
fn a_stream_is_sealed_and_opened() {
    let key = keygen("k1");
    let keys = Keys { key: Some(&key), old: None };
    let plain: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    let sealed = good(&["seal", "--stream", "backup"], keys, &plain);
    assert!(sealed.starts_with(b"\xc5SLD"));
    assert!(good(&["open", "--stream", "backup"], keys, &sealed) == plain);
    let (code, said) = bad(&["open", "backup"], keys, &sealed);
    assert!(code == 1 && said.contains("a stream is opened with --stream"), "{said}");
    let cut = sealed.get(..sealed.len() - 1).unwrap();
    let output = run(&["open", "--stream", "backup"], keys, cut);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_goes_wrong_is_said_without_what_came_in() {
    let (k1, other) = (keygen("k1"), keygen("k1"));
    let keys = Keys { key: Some(&k1), old: None };
    let sealed = good(&["seal", "a"], keys, b"hunter2");
    let wrong = Keys { key: Some(&other), old: None };
    let broken = k1.replace(".k1.", ".k2.");
    let cases = [
        (&["open", "b"], keys, sealed.as_slice(), "not authentic"),
        (&["open", "a"], wrong, &sealed, "not authentic"),
        (&["open", "a"], keys, b"hunter2", "not a sealed value"),
        (&["open", "a"], Keys::default(), &sealed, "SEAL_KEY: not set"),
        (&["seal", "a"], Keys::default(), b"hunter2", "SEAL_KEY: not set"),
        (
            &["seal", "a"],
            Keys { key: Some("hunter2"), old: None },
            b"",
            "SEAL_KEY: a key looks like",
        ),
        (&["seal", "a"], Keys { key: Some(&broken), old: None }, b"", "SEAL_KEY: the check"),
        (&["seal", "a"], Keys { key: Some(&k1), old: Some(&k1) }, b"", "SEAL_KEY_OLD: two keys"),
    ];
    for (words, keys, input, says) in cases {
        let (code, said) = bad(words, keys, input);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_wrong_call_is_answered_with_the_usage_and_repeats_nothing() {
    for words in [
        ["", "", ""].as_slice(),
        &["hunter2"],
        &["seal"],
        &["open"],
        &["seal", "--hunter2", "a"],
        &["keygen", "hunter2"],
        &["keygen", "--id"],
        &["open", "--trim", "a"],
        &["seal", "--trim", "--stream", "a"],
        &[],
    ] {
        let (code, said) = bad(words, Keys::default(), b"");
        assert_eq!(code, 2, "{words:?}: {said}");
        assert!(said.contains("usage: seal"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (code, said) = bad(&["keygen", "--id", "a.b"], Keys::default(), b"");
    assert!(code == 1 && said.contains("1 to 32 of"), "{said}");
    for words in [["help"].as_slice(), &["--help"], &["seal", "--help"]] {
        assert!(good(words, Keys::default(), b"").starts_with(b"usage: seal"));
    }
}

#[test]
fn words_behind_two_dashes_are_the_context() {
    let key = keygen("k1");
    let keys = Keys { key: Some(&key), old: None };
    let sealed = good(&["seal", "--", "--stream"], keys, b"hunter2");
    assert_eq!(good(&["open", "--", "--stream"], keys, &sealed), b"hunter2");
}

#[test]
fn several_old_keys_are_read() {
    let (k1, k2, k3) = (keygen("k1"), keygen("k2"), keygen("k3"));
    let sealed = good(&["seal", "a"], Keys { key: Some(&k1), old: None }, b"hunter2");
    for between in [" ", ",", "\n", " ,\n "] {
        let old = format!("{k2}{between}{k1}");
        let keys = Keys { key: Some(&k3), old: Some(&old) };
        assert_eq!(good(&["open", "a"], keys, &sealed), b"hunter2");
    }
}

/// `/dev/zero`, until nobody reads it any more. Answers how much was read.
fn endless(words: &[&str], key: &str) -> (u64, String) {
    let pipe = Stdio::piped;
    let mut child = Command::new(env!("CARGO_BIN_EXE_seal"))
        .args(words)
        .env("SEAL_KEY", key)
        .env_remove("SEAL_KEY_OLD")
        .stdin(pipe())
        .stdout(pipe())
        .stderr(pipe())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut written = 0;
    // Ten times what it should want, and an end to the test.
    while written < 320 << 20 && stdin.write_all(&[b'x'; 1 << 16]).is_ok() {
        written += 1 << 16;
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    (written, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn input_without_an_end_is_not_read_to_it() {
    let key = keygen("k1");
    for (words, says) in [
        (["seal", "a"].as_slice(), "too large"),
        (&["seal", "--trim", "a"], "too large"),
        (&["open", "a"], "not a sealed value"),
        (&["reseal", "a"], "not a sealed value"),
        (&["open", "--stream", "a"], "not a sealed value"),
    ] {
        let (read, said) = endless(words, &key);
        assert!(read < 64 << 20, "{words:?}: {read}");
        assert!(said.contains(says), "{said}");
    }
}
