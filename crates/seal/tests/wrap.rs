//! Data keys wrapped by a service.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use buttress_seal::{
    Context, Key, KeyRing, KeyWrap, SealError, SealErrorKind, Sealed, Secret, WrapError,
    WrappedKeys, context,
};
use futures_util::FutureExt;

/// A service that counts, and can be down; its keys are a ring's.
struct Service {
    ring: KeyRing,
    wraps: AtomicU64,
    unwraps: AtomicU64,
    is_down: AtomicBool,
}

#[derive(Debug, PartialEq)]
enum Refusal {
    Down,
    Seal(SealError),
}

impl Service {
    fn new() -> Self {
        Self {
            ring: KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("kms-1").unwrap()),
            wraps: AtomicU64::new(0),
            unwraps: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
        }
    }

    fn calls(&self) -> (u64, u64) {
        (self.wraps.load(SeqCst), self.unwraps.load(SeqCst))
    }

    async fn is_up(&self) -> Result<(), Refusal> {
        tokio::task::yield_now().await;
        if self.is_down.load(SeqCst) { Err(Refusal::Down) } else { Ok(()) }
    }
}

impl KeyWrap for Service {
    type Error = Refusal;

    fn id(&self) -> &str {
        self.ring.id()
    }

    async fn wrap(&self, key: &Secret<[u8; 32]>) -> Result<Vec<u8>, Refusal> {
        self.is_up().await?;
        self.wraps.fetch_add(1, SeqCst);
        self.ring.wrap(key).await.map_err(Refusal::Seal)
    }

    async fn unwrap_key(&self, id: &str, wrapped: &[u8]) -> Result<Secret<[u8; 32]>, Refusal> {
        self.is_up().await?;
        self.unwraps.fetch_add(1, SeqCst);
        self.ring.unwrap_key(id, wrapped).await.map_err(Refusal::Seal)
    }
}

fn place() -> Context {
    context!("users.token", 7)
}

#[tokio::test]
async fn the_service_is_asked_once_for_many_values() {
    let keys = WrappedKeys::new(Service::new());
    let mut all = Vec::new();
    for number in 0..100 {
        all.push(keys.seal(&format!("secret {number}"), place()).await.unwrap());
    }
    assert_eq!(keys.service().calls(), (1, 0));
    for (number, sealed) in all.iter().enumerate() {
        assert!(sealed.as_str().starts_with("sealed.v1.kms-1."));
        assert_eq!(keys.open(sealed, place()).await.unwrap().expose(), &format!("secret {number}"));
    }
    assert_eq!(keys.service().calls(), (1, 1));
}

#[tokio::test]
async fn the_envelope_has_the_wrapped_key_before_the_message() {
    let keys = WrappedKeys::new(Service::new());
    let sealed = keys.seal("hunter2", place()).await.unwrap();
    let body = BASE64.decode(sealed.as_str().rsplit_once('.').unwrap().1).unwrap();
    assert_eq!(body[0], 0x11);
    let length = usize::from(u16::from_be_bytes([body[1], body[2]]));
    assert_eq!(body.len(), 1 + 2 + length + 24 + 32 + 7 + 16);
    let key = keys.service().ring.unwrap_key("kms-1", &body[3..3 + length]).await.unwrap();
    assert_eq!(key.expose().len(), 32);
}

#[tokio::test]
async fn every_flipped_bit_and_truncation_fails() {
    let keys = WrappedKeys::new(Service::new());
    let sealed = keys.seal("hunter2", place()).await.unwrap();
    let (head, body) = sealed.as_str().rsplit_once('.').unwrap();
    let good = BASE64.decode(body).unwrap();
    let fails = async |body: &[u8]| {
        let Ok(sealed) = Sealed::<String>::parse(format!("{head}.{}", BASE64.encode(body))) else {
            return true;
        };
        keys.open(&sealed, place()).await.is_err()
    };
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(fails(&bad).await, "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(fails(&good[..length]).await, "{length}");
    }
    let error = keys.open(&sealed, context!("users.token", 8)).await.unwrap_err();
    assert_eq!(error, WrapError::Seal(SealErrorKind::Authentication.into()));
}

#[tokio::test]
async fn a_ring_and_its_wrapped_keys_do_not_open_each_others_values() {
    let ring = KeyRing::new(Key::generate().unwrap());
    let keys = WrappedKeys::new(ring.clone());
    let wrapped = keys.seal("hunter2", place()).await.unwrap();
    let error = ring.open(&wrapped, place()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::Authentication);
    assert!(ring.needs_reseal(&wrapped));
    let plain = ring.seal("hunter2", place()).unwrap();
    let error = keys.open(&plain, place()).await.unwrap_err();
    assert_eq!(error, WrapError::Seal(SealErrorKind::Authentication.into()));
    assert!(keys.needs_reseal(&plain) && !keys.needs_reseal(&wrapped));
    let again = keys.reseal(&wrapped, place()).await.unwrap();
    assert_eq!(keys.open(&again, place()).await.unwrap().expose(), "hunter2");
}

#[tokio::test]
async fn no_more_keys_are_kept_than_allowed_and_the_oldest_goes() {
    let keys = WrappedKeys::new(Service::new())
        .data_key_seals(Duration::from_secs(3600), 1)
        .unwrapped_kept(Duration::from_secs(3600), 3);
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(keys.seal("hunter2", place()).await.unwrap());
    }
    assert_eq!(keys.service().calls(), (5, 0));
    for sealed in &all {
        keys.open(sealed, place()).await.unwrap();
    }
    assert_eq!((keys.unwrapped(), keys.service().calls()), (3, (5, 5)));
    for sealed in &all[2..] {
        keys.open(sealed, place()).await.unwrap();
    }
    assert_eq!(keys.service().calls(), (5, 5));
    keys.open(&all[0], place()).await.unwrap();
    assert_eq!((keys.unwrapped(), keys.service().calls()), (3, (5, 6)));
    keys.open(&all[4], place()).await.unwrap();
    assert_eq!(keys.service().calls(), (5, 6));
    keys.forget();
    assert_eq!(keys.unwrapped(), 0);
}

#[tokio::test]
async fn keys_that_may_not_be_kept_are_asked_for_each_time() {
    let keys = WrappedKeys::new(Service::new())
        .data_key_seals(Duration::ZERO, u64::MAX)
        .unwrapped_kept(Duration::ZERO, 1_000);
    for round in 1..=3 {
        let sealed = keys.seal("hunter2", place()).await.unwrap();
        keys.open(&sealed, place()).await.unwrap();
        assert_eq!((keys.unwrapped(), keys.service().calls()), (0, (round, round)));
    }
}

#[tokio::test]
async fn keys_are_asked_for_again_when_their_time_is_over() {
    const SHORT: Duration = Duration::from_millis(20);
    let keys = WrappedKeys::new(Service::new())
        .data_key_seals(SHORT, u64::MAX)
        .unwrapped_kept(SHORT, 1_000);
    let first = keys.seal("hunter2", place()).await.unwrap();
    let again = async {
        while keys.service().calls().0.min(keys.service().calls().1) < 3 {
            keys.seal("hunter2", place()).await.unwrap();
            keys.open(&first, place()).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
    // The other way round, a key whose time is not over stays: no test takes an hour.
    let keys = WrappedKeys::new(Service::new());
    for _ in 0..1_000 {
        keys.open(&keys.seal("hunter2", place()).await.unwrap(), place()).await.unwrap();
    }
    assert_eq!(keys.service().calls(), (1, 1));
}

#[tokio::test]
async fn an_outage_is_the_services_error_and_leaves_what_is_kept() {
    let keys = WrappedKeys::new(Service::new());
    keys.service().is_down.store(true, SeqCst);
    let error = keys.seal("hunter2", place()).await.unwrap_err();
    assert_eq!(error, WrapError::Service(Refusal::Down));
    keys.service().is_down.store(false, SeqCst);
    let sealed = keys.seal("hunter2", place()).await.unwrap();
    keys.open(&sealed, place()).await.unwrap();
    keys.service().is_down.store(true, SeqCst);
    assert_eq!(keys.open(&sealed, place()).await.unwrap().expose(), "hunter2");
    keys.seal("hunter2", place()).await.unwrap();
    keys.forget();
    let error = keys.open(&sealed, place()).await.unwrap_err();
    assert_eq!(error, WrapError::Service(Refusal::Down));
}

#[tokio::test]
async fn a_dropped_call_leaves_the_others_going() {
    let keys = WrappedKeys::new(Service::new());
    let mut dropped = Box::pin(keys.seal("hunter2", place()));
    assert!((&mut dropped).now_or_never().is_none());
    drop(dropped);
    let sealed = keys.seal("hunter2", place()).await.unwrap();
    assert_eq!(keys.open(&sealed, place()).await.unwrap().expose(), "hunter2");
}

#[test]
fn the_futures_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let keys = WrappedKeys::new(Service::new());
    let sealed = Sealed::<String>::parse(format!("sealed.v1.kms-1.{}", "A".repeat(100))).unwrap();
    is_send(keys.seal("hunter2", place()));
    is_send(keys.open(&sealed, place()));
    is_send(keys.reseal(&sealed, place()));
}
