//! Keys: what is taken, what is refused, and what is said of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test is meant to panic, and its numbers are small"
)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use buttress_seal::{Kdf, Key, KeyErrorKind, KeyRing, context};
use ring::hmac;

const BYTES: [u8; 32] = *b"0123456789abcdef0123456789ABCDEF";

fn key() -> Key {
    Key::from_bytes(&BYTES).unwrap().with_id("k1").unwrap()
}

fn text() -> String {
    key().to_text().expose().clone()
}

/// HKDF-Expand of at most one block, as RFC 5869, §2.3 has it.
fn expand(info: &[u8], length: usize) -> Vec<u8> {
    let mac = hmac::Key::new(hmac::HMAC_SHA512, &BYTES);
    let block = hmac::sign(&mac, &[info, &[1]].concat());
    block.as_ref()[..length].to_vec()
}

#[test]
fn a_keys_text_is_as_specified() {
    let check = expand(b"sealed.v1/key-check\0k1", 16);
    let expected = format!("sealkey.v1.k1.{}.{}", BASE64.encode(BYTES), BASE64.encode(check));
    assert_eq!(text(), expected);
    let id = BASE64.encode(expand(b"sealed.v1/key-id", 6));
    assert_eq!(Key::from_bytes(&BYTES).unwrap().id(), id);
}

#[test]
fn a_key_reads_back_with_blanks_around_it() {
    for text in [text(), format!("{}\n", text()), format!("  {}\r\n", text())] {
        let again = Key::parse(&text).unwrap();
        assert_eq!(again.id(), "k1");
        let sealed = KeyRing::new(key()).seal("hunter2", context!("a")).unwrap();
        assert_eq!(KeyRing::new(again).open(&sealed, context!("a")).unwrap().expose(), "hunter2");
    }
}

#[test]
fn a_list_of_keys_has_blanks_or_commas_between() {
    let (one, other) = (text(), Key::generate().unwrap());
    let other_text = other.to_text().expose().clone();
    for list in [
        format!("{one} {other_text}"),
        format!("{one},{other_text}"),
        format!(" {one} ,\r\n{other_text},\n"),
    ] {
        let keys = Key::parse_list(&list).unwrap();
        let ids: Vec<_> = keys.iter().map(Key::id).collect();
        assert_eq!(ids, ["k1", other.id()], "in their order");
    }
    for nothing in ["", " ", ",", "\n, ,"] {
        assert!(Key::parse_list(nothing).unwrap().is_empty());
    }
    let (cut, _) = one.rsplit_once('.').unwrap();
    let error = Key::parse_list(&format!("{other_text} {cut}")).unwrap_err();
    assert_eq!(error, Key::parse(cut).unwrap_err());
}

#[test]
fn generated_keys_differ() {
    let (one, two) = (Key::generate().unwrap(), Key::generate().unwrap());
    assert_ne!(one.id(), two.id());
    assert_ne!(one.to_text().expose(), two.to_text().expose());
    assert_eq!(one.id().len(), 8);
}

#[test]
fn wrong_key_material_is_refused_with_a_reason_and_never_printed() {
    let good = text();
    let parts: Vec<&str> = good.split('.').collect();
    let made = |key: &[u8]| format!("sealkey.v1.k1.{}.{}", BASE64.encode(key), parts[4]);
    let zero = made(&[0; 32]);
    let other = Key::from_bytes(&[5; 32]).unwrap().to_text().expose().clone();
    let other: Vec<&str> = other.split('.').collect();
    let flip = |text: &str, at: usize| {
        let new = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{new}{}", &text[..at], &text[at + 1..])
    };
    let sealed = KeyRing::new(key()).seal("hunter2", context!("a")).unwrap().into_string();
    use KeyErrorKind::{Check, Format, Id, Length, Missing, Zero};
    let cases = [
        (String::new(), Missing, "not set"),
        ("  \n".to_owned(), Missing, "not set"),
        ("hunter2hunter2hunter2hunter2hunter2".to_owned(), Format, "seal keygen"),
        (BASE64.encode(BYTES), Format, "sealkey.v1.<id>.<key>.<check>"),
        (sealed, Format, "a sealed value"),
        (good.replace(".v1.", ".v2."), Format, "later version"),
        (good[..good.len() - 23].to_owned(), Format, "five parts"),
        (format!("{good}.{}", parts[4]), Format, "five parts"),
        (good.replace(".k1.", ".k 1."), Id, "1 to 32 of"),
        (good.replace(".k1.", ".."), Id, "1 to 32 of"),
        (good.replace(".k1.", &format!(".{}.", "k".repeat(33))), Id, "1 to 32 of"),
        (made(&BYTES[..31]), Length, "32 bytes"),
        (made(&[BYTES.as_slice(), b"x"].concat()), Length, "32 bytes"),
        (made(&BYTES[..16]), Length, "32 bytes"),
        (flip(&good, 20).replace(&parts[3][..1], "+"), Format, "base64url"),
        (zero, Zero, "all zeros"),
        (flip(&good, 20), Check, "mistyped"),
        (flip(&good, good.len() - 5), Check, "mistyped"),
        (good.replace(".k1.", ".k2."), Check, "mistyped"),
        (format!("sealkey.v1.k1.{}.{}", parts[3], other[4]), Check, "mistyped"),
        (format!("sealkey.v1.k1.{}.{}", other[3], parts[4]), Check, "mistyped"),
        (good[..good.len() - 1].to_owned(), Check, "mistyped"),
    ];
    for (text, kind, says) in cases {
        let error = Key::from_var("SEAL_KEY", &text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().starts_with("SEAL_KEY: "), "{error}");
        assert!(said.contains(says), "{said}");
        // No piece of what was given is in the message.
        for piece in text.as_bytes().windows(8) {
            let piece = str::from_utf8(piece).unwrap();
            assert!(!said.contains(piece) || "sealkey.v1.".contains(piece), "{said} has {piece}");
        }
    }
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    for length in [0, 1, 16, 31, 33, 64] {
        let error = Key::from_bytes(&vec![1; length]).unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::Length, "{length}");
    }
    assert_eq!(Key::from_bytes(&[0; 32]).unwrap_err().kind(), KeyErrorKind::Zero);
    for id in ["", "a.b", "a b", "k\u{e9}", "a\n", &"k".repeat(33)] {
        let error = Key::from_bytes(&BYTES).unwrap().with_id(id).unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::Id, "{id}");
    }
    assert!(Key::from_bytes(&BYTES).unwrap().with_id(&"k".repeat(32)).is_ok());
}

#[test]
fn a_ring_has_each_id_and_each_key_once() {
    let other = Key::from_bytes(&[5; 32]).unwrap().with_id("k1").unwrap();
    let error = KeyRing::new(key()).and_old(other).unwrap_err();
    assert_eq!(error.kind(), KeyErrorKind::DuplicateId);
    assert_eq!(error.to_string(), "two keys of the ring have the id k1");

    let error = KeyRing::new(key()).and_old(key().with_id("k2").unwrap()).unwrap_err();
    assert_eq!(error.kind(), KeyErrorKind::DuplicateKey);
    assert_eq!(error.to_string(), "the keys k1 and k2 are the same");

    let two = KeyRing::new(Key::generate().unwrap()).and_old(key()).unwrap();
    assert_eq!(two.and_old(key()).unwrap_err().kind(), KeyErrorKind::DuplicateId);

    let error = KeyRing::new(key()).oldest_openable("k2").unwrap_err();
    assert_eq!(error.kind(), KeyErrorKind::UnknownId);
}

#[test]
fn a_passphrase_makes_one_key_for_one_salt() {
    let make = |passphrase, salt| Key::from_passphrase(passphrase, salt, Kdf::default()).unwrap();
    let key = make("correct horse battery", b"0123456789abcdef");
    // PBKDF2-HMAC-SHA-256, 600,000 iterations, by another implementation.
    let bytes = key.to_text().expose().split('.').nth(3).unwrap().to_owned();
    assert_eq!(bytes, "FssUBfIHq1ETs6--tsrS0CyoyvbROnb1L9k-a0O-weE");
    let other = make("correct horse battery", b"0123456789abcdeF");
    assert_ne!(other.id(), key.id());
}

#[test]
fn a_cheap_passphrase_is_refused() {
    let kind = |passphrase: &str, salt: &[u8]| {
        Key::from_passphrase(passphrase, salt, Kdf::default()).unwrap_err().kind()
    };
    assert_eq!(kind("fourteen chars", b"0123456789abcdef"), KeyErrorKind::Passphrase);
    assert_eq!(kind("", b"0123456789abcdef"), KeyErrorKind::Passphrase);
    assert_eq!(kind("fifteen  charac", b"0123456789abcde"), KeyErrorKind::Passphrase);
    for iterations in [0, 1, 599_999, 100_000_001] {
        assert_eq!(Kdf::pbkdf2(iterations).unwrap_err().kind(), KeyErrorKind::Cost);
    }
    assert_eq!(Kdf::pbkdf2(600_000).unwrap(), Kdf::default());
}

#[cfg(feature = "argon2")]
#[test]
fn argon2id_makes_a_key_and_is_not_set_too_cheap() {
    let kdf = Kdf::argon2id(19 * 1024, 2, 1).unwrap();
    let key = Key::from_passphrase("correct horse battery", b"0123456789abcdef", kdf).unwrap();
    // Argon2id, version 19, m = 19456, t = 2, p = 1, by OpenSSL.
    let bytes = key.to_text().expose().split('.').nth(3).unwrap().to_owned();
    assert_eq!(bytes, "69I7qCjDTsQwhQqFvpQJiqEI0lGQvxC84fXE0Ktxca4");
    for (memory, passes, lanes) in [
        (19 * 1024 - 1, 2, 1),
        (19 * 1024, 1, 1),
        (19 * 1024, 2, 0),
        (u32::MAX, 2, 1),
        (19 * 1024, u32::MAX, 1),
        (19 * 1024, 2, u32::MAX),
    ] {
        let error = Kdf::argon2id(memory, passes, lanes).unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::Cost);
    }
}
