//! Values: what opens, and what does not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "a test is meant to panic, and its numbers are small"
)]

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use buttress_seal::{
    Context, Key, KeyRing, MAX_VALUE, Plain, SealErrorKind, Sealed, Secret, context, is_sealed,
};
use proptest::prelude::*;
use ring::{aead, hkdf};

const KEY: [u8; 32] = [7; 32];

fn ring(id: &str) -> KeyRing {
    KeyRing::new(Key::from_bytes(&KEY).unwrap().with_id(id).unwrap())
}

fn place() -> Context {
    context!("api_keys.secret", 7)
}

/// The body of a value's text: suite, salt, commitment, chunks.
fn body(text: &str) -> Vec<u8> {
    BASE64.decode(text.rsplit_once('.').unwrap().1).unwrap()
}

fn with_body(text: &str, body: &[u8]) -> String {
    format!("{}.{}", text.rsplit_once('.').unwrap().0, BASE64.encode(body))
}

/// Why a text does not open in its place, be it when it is parsed or when it is opened.
fn failure(ring: &KeyRing, text: &str) -> Option<SealErrorKind> {
    let opened = Sealed::<Vec<u8>>::parse(text).and_then(|sealed| ring.open(&sealed, place()));
    opened.err().map(|error| error.kind())
}

proptest! {
    #[test]
    fn what_was_sealed_opens(value: Vec<u8>, at: u64, table in "\\PC*") {
        let ring = ring("k1");
        let sealed = ring.seal(&value, context!(&table, at)).unwrap();
        prop_assert!(is_sealed(sealed.as_str()));
        let opened = ring.open(&sealed, context!(&table, at)).unwrap();
        prop_assert_eq!(opened.expose(), &value);
        prop_assert!(ring.open(&sealed, context!(&table, at ^ 1)).is_err());

        let binary = ring.seal_binary(&value, context!(&table, at)).unwrap();
        let opened: Secret<Vec<u8>> = ring.open_binary(&binary, context!(&table, at)).unwrap();
        prop_assert_eq!(opened.expose(), &value);
    }
}

#[test]
fn values_of_all_sizes_around_a_chunk_open() {
    let ring = ring("k1");
    for size in [0, 1, 15, 16, 17, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 100_000] {
        let value: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let sealed = ring.seal(&value, place()).unwrap();
        assert!(*ring.open(&sealed, place()).unwrap().expose() == value, "{size}");
        let chunks = size / 16_384 + 1;
        assert_eq!(body(sealed.as_str()).len(), 1 + 24 + 32 + size + 16 * chunks);
    }
}

#[test]
fn a_value_opens_as_what_was_sealed() {
    fn check<T: Plain + ?Sized>(value: &T) -> Sealed<T::Opened> {
        ring("k1").seal(value, place()).unwrap()
    }
    let text: Sealed<String> = check("text");
    let owned: Sealed<String> = check(&String::from("text"));
    let secret: Sealed<String> = check(&Secret::from("text"));
    let bytes: Sealed<Vec<u8>> = check(b"text".as_slice());
    let array: Sealed<[u8; 4]> = check(b"text");
    let ring = ring("k1");
    for sealed in [text, owned, secret] {
        assert_eq!(ring.open(&sealed, place()).unwrap().expose(), "text");
    }
    assert_eq!(ring.open(&bytes, place()).unwrap().expose(), b"text");
    assert_eq!(ring.open(&array, place()).unwrap().expose(), b"text");
}

#[test]
fn what_is_no_such_value_is_malformed_though_authentic() {
    let ring = ring("k1");
    let bytes = ring.seal(&[0xff, 0xfe], place()).unwrap();
    let as_text = Sealed::<String>::parse(bytes.as_str()).unwrap();
    assert_eq!(ring.open(&as_text, place()).unwrap_err().kind(), SealErrorKind::Malformed);
    let as_array = Sealed::<[u8; 3]>::parse(bytes.as_str()).unwrap();
    assert_eq!(ring.open(&as_array, place()).unwrap_err().kind(), SealErrorKind::Malformed);
}

/// The envelope as it is specified, taken apart with nothing but HKDF and AES-GCM.
#[test]
fn the_envelope_is_as_specified() {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let open = |purpose: &[u8], id: &[u8], user: &[u8], message: &[u8]| {
        let (salt, rest) = message.split_at(24);
        let (commitment, chunk) = rest.split_at(32);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0".to_vec();
        info.extend_from_slice(salt);
        info.extend_from_slice(b"sealed.v1\0\x01");
        for part in [id, purpose, user] {
            info.extend_from_slice(&length(part));
            info.extend_from_slice(part);
        }
        let mut okm = [0; 32 + 12 + 32];
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, &KEY);
        prk.expand(&[&info], Length(okm.len())).unwrap().fill(&mut okm).unwrap();
        assert_eq!(&okm[44..], commitment);
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, &okm[..32]).unwrap();
        let nonce = aead::Nonce::try_assume_unique_for_key(&okm[32..44]).unwrap();
        let mut chunk = chunk.to_vec();
        let key = aead::LessSafeKey::new(key);
        key.open_in_place(nonce, aead::Aad::empty(), &mut chunk).unwrap().to_vec()
    };
    let ring = ring("k-1");
    let user = [b"\0\0\0\x0fapi_keys.secret".as_slice(), b"\0\0\0\x017"].concat();
    assert_eq!(place().as_bytes(), user);

    let sealed = ring.seal("hunter2", place()).unwrap();
    let text = sealed.as_str().strip_prefix("sealed.v1.k-1.").unwrap();
    let body = BASE64.decode(text).unwrap();
    assert_eq!(body[0], 0x01);
    assert_eq!(open(b"secret", b"k-1", &user, &body[1..]), b"hunter2");

    let binary = ring.seal_binary("hunter2", place()).unwrap();
    let message = binary.strip_prefix(b"\xc5\x53\x4c\x44\x01\x01\x03k-1").unwrap();
    assert_eq!(open(b"secret", b"k-1", &user, message), b"hunter2");

    let hour = std::time::Duration::from_secs(3600);
    let now = std::time::UNIX_EPOCH + hour;
    let cookie = ring.seal_cookie_at("sid", "user=7", hour, now).unwrap();
    let body = BASE64.decode(cookie.strip_prefix("sealed.v1.k-1.").unwrap()).unwrap();
    let plain = [7200_u64.to_be_bytes().as_slice(), b"user=7"].concat();
    assert_eq!(open(b"cookie", b"k-1", b"sid", &body[1..]), plain);

    let writer = buttress_seal::SealWriter::new(&ring, Context::raw("file"), Vec::new());
    let stream = writer.unwrap().finish().unwrap();
    let message = stream.strip_prefix(b"\xc5\x53\x4c\x44\x01\x01\x03k-1").unwrap();
    assert_eq!(open(b"stream", b"k-1", b"file", message), b"");
}

/// Sealed once, for good: what is stored must open in all versions to come.
#[test]
fn a_value_of_the_first_day_opens() {
    let sealed = Sealed::<String>::parse(GOLDEN).unwrap();
    assert_eq!(ring("k1").open(&sealed, place()).unwrap().expose(), "hunter2");
}

const GOLDEN: &str = "sealed.v1.k1.AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF_2PF1QTm4Lfayso3fNTVehGvbcG_8UhQg1EgHrR0ZYjVCvlI9QBU8y5jeomv7ShqJ1enEqgYdc";

#[test]
fn every_flipped_bit_fails() {
    let ring = ring("k1");
    let sealed = ring.seal("hunter2", place()).unwrap();
    let good = body(sealed.as_str());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let failure = failure(&ring, &with_body(sealed.as_str(), &bad));
        assert_eq!(failure, Some(SealErrorKind::Authentication), "bit {bit}");
    }
    // Those of the text as well, where what comes out is text.
    for bit in 0..sealed.as_str().len() * 8 {
        let mut bad = sealed.as_str().as_bytes().to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        let Ok(text) = String::from_utf8(bad) else { continue };
        assert!(failure(&ring, &text).is_some(), "{text}");
        assert!(ring.open_if_sealed(&text, place()).is_err() || !text.starts_with("sealed.v"));
    }
}

#[test]
fn every_flipped_bit_of_the_binary_form_fails() {
    let ring = ring("k1");
    let good = ring.seal_binary("hunter2", place()).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open_binary::<Vec<u8>>(&bad, place()).is_err(), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(ring.open_binary::<Vec<u8>>(&good[..length], place()).is_err(), "{length}");
    }
    let longer = [good.as_slice(), b"\0"].concat();
    assert!(ring.open_binary::<Vec<u8>>(&longer, place()).is_err());
}

#[test]
fn every_truncation_and_extension_fails() {
    let ring = ring("k1");
    let sealed = ring.seal("hunter2", place()).unwrap();
    let text = sealed.as_str();
    for length in 0..text.len() {
        assert!(failure(&ring, &text[..length]).is_some(), "{length}");
    }
    let good = body(text);
    for length in 0..good.len() {
        let failure = failure(&ring, &with_body(text, &good[..length])).unwrap();
        let expected = [SealErrorKind::Truncated, SealErrorKind::Authentication];
        assert!(expected.contains(&failure), "{length}: {failure:?}");
    }
    for more in [1, 16, 17, 16_400] {
        let longer = [good.as_slice(), &vec![0; more]].concat();
        let failure = failure(&ring, &with_body(text, &longer));
        assert_eq!(failure, Some(SealErrorKind::Authentication), "{more}");
    }
}

#[test]
fn truncation_at_a_chunk_is_seen() {
    let ring = ring("k1");
    let sealed = ring.seal(&vec![1; 40_000], place()).unwrap();
    let good = body(sealed.as_str());
    for chunks in [0, 1, 2] {
        let cut = with_body(sealed.as_str(), &good[..57 + chunks * 16_400]);
        let failure = Sealed::<Vec<u8>>::parse(cut).and_then(|sealed| ring.open(&sealed, place()));
        assert_eq!(failure.unwrap_err().kind(), SealErrorKind::Truncated, "{chunks}");
    }
}

#[test]
fn wrong_row_key_id_suite_and_purpose_are_one_opaque_error() {
    let ring = ring("k1");
    let sealed = ring.seal("hunter2", place()).unwrap();
    let text = sealed.as_str();
    let mut messages = HashSet::new();
    let mut check = |what: &str, error: buttress_seal::SealError| {
        assert_eq!(error.kind(), SealErrorKind::Authentication, "{what}");
        messages.insert((error.to_string(), format!("{error:?}")));
    };
    for other in [
        context!("api_keys.secret", 8),
        context!("api_keys.secret", "7", ""),
        context!("api_keys.other", 7),
        context!("api_keys.secret7"),
        Context::raw("api_keys.secret7"),
        Context::raw([]),
    ] {
        check("row", ring.open(&sealed, other).unwrap_err());
    }
    let other = KeyRing::new(Key::from_bytes(&[8; 32]).unwrap().with_id("k1").unwrap());
    check("key", other.open(&sealed, place()).unwrap_err());

    // The other key is there, and the value says that it is its own.
    let both = KeyRing::new(Key::from_bytes(&[8; 32]).unwrap().with_id("k2").unwrap());
    let both = both.and_old(Key::from_bytes(&KEY).unwrap().with_id("k1").unwrap()).unwrap();
    assert!(both.open(&sealed, place()).is_ok());
    let renamed = Sealed::<String>::parse(text.replace(".k1.", ".k2.")).unwrap();
    check("id", both.open(&renamed, place()).unwrap_err());
    // The same key by another name.
    let renamed = Sealed::<String>::parse(text.replace(".k1.", ".k9.")).unwrap();
    let named = KeyRing::new(Key::from_bytes(&KEY).unwrap().with_id("k9").unwrap());
    check("id", named.open(&renamed, place()).unwrap_err());

    for suite in [0x00, 0x02, 0x11, 0x81, 0xff] {
        let mut body = body(text);
        body[0] = suite;
        let other = Sealed::<String>::parse(with_body(text, &body)).unwrap();
        check("suite", ring.open(&other, place()).unwrap_err());
    }
    let hour = std::time::Duration::from_secs(3600);
    let cookie = ring.seal_cookie("sid", "value", hour).unwrap();
    let cookie = Sealed::<String>::parse(cookie).unwrap();
    check("purpose", ring.open(&cookie, Context::raw("sid")).unwrap_err());
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn a_missing_key_is_named() {
    let sealed = ring("k1").seal("hunter2", place()).unwrap();
    let error = ring("k2").open(&sealed, place()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::UnknownKeyId);
    assert_eq!(error.key_id(), Some("k1"));
    assert_eq!(error.to_string(), "there is no key k1 that may open the value");
}

#[test]
fn only_canonical_base64_is_taken() {
    let ring = ring("k1");
    // Of a length that leaves two and four unused bits at the end.
    let rest = |length: usize| {
        let sealed = ring.seal(&vec![1; length], place()).unwrap();
        sealed.into_string()
    };
    for text in [rest(0), rest(1), rest(2)] {
        assert_eq!(failure(&ring, &text), None);
        let mut others = vec![
            format!("{text}="),
            format!("{text}=="),
            format!("{text}\n"),
            format!(" {text}"),
            text.replacen(".k1.", ".k1. ", 1),
            text.replacen(".k1.", ".k1..", 1),
        ];
        // The other alphabet, and the bits that nobody reads.
        let (head, last) = text.split_at(text.len() - 1);
        if !body(&text).len().is_multiple_of(3) {
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let at = alphabet.find(last).unwrap();
            others.push(format!("{head}{}", &alphabet[at + 1..at + 2]));
        }
        let (head, body) = text.rsplit_once('.').unwrap();
        others.push(format!("{head}.{}+", &body[1..]));
        others.push(format!("{head}.{}/", &body[1..]));
        for other in others {
            let expected = match other.starts_with(' ') {
                true => SealErrorKind::NotSealed,
                false => SealErrorKind::Malformed,
            };
            assert_eq!(failure(&ring, &other), Some(expected), "{other}");
        }
    }
}

#[test]
fn texts_that_are_no_envelope_are_told_apart() {
    let ring = ring("k1");
    let long_id = "k".repeat(33);
    for (text, kind) in [
        ("", SealErrorKind::NotSealed),
        ("hunter2", SealErrorKind::NotSealed),
        ("sealed", SealErrorKind::NotSealed),
        ("sealed.", SealErrorKind::NotSealed),
        ("sealed.x1.k1.AAAA", SealErrorKind::NotSealed),
        ("sealed.v1", SealErrorKind::NotSealed),
        ("Sealed.v1.k1.AAAA", SealErrorKind::NotSealed),
        ("sealed.v2.k1.AAAA", SealErrorKind::UnsupportedVersion),
        ("sealed.v10.k1.AAAA", SealErrorKind::UnsupportedVersion),
        ("sealed.v1.", SealErrorKind::Malformed),
        ("sealed.v1.k1", SealErrorKind::Malformed),
        ("sealed.v1..AAAA", SealErrorKind::Malformed),
        ("sealed.v1.k\u{e9}.AAAA", SealErrorKind::Malformed),
        ("sealed.v1.k 1.AAAA", SealErrorKind::Malformed),
        (&format!("sealed.v1.{long_id}.AAAA"), SealErrorKind::Malformed),
        ("sealed.v1.k1.A", SealErrorKind::Malformed),
        ("sealed.v1.k1.AAAA.AAAA", SealErrorKind::Malformed),
        ("sealed.v1.k1.", SealErrorKind::Truncated),
        ("sealed.v1.k1.AAAA", SealErrorKind::Truncated),
    ] {
        assert_eq!(failure(&ring, text), Some(kind), "{text}");
        assert!(!is_sealed(text), "{text}");
    }
}

#[test]
fn a_value_has_a_largest_size() {
    let ring = ring("k1");
    let mut value = vec![0; MAX_VALUE];
    let sealed = ring.seal(&value, place()).unwrap();
    assert_eq!(ring.open(&sealed, place()).unwrap().expose().len(), MAX_VALUE);
    value.push(0);
    let error = ring.seal(&value, place()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::TooLarge);
    assert_eq!(ring.seal_binary(&value, place()).unwrap_err().kind(), SealErrorKind::TooLarge);
    let text = format!("sealed.v1.k1.{}", "A".repeat(2 * MAX_VALUE));
    assert_eq!(failure(&ring, &text), Some(SealErrorKind::TooLarge));
    // A byte more than a value can have, though the text could be one of a wrapped key's.
    let mut longer = body(sealed.as_str());
    longer.push(0);
    let longer = with_body(sealed.as_str(), &longer);
    assert_eq!(failure(&ring, &longer), Some(SealErrorKind::TooLarge));
}

#[test]
fn only_what_is_authentic_here_is_taken_for_sealed() {
    let old = ring("k1");
    let primary = Key::from_bytes(&[9; 32]).unwrap().with_id("k2").unwrap();
    let ring = KeyRing::new(primary).and_old(Key::from_bytes(&KEY).unwrap().with_id("k1").unwrap());
    let ring = ring.unwrap();

    for sealed in [ring.seal("hunter2", place()).unwrap(), old.seal("hunter2", place()).unwrap()] {
        let again = ring.seal_if_needed(sealed.as_str(), place()).unwrap();
        assert_eq!(again, sealed);
    }
    let other_row = ring.seal("hunter2", context!("api_keys.secret", 8)).unwrap();
    let mut flipped = ring.seal("hunter2", place()).unwrap().into_string();
    let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
    flipped.push(last);
    let stranger = KeyRing::new(Key::generate().unwrap()).seal("hunter2", place()).unwrap();
    for text in [
        other_row.as_str(),
        flipped.as_str(),
        stranger.as_str(),
        "sealed.v1.k1.AAAA",
        "sealed.v1.",
        "sealed.v2.k1.AAAA",
        "sealed.v1.my-password",
        "hunter2",
        "",
    ] {
        let sealed = ring.seal_if_needed(text, place()).unwrap();
        assert_ne!(sealed.as_str(), text);
        assert_eq!(ring.open(&sealed, place()).unwrap().expose(), text);
        // And once more: now it is sealed.
        assert_eq!(ring.seal_if_needed(sealed.as_str(), place()).unwrap(), sealed);
        // Nothing that only looks sealed comes back as plain text.
        let opened = ring.open_if_sealed(text, place());
        assert_eq!(opened.is_ok(), !text.starts_with("sealed.v"), "{text}");
    }
    assert_eq!(ring.open_if_sealed("hunter2", place()).unwrap().expose(), "hunter2");
}

#[test]
fn a_resealed_value_opens_with_the_primary_key_alone() {
    let old = ring("k1");
    let sealed = old.seal("hunter2", place()).unwrap();
    let primary = || Key::from_bytes(&[9; 32]).unwrap().with_id("k2").unwrap();
    let both =
        KeyRing::new(primary()).and_old(Key::from_bytes(&KEY).unwrap().with_id("k1").unwrap());
    let both = both.unwrap();
    assert!(both.needs_reseal(&sealed) && !old.needs_reseal(&sealed));
    let again = both.reseal(&sealed, place()).unwrap();
    assert!(!both.needs_reseal(&again));
    let alone = KeyRing::new(primary());
    assert_eq!(alone.open(&again, place()).unwrap().expose(), "hunter2");
    assert!(both.reseal(&sealed, context!("api_keys.secret", 8)).is_err());

    let binary = old.seal_binary("hunter2", place()).unwrap();
    assert!(both.needs_reseal_binary(&binary).unwrap());
    assert!(!old.needs_reseal_binary(&binary).unwrap());
    assert!(old.needs_reseal_binary(b"hunter2").is_err());
}

#[test]
fn keys_below_the_oldest_openable_open_nothing() {
    let key = |id: &str, byte| Key::from_bytes(&[byte; 32]).unwrap().with_id(id).unwrap();
    let sealed: Vec<_> = [("k1", 1), ("k2", 2), ("k3", 3)]
        .map(|(id, byte)| KeyRing::new(key(id, byte)).seal("hunter2", place()).unwrap())
        .into();
    let ring = || KeyRing::new(key("k3", 3)).and_old(key("k2", 2)).unwrap();
    let ring = || ring().and_old(key("k1", 1)).unwrap();
    let opens = |ring: &KeyRing| sealed.iter().map(|one| ring.open(one, place()).is_ok()).collect();
    let opened: Vec<bool> = opens(&ring());
    assert_eq!(opened, [true, true, true]);
    let ring_2 = ring().oldest_openable("k2").unwrap();
    assert_eq!(opens(&ring_2), [false, true, true]);
    assert_eq!(ring_2.open(&sealed[0], place()).unwrap_err().key_id(), Some("k1"));
    assert!(ring_2.openable_ids().eq(["k3", "k2"]));
    assert_eq!(opens(&ring().oldest_openable("k3").unwrap()), [false, false, true]);
    // And a key is no less refused when it is added later.
    let later = KeyRing::new(key("k3", 3)).oldest_openable("k3").unwrap();
    let later = later.and_old(key("k2", 2)).unwrap();
    assert_eq!(opens(&later), [false, false, true]);
}

#[test]
fn the_canary_tells_a_right_key_from_a_wrong_one() {
    let right = ring("k1");
    let canary = right.canary().unwrap();
    right.verify_canary(canary.as_str()).unwrap();
    let wrong = KeyRing::new(Key::from_bytes(&[8; 32]).unwrap().with_id("k1").unwrap());
    let error = wrong.verify_canary(canary.as_str()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::KeyMismatch);
    let none = KeyRing::new(Key::from_bytes(&[8; 32]).unwrap().with_id("k2").unwrap());
    let error = none.verify_canary(canary.as_str()).unwrap_err();
    assert_eq!((error.kind(), error.key_id()), (SealErrorKind::UnknownKeyId, Some("k1")));
    assert_eq!(right.verify_canary("").unwrap_err().kind(), SealErrorKind::NotSealed);
}

#[test]
fn parts_of_a_context_do_not_run_into_each_other() {
    let contexts = [
        context!("ab", "c"),
        context!("a", "bc"),
        context!("abc"),
        context!("", "abc"),
        context!("abc", ""),
        context!("a", "b", "c"),
        Context::raw("abc"),
        Context::new("a").part("\0\0\0\u{1}b"),
    ];
    let different: HashSet<&[u8]> = contexts.iter().map(Context::as_bytes).collect();
    assert_eq!(different.len(), contexts.len());
}

#[test]
fn a_million_seals_have_a_million_salts() {
    let ring = ring("k1");
    let place = place();
    let mut salts = HashSet::with_capacity(1_000_000);
    for _ in 0..1_000_000 {
        let sealed = ring.seal_binary("", &place).unwrap();
        let salt: [u8; 24] = sealed[9..33].try_into().unwrap();
        assert!(salts.insert(salt));
    }
}
