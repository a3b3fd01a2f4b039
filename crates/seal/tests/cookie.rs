//! Cookies.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use buttress_seal::{Key, KeyRing, MAX_COOKIE, SealErrorKind};

const HOUR: Duration = Duration::from_secs(3600);

fn ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("k1").unwrap())
}

#[test]
fn a_cookie_opens_until_it_expires() {
    let ring = ring();
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let cookie = ring.seal_cookie_at("sid", "user=7", HOUR, now).unwrap();
    for (later, opens) in [(0, true), (3599, true), (3600, false), (1_000_000, false)] {
        let opened = ring.open_cookie_at("sid", &cookie, now + Duration::from_secs(later));
        match opened {
            Ok(value) => assert_eq!((value.expose().as_str(), opens), ("user=7", true)),
            Err(error) => assert_eq!((error.kind(), opens), (SealErrorKind::Expired, false)),
        }
    }
}

#[test]
fn times_at_the_edges_are_times() {
    let ring = ring();
    let early = UNIX_EPOCH - HOUR;
    let cookie = ring.seal_cookie_at("sid", "", HOUR, early).unwrap();
    assert!(ring.open_cookie_at("sid", &cookie, UNIX_EPOCH).is_ok());
    let for_ever = ring.seal_cookie("sid", "", Duration::MAX).unwrap();
    assert!(ring.open_cookie("sid", &for_ever).is_ok());
    let at_once = ring.seal_cookie("sid", "", Duration::ZERO).unwrap();
    assert_eq!(ring.open_cookie("sid", &at_once).unwrap_err().kind(), SealErrorKind::Expired);
}

#[test]
fn a_cookie_has_only_what_a_cookie_may_have() {
    let cookie = ring().seal_cookie("sid", "; \" \\ , \u{e9} \n", HOUR).unwrap();
    assert!(cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)));
    assert_eq!(ring().open_cookie("sid", &cookie).unwrap().expose(), "; \" \\ , \u{e9} \n");
}

#[test]
fn a_cookie_opens_under_its_name_alone() {
    let cookie = ring().seal_cookie("sid", "user=7", HOUR).unwrap();
    for name in ["", "Sid", "sid2", "__Host-sid"] {
        let error = ring().open_cookie(name, &cookie).unwrap_err();
        assert_eq!(error.kind(), SealErrorKind::Authentication, "{name}");
    }
    for name in ["", "a b", "a=b", "a;b", "a\nb", "n\u{e9}"] {
        let error = ring().seal_cookie(name, "user=7", HOUR).unwrap_err();
        assert_eq!(error.kind(), SealErrorKind::Malformed, "{name}");
    }
}

#[test]
fn name_and_value_fit_into_what_browsers_keep() {
    let ring = ring();
    let mut longest = 0;
    for length in 2_900..3_100 {
        match ring.seal_cookie("sid", &"x".repeat(length), HOUR) {
            Ok(cookie) => {
                assert!(3 + cookie.len() <= MAX_COOKIE);
                assert!(ring.open_cookie("sid", &cookie).is_ok());
                longest = length;
            }
            Err(error) => assert_eq!(error.kind(), SealErrorKind::TooLarge),
        }
    }
    assert!((2_950..3_050).contains(&longest), "{longest}");
    let error = ring.seal_cookie("sid", &"x".repeat(1_000_000), HOUR).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::TooLarge);
    let error = ring.open_cookie("sid", &"x".repeat(5_000)).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::TooLarge);
}

#[test]
fn the_expiry_is_not_the_browsers_to_change() {
    let now = SystemTime::now();
    let cookie = ring().seal_cookie_at("sid", "user=7", HOUR, now - 2 * HOUR).unwrap();
    let other = ring().seal_cookie_at("sid", "user=7", HOUR, now).unwrap();
    assert_ne!(cookie, other);
    assert_eq!(ring().open_cookie("sid", &cookie).unwrap_err().kind(), SealErrorKind::Expired);
    let plain = ring().open_cookie("sid", "user=7").unwrap_err();
    assert_eq!(plain.kind(), SealErrorKind::NotSealed);
}
