//! What is shown of a secret: nothing, and not how long it is.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    fmt::Debug,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use buttress_seal::{
    Key, KeyRing, Opened, Plain, SealReader, SealWriter, Sealed, Secret, WrappedKeys, context,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

fn ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).unwrap().with_id("k1").unwrap())
}

/// What all that hold a secret of this length, or a key, print of themselves.
fn prints(length: usize) -> Vec<String> {
    let ring = ring();
    let secret = "\u{2603}".repeat(length);
    let sealed = ring.seal(&secret, context!("a")).unwrap();
    let opened = ring.open(&sealed, context!("a")).unwrap();
    let mut writer = SealWriter::new(&ring, context!("a"), io::sink()).unwrap();
    writer.write_all(secret.as_bytes()).unwrap();
    let print = |it: &dyn Debug| format!("{it:?} {it:#?}");
    let other = KeyRing::new(Key::from_bytes(&[8; 32]).unwrap().with_id("k1").unwrap());
    let errors = [
        other.open(&sealed, context!("a")).unwrap_err(),
        ring.open(&sealed, context!("b")).unwrap_err(),
        ring.open_if_sealed("sealed.v1.k1.AAAA", context!("a")).unwrap_err(),
        Sealed::<String>::parse(&secret).unwrap_err(),
        Sealed::<String>::parse(format!("sealed.v1.k1.{secret}")).unwrap_err(),
    ];
    let mut prints = vec![
        print(&sealed),
        print(&opened),
        format!("{opened}"),
        print(&ring),
        print(&Key::from_bytes(&[7; 32]).unwrap().to_text()),
        print(&Key::from_bytes(&[7; 32]).unwrap()),
        print(&writer),
        print(&SealReader::new(&ring, context!("a"), io::empty())),
        print(&WrappedKeys::new(ring.clone())),
    ];
    prints.extend(errors.iter().map(|error| format!("{error} {error:?}")));
    prints
}

#[test]
fn no_print_shows_a_secret_or_its_length() {
    let (short, long) = (prints(1), prints(5_000));
    // Two secrets of different length, and not one letter differs.
    assert_eq!(short, long);
    let key = [7; 32];
    let text = Key::from_bytes(&key).unwrap().to_text();
    let key = text.expose().split('.').nth(3).unwrap();
    for print in &long {
        assert!(!print.contains('\u{2603}') && !print.contains(key), "{print}");
        assert!(!print.contains("7, 7"), "{print}");
    }
}

#[test]
fn a_key_overwrites_itself() {
    fn overwrites<T: ZeroizeOnDrop>() {}
    overwrites::<Key>();
}

/// A value that tells when it is overwritten, and what was in it.
struct Tracer {
    bytes: Vec<u8>,
    log: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Zeroize for Tracer {
    fn zeroize(&mut self) {
        self.bytes.zeroize();
        self.log.lock().unwrap().push(self.bytes.clone());
    }
}

impl Plain for Tracer {
    type Opened = Vec<u8>;

    fn plain(&self) -> &[u8] {
        &self.bytes
    }
}

static OVERWRITTEN: AtomicUsize = AtomicUsize::new(0);

/// The same, opened by the ring: what it holds is counted when it is overwritten.
struct Counted(Vec<u8>);

impl Opened for Counted {
    fn from_plain(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }
}

impl Zeroize for Counted {
    fn zeroize(&mut self) {
        let all = self.0.capacity();
        self.0.zeroize();
        assert!(self.0.is_empty());
        // What was written behind the value while it was opened is gone too: the vector keeps its
        // room, and all of it is overwritten.
        self.0.resize(all, 1);
        OVERWRITTEN.fetch_add(1, SeqCst);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.iter().all(|byte| *byte == 1), "it was freed with the secret in it");
    }
}

#[test]
fn an_opened_value_is_overwritten_before_it_is_freed() {
    let ring = ring();
    let sealed = ring.seal(b"hunter2".as_slice(), context!("a")).unwrap();
    let sealed = Sealed::<Counted>::parse(sealed.as_str()).unwrap();
    let opened = ring.open(&sealed, context!("a")).unwrap();
    assert_eq!(opened.expose().0, b"hunter2");
    assert_eq!(OVERWRITTEN.load(SeqCst), 0);
    drop(opened);
    assert_eq!(OVERWRITTEN.load(SeqCst), 1);
}

#[test]
fn a_secret_that_is_sealed_is_overwritten_as_any_other() {
    let log = Arc::default();
    let secret = Secret::new(Tracer { bytes: b"hunter2".to_vec(), log: Arc::clone(&log) });
    let sealed = ring().seal(&secret, context!("a")).unwrap();
    assert!(log.lock().unwrap().is_empty());
    drop(secret);
    assert_eq!(*log.lock().unwrap(), [b""]);
    assert_eq!(ring().open(&sealed, context!("a")).unwrap().expose(), b"hunter2");
}

#[cfg(feature = "serde")]
mod serde {
    use ::serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        id: u32,
        secret: Sealed<String>,
    }

    #[test]
    fn a_sealed_value_is_a_string() {
        let secret = ring().seal("hunter2", context!("a")).unwrap();
        let row = Row { id: 7, secret };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, format!(r#"{{"id":7,"secret":"{}"}}"#, row.secret.as_str()));
        assert_eq!(serde_json::from_str::<Row>(&json).unwrap(), row);
        // From a reader, and where the string has escapes, it is no slice of the input.
        assert_eq!(serde_json::from_reader::<_, Row>(json.as_bytes()).unwrap(), row);
        let escaped = json.replace("sealed.v1", r"\u0073ealed.v1");
        assert_eq!(serde_json::from_str::<Row>(&escaped).unwrap(), row);
    }

    #[test]
    fn plain_text_is_refused_and_not_repeated() {
        for json in [
            r#"{"id":7,"secret":"hunter2"}"#,
            r#"{"id":7,"secret":"sealed.v1.k1.hunter2"}"#,
            r#"{"id":7,"secret":["hunter2"]}"#,
            r#"{"id":7,"secret":{"hunter2":1}}"#,
            r#"{"id":7,"secret":8675309}"#,
            r#"{"id":7,"secret":null}"#,
        ] {
            let error = serde_json::from_str::<Row>(json).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("8675309"), "{error}");
            assert!(error.contains("sealed value"), "{error}");
        }
    }

    #[test]
    fn an_opened_secret_is_written_as_nothing() {
        let sealed = ring().seal("hunter2", context!("a")).unwrap();
        let opened = ring().open(&sealed, context!("a")).unwrap();
        assert_eq!(serde_json::to_string(&opened).unwrap(), r#""[REDACTED]""#);
    }
}
