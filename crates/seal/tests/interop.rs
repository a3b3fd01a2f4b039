//! Values that another program has made, of the format's description alone: HMAC and AES-GCM of
//! Python's `hashlib` and `cryptography`. Key `01 02 … 20`, salt `64 65 … 7b`.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    io::Read,
    time::{Duration, UNIX_EPOCH},
};

use buttress_seal::{Key, KeyRing, SealErrorKind, SealReader, Sealed, WrappedKeys, context};

const KEY: &str =
    "sealkey.v1.k1.AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA.JR6u7rOsWFn7dwhnqbAeDA";
const TEXT: &str = "sealed.v1.k1.AWRlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e7VFPsJ_RHsVtSYWgE6Nr-vPdGGLqGaSmydE7fSlkowtCFtMelXxXJHHYAtRSriaNohnhu2VFAQ";
const BINARY: &str = "c5534c440101026b316465666768696a6b6c6d6e6f707172737475767778797a7bb5453ec27f447b15b52616804e8dafebcf74618ba866929b2744edf4a5928c2d085b4c7a55f15c91c7600b514ab89a36886786ed951404";
const STREAM: &str = "c5534c440101026b316465666768696a6b6c6d6e6f707172737475767778797a7b67ac3bd744c6de58e8cc2452b8a340a5299214f324d28cdbd139ebb342b2efa6bcde8197d6e8fef3b5933936a161afcf7072ef2cec94a2b136ad09be";
const COOKIE: &str = "sealed.v1.k1.AWRlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e8pD6GHOgbYOHYSa0jusMQKDIE_FIU9yJLgaFg3jsrD-SfK6AcBbcXvXcJwHmU3ZBMcX0BUXYlaB99F9QFqL";
const WRAPPED: &str = "sealed.v1.k1.EQBxxVNMRAEBAmsxZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7kf32U9zek9T6LnU5S8uCztUgySrGmtxiy-8RbVpPfTaHMa0Hng0Y2arVAaErWT7_Nz4g3Y8a6ySx_3qAizZ1msR-RXST0mlvFmw8QlE07ctkZWZnaGlqa2xtbm9wcXJzdHV2d3h5enuih_ei4gEG4l3mNz1KCJ8ET1uvXqrNc40xskrgyxKcXKTWZwd7P8rSmOYzS1bqi6rpe9nviBDq";

fn ring() -> KeyRing {
    KeyRing::new(Key::parse(KEY).unwrap())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2).map(|two| str::from_utf8(two).unwrap());
    digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
}

#[test]
fn a_keys_text_and_its_derived_id() {
    let key: Vec<u8> = (1..=32).collect();
    let key = Key::from_bytes(&key).unwrap();
    assert_eq!(
        key.to_text().expose(),
        "sealkey.v1.McaL-YEP.AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA.ncT_QK5r-ybWFLQmd4oxaw"
    );
    assert_eq!(key.with_id("k1").unwrap().to_text().expose(), KEY);
}

#[test]
fn a_value_as_text_and_as_bytes() {
    let sealed = Sealed::<String>::parse(TEXT).unwrap();
    let place = context!("api_keys.secret", 7);
    assert_eq!(ring().open(&sealed, &place).unwrap().expose(), "hunter2");
    let opened = ring().open_binary::<String>(&bytes(BINARY), &place).unwrap();
    assert_eq!(opened.expose(), "hunter2");
}

#[test]
fn a_stream() {
    let mut text = String::new();
    let sealed = bytes(STREAM);
    let mut reader = SealReader::new(&ring(), context!("backups"), sealed.as_slice());
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "all there is");
}

#[test]
fn a_cookie_until_its_second() {
    let at = |seconds| {
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        ring().open_cookie_at("session", COOKIE, now).map(|value| value.expose().clone())
    };
    assert_eq!(at(1_999_999_999).unwrap(), "user=7");
    assert_eq!(at(2_000_000_000).unwrap_err().kind(), SealErrorKind::Expired);
}

#[tokio::test]
async fn a_value_under_a_wrapped_key() {
    let sealed = Sealed::<String>::parse(WRAPPED).unwrap();
    let opened = WrappedKeys::new(ring()).open(&sealed, context!("users.token", 7)).await;
    assert_eq!(opened.unwrap().expose(), "hunter2");
}
