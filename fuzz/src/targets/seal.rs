use std::{
    io::{Cursor, Read, Seek, SeekFrom, Write},
    sync::LazyLock,
};

use buttress_seal::{
    Context, Key, KeyRing, SealReader, SealWriter, Sealed, Secret, context, is_sealed,
};

/// Sealed elsewhere, with a salt that is not random, under the key `07 07 …` and the id `k1`: as
/// they stand in the corpus.
const GOOD_TEXT: &str = "sealed.v1.k1.AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF_2PF1QTm4Lfayso3fNTVehGvbcG_8UhQg1EgHrR0ZYjVCvlI9QBU8y5jeomv7ShqJ1enEqgYdc";
const GOOD_BINARY: &[u8] = b"\
    \xc5\x53\x4c\x44\x01\x01\x02\x6b\x31\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\
    \x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\xfd\x8f\x17\x54\x13\x9b\x82\xdf\x6b\x2b\x28\
    \xdd\xf3\x53\x55\xe8\x46\xbd\xb7\x06\xff\xc5\x21\x42\x0d\x44\x80\x7a\xd1\xd1\x96\x23\x54\
    \x2b\xe5\x23\xd4\x01\x53\xcc\xb9\x8d\xea\x26\xbf\xb4\xa1\xa8\x9d\x5e\x9c\x4a\xa0\x61\xd7";
const GOOD_STREAM: &[u8] = b"\
    \xc5\x53\x4c\x44\x01\x01\x02\x6b\x31\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\
    \x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x0a\xd5\x45\x24\x41\x69\x46\x19\x31\xf7\x43\
    \x73\x4f\x3d\xef\x67\x6d\xbc\xc2\x5c\x03\xe5\x12\xda\x6a\xd0\x4b\x0d\x87\x35\xfa\x49\xd0\
    \x35\xbc\x0c\x1e\x4b\x0a\x9e\xed\x04\x53\xbc\x3c\x43\x51\xd2\x12\x47\x48\x28\x02\xa2\xfd";
const SECRET: &str = "hunter2";

const PREFIX: &str = "sealed.v1.";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let key = |byte, id| Key::from_bytes(&[byte; 32]).and_then(|key| key.with_id(id));
    let ring = KeyRing::new(key(7, "k1").expect("a key"));
    ring.and_old(key(8, "k2").expect("a key")).expect("another key")
});

/// What the edits are made to: a stream of two chunks, the last one short.
static STREAM: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let plain: Vec<u8> = (0..CHUNK + 9)
        .map(|at| at.to_le_bytes().into_iter().fold(0, |all, byte| all ^ byte))
        .collect();
    let mut writer = SealWriter::new(&RING, place(), Vec::new()).expect("random bytes");
    writer.write_all(&plain).expect("writing to memory");
    (writer.finish().expect("writing to memory"), plain)
});
const CHUNK: u32 = 16_384;
const SEALED_CHUNK: usize = 16_400;

fn place() -> Context {
    context!("api_keys.secret", 7)
}

/// Text that claims to be a sealed value, or a key.
pub fn seal_parse(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Sealed::<String>::parse(text.as_ref()) {
        Ok(sealed) => {
            let rest = text.strip_prefix(PREFIX).expect("it begins as none");
            let (id, body) = rest.split_once('.').expect("it has no body");
            assert_eq!((sealed.as_str(), sealed.key_id()), (text.as_ref(), id), "it is another");
            let allowed = |byte: u8| byte == b'_' || byte == b'-' || byte.is_ascii_alphanumeric();
            assert!((1..=32).contains(&id.len()) && id.bytes().all(allowed), "{id} is no id");
            let bytes = decode(body).expect("it is no base64");
            assert_eq!(encode(&bytes), body, "another text is the same value");
            assert!(bytes.len() >= 1 + 24 + 32 + 16, "too short to have been sealed");
            assert!(!format!("{sealed:?}").contains(body), "it prints itself");
            assert!(is_sealed(&text), "it is sealed, and is not");
        }
        Err(error) => {
            assert!(!is_sealed(&text), "it is not sealed, and is");
            assert!(!error.to_string().is_empty(), "it does not say why");
        }
    }
    if let Ok(key) = Key::parse(&text) {
        assert_eq!(key.to_text().expose(), text.trim_ascii(), "it does not read back");
    }
}

/// Whatever opens was sealed.
pub fn seal_open(data: &[u8]) {
    let opened: Result<Secret<Vec<u8>>, _> = RING.open_binary(data, place());
    assert_eq!(opened.is_ok(), data == GOOD_BINARY, "bytes that nobody sealed, or did");
    if let Ok(secret) = opened {
        assert_eq!(secret.expose(), SECRET.as_bytes(), "the secret is another");
    }

    let Ok(text) = str::from_utf8(data) else { return };
    let opened = Sealed::<String>::parse(text).and_then(|sealed| RING.open(&sealed, place()));
    assert_eq!(opened.is_ok(), text == GOOD_TEXT, "a text that nobody sealed, or did");
    let elsewhere =
        Sealed::<String>::parse(text).and_then(|sealed| RING.open(&sealed, context!("elsewhere")));
    assert!(elsewhere.is_err(), "it opens in another place");
    assert!(RING.open_cookie("sid", text).is_err(), "it is a cookie");
    assert!(RING.verify_canary(text).is_err(), "it is a canary");

    // What is stored for this text opens as the text, or as what it was sealed from.
    let sealed = RING.seal_if_needed(text, place()).expect("a short text");
    let expected = if text == GOOD_TEXT { SECRET } else { text };
    let secret = RING.open(&sealed, place()).expect("it was sealed");
    assert_eq!(secret.expose(), expected, "it comes back as another");
    match RING.open_if_sealed(text, place()) {
        Ok(secret) => assert_eq!(secret.expose(), expected, "it comes back as another"),
        Err(_) => assert!(text.starts_with("sealed.v"), "plain text is refused"),
    }
    if text.starts_with("sealed.v") && text != GOOD_TEXT {
        assert!(RING.open_if_sealed(text, place()).is_err(), "what fails is plain text");
    }
}

/// A stream. With an even first byte, the rest is one; with an odd one, it is a list of edits of
/// a good one, four bytes each.
pub fn seal_stream(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let step = usize::from(choice >> 1) + 1;
    if choice & 1 == 0 {
        check(rest, GOOD_STREAM, SECRET.as_bytes(), step);
        return;
    }
    let (good, plain) = &*STREAM;
    let mut stream = good.clone();
    for edit in rest.chunks_exact(4).take(8) {
        let &[what, high, low, value] = edit else { continue };
        let at = usize::from(u16::from_be_bytes([high, low])).min(stream.len());
        let end = (at + SEALED_CHUNK).min(stream.len());
        match what % 5 {
            0 => stream.truncate(at),
            1 => stream.insert(at, value),
            2 => drop(stream.drain(at..end)),
            3 => stream.extend_from_within(at..end),
            _ => {
                if let Some(byte) = stream.get_mut(at) {
                    *byte ^= value;
                }
            }
        }
        if stream.len() > 2 * good.len() {
            break;
        }
    }
    check(&stream, good, plain, 512 * step);
}

/// Nothing comes out that did not go in, the end only of the whole, and failure is for ever.
fn check(stream: &[u8], good: &[u8], plain: &[u8], step: usize) {
    let mut reader = SealReader::new(&RING, place(), Pieces { rest: stream, step });
    let mut read = Vec::new();
    let result = reader.read_to_end(&mut read);
    assert!(plain.starts_with(&read), "it was not sealed like this");
    assert_eq!(result.is_ok(), stream == good, "a stream that nobody sealed, or did");
    assert_eq!(result.is_ok(), read == plain && stream == good, "its end is missing");
    if result.is_err() {
        assert!(reader.read(&mut [0]).is_err(), "it has failed, and goes on");
    }

    // And from the middle.
    let mut reader = SealReader::new(&RING, place(), Cursor::new(stream));
    let start = plain.len() as u64 / 2;
    if let Ok(part) = reader.read_range(start..start + 7) {
        let at = plain.len() / 2;
        let expected = plain.get(at..(at + 7).min(plain.len()));
        // A stream that is longer or shorter may still have this part.
        let length = part.expose().len();
        assert_eq!(Some(part.expose().as_slice()), expected.and_then(|part| part.get(..length)));
    }
    if let Ok(length) = reader.seek(SeekFrom::End(0)) {
        assert_eq!(length, plain.len() as u64, "its length is another");
    }
}

/// A reader that gives a few bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    step: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = self.step.min(out.len());
        (&mut self.rest).take(length as u64).read(out)
    }
}

/// Base64url by the letter, without a look at what is left over.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|other| *other == letter)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let all = three.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        let all = all << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            let value = all >> (18 - 6 * at) & 63;
            let letter = usize::try_from(value).ok().and_then(|at| ALPHABET.get(at));
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}
