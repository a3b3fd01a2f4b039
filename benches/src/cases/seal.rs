use std::{
    hint::black_box,
    io::{Cursor, Read, Write, sink},
    time::Duration,
};

use buttress_seal::{Context, Key, KeyRing, SealReader, SealWriter, context};
use cookie::{Cookie, CookieJar};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hkdf,
    rand::{SecureRandom, SystemRandom},
};

use super::nothing;
use crate::{Case, Failure, drive::repeat};

pub(super) fn cases() -> Vec<Case> {
    let values = SIZES.into_iter().flat_map(|size| [sealed(size), opened(size)]);
    let others = [stale(), written(), read(), read_a_range(), cookie_sealed(), cookie_opened()];
    values.chain([binary_sealed(), binary_opened()]).chain(others).collect()
}

/// In words, and in bytes.
const SIZES: [(&str, usize); 3] = [("32 B", 32), ("1 KiB", 1024), ("64 KiB", LARGE)];
const LARGE: usize = 64 * 1024;
const CHUNK: usize = 16 * 1024;
const KEY: [u8; 32] = [7; 32];
const COOKIE: &str = "user=1048577;since=1795300000;mfa";

fn keys() -> Result<KeyRing, Failure> {
    Ok(KeyRing::new(Key::from_bytes(&KEY)?.with_id("2026-11")?))
}

fn place() -> Context {
    context!("api_keys.secret", 1_048_577)
}

/// Into the text that a column holds; the peers make bytes.
fn sealed((words, size): (&str, usize)) -> Case {
    let case = Case::new(format!("seal, {words}"), nothing(), move || {
        let (keys, place, plain) = (keys()?, place(), vec![1; size]);
        Ok(repeat(move || keys.seal(plain.as_slice(), &place)))
    });
    beside_ring_sealing(case, size)
}

fn opened((words, size): (&str, usize)) -> Case {
    let case = Case::new(format!("seal, {words} opened"), nothing(), move || {
        let (keys, place) = (keys()?, place());
        let sealed = keys.seal(vec![1; size].as_slice(), &place)?;
        Ok(repeat(move || keys.open(&sealed, &place)))
    });
    beside_ring_opening(case, size)
}

fn binary_sealed() -> Case {
    let case = Case::new("seal, 64 KiB binary", nothing(), || {
        let (keys, place, plain) = (keys()?, place(), vec![1; LARGE]);
        Ok(repeat(move || keys.seal_binary(plain.as_slice(), &place)))
    });
    beside_ring_sealing(case, LARGE)
}

fn binary_opened() -> Case {
    let case = Case::new("seal, 64 KiB binary opened", nothing(), || {
        let (keys, place) = (keys()?, place());
        let sealed = keys.seal_binary(vec![1; LARGE].as_slice(), &place)?;
        Ok(repeat(move || keys.open_binary::<Vec<u8>>(&sealed, &place)))
    });
    beside_ring_opening(case, LARGE)
}

/// Whether a value has to be sealed again: its text is looked at.
fn stale() -> Case {
    Case::new("seal, is it stale", nothing(), || {
        let keys = keys()?;
        let sealed = keys.seal("hunter2", place())?;
        Ok(repeat(move || keys.needs_reseal(&sealed)))
    })
}

/// The peer's chunks are of one key and a counted nonce, in one buffer.
fn written() -> Case {
    Case::new("seal, a stream of 64 KiB", nothing(), || {
        let (keys, place, plain) = (keys()?, place(), vec![1; LARGE]);
        Ok(repeat(move || {
            let mut writer = SealWriter::new(&keys, &place, sink())?;
            writer.write_all(&plain)?;
            writer.finish()?;
            Ok::<_, Failure>(())
        }))
    })
    .peer("ring, one key", || {
        let (key, plain, mut chunk) = (one_key()?, vec![1; LARGE], vec![0; CHUNK]);
        Ok(repeat(move || {
            for (number, piece) in (0_u128..).zip(plain.chunks(CHUNK)) {
                chunk.copy_from_slice(piece);
                let tag = key.seal_in_place_separate_tag(counted(number), Aad::empty(), &mut chunk);
                black_box(tag?.as_ref());
            }
            Ok::<_, Unspecified>(())
        }))
    })
}

fn read() -> Case {
    Case::new("seal, a stream of 64 KiB opened", nothing(), || {
        let (keys, place, stream) = (keys()?, place(), stream()?);
        let mut out = vec![0; LARGE];
        Ok(repeat(move || SealReader::new(&keys, &place, stream.as_slice()).read_exact(&mut out)))
    })
    .peer("ring, one key", || {
        let (key, mut out) = (one_key()?, vec![0; LARGE]);
        let mut sealed = vec![1; CHUNK];
        key.seal_in_place_append_tag(counted(0), Aad::empty(), &mut sealed).map_err(refused)?;
        let mut chunk = sealed.clone();
        Ok(repeat(move || {
            for piece in out.chunks_mut(CHUNK) {
                chunk.copy_from_slice(&sealed);
                piece.copy_from_slice(key.open_in_place(counted(0), Aad::empty(), &mut chunk)?);
            }
            Ok::<_, Unspecified>(())
        }))
    })
}

/// One chunk of 5 is opened.
fn read_a_range() -> Case {
    Case::new("seal, 100 bytes out of a stream of 64 KiB", nothing(), || {
        let (keys, place, stream) = (keys()?, place(), stream()?);
        Ok(repeat(move || {
            let start = LARGE as u64 / 2;
            SealReader::new(&keys, &place, Cursor::new(&stream)).read_range(start..start + 100)
        }))
    })
}

fn stream() -> Result<Vec<u8>, Failure> {
    let mut writer = SealWriter::new(&keys()?, place(), Vec::new())?;
    writer.write_all(&vec![1; LARGE])?;
    Ok(writer.finish()?)
}

/// The peer's has no expiry in it.
fn cookie_sealed() -> Case {
    Case::new("seal, a cookie", nothing(), || {
        let keys = keys()?;
        let day = Duration::from_secs(86_400);
        Ok(repeat(move || keys.seal_cookie("session", COOKIE, day)))
    })
    .peer("cookie", || {
        let key = cookie::Key::from(&[7; 64]);
        Ok(repeat(move || {
            let mut jar = CookieJar::new();
            jar.private_mut(&key).add(Cookie::new("session", COOKIE));
            jar
        }))
    })
}

fn cookie_opened() -> Case {
    Case::new("seal, a cookie opened", nothing(), || {
        let keys = keys()?;
        let sealed = keys.seal_cookie("session", COOKIE, Duration::from_secs(86_400))?;
        Ok(repeat(move || keys.open_cookie("session", &sealed)))
    })
    .peer("cookie", || {
        let key = cookie::Key::from(&[7; 64]);
        let mut jar = CookieJar::new();
        jar.private_mut(&key).add(Cookie::new("session", COOKIE));
        Ok(repeat(move || jar.private(&key).get("session")))
    })
}

fn beside_ring_sealing(case: Case, size: usize) -> Case {
    case.peer("ring, one key", move || {
        let (key, plain) = (one_key()?, vec![1; size]);
        Ok(repeat(move || {
            let mut nonce = [0; NONCE_LEN];
            SystemRandom::new().fill(&mut nonce).map_err(refused)?;
            let nonce_of = Nonce::assume_unique_for_key(nonce);
            seal(&key, nonce_of, &nonce, &plain)
        }))
    })
    .peer("ring, HKDF", move || {
        let (prk, plain) = (prk(), vec![1; size]);
        Ok(repeat(move || {
            let mut salt = [0; 24];
            SystemRandom::new().fill(&mut salt).map_err(refused)?;
            let (key, nonce) = derived(&prk, &salt)?;
            seal(&key, nonce, &salt, &plain)
        }))
    })
}

fn beside_ring_opening(case: Case, size: usize) -> Case {
    case.peer("ring, one key", move || {
        let key = one_key()?;
        let sealed = seal(&key, counted(0), &[], &vec![1; size])?;
        Ok(repeat(move || open(&key, counted(0), &sealed)))
    })
    .peer("ring, HKDF", move || {
        let prk = prk();
        let (key, nonce) = derived(&prk, &[0; 24])?;
        let sealed = seal(&key, nonce, &[], &vec![1; size])?;
        Ok(repeat(move || {
            let (key, nonce) = derived(&prk, &[0; 24])?;
            open(&key, nonce, &sealed)
        }))
    })
}

fn one_key() -> Result<LessSafeKey, Failure> {
    UnboundKey::new(&AES_256_GCM, &KEY).map(LessSafeKey::new).map_err(refused)
}

fn counted(number: u128) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(nonce)
}

fn prk() -> hkdf::Prk {
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, &KEY)
}

/// A key and a nonce of one value out of as many bytes as ours derives, of as many as ours: a
/// commitment is among them.
fn derived(prk: &hkdf::Prk, salt: &[u8]) -> Result<(LessSafeKey, Nonce), Failure> {
    const LENGTH: usize = 32 + NONCE_LEN + 32;
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            LENGTH
        }
    }
    let mut out = [0; LENGTH];
    let info = [[1; 48].as_slice(), salt, &[2; 66]];
    prk.expand(&info, Length).and_then(|okm| okm.fill(&mut out)).map_err(refused)?;
    let (key, rest) = out.split_at(32);
    let (nonce, commitment) = rest.split_at(NONCE_LEN);
    black_box(commitment);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(refused)?);
    Ok((key, Nonce::try_assume_unique_for_key(nonce).map_err(refused)?))
}

/// `before`, which is what has to be known to open it, and the value.
fn seal(key: &LessSafeKey, nonce: Nonce, before: &[u8], plain: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(before.len() + plain.len() + AES_256_GCM.tag_len());
    out.extend_from_slice(before);
    out.extend_from_slice(plain);
    let (_, in_out) = out.split_at_mut(before.len());
    let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), in_out).map_err(refused)?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

fn open(key: &LessSafeKey, nonce: Nonce, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = sealed.to_vec();
    let length = key.open_in_place(nonce, Aad::empty(), &mut out).map_err(refused)?.len();
    out.truncate(length);
    Ok(out)
}

/// ring's error is none of std's.
fn refused(_: Unspecified) -> Failure {
    "ring refused".into()
}
