//! What a secret shows, and what is left of it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use buttress_core::{CENSOR, Secret};
use zeroize::Zeroize;

/// Tells when it is overwritten.
#[derive(Debug)]
struct Key(Arc<AtomicBool>);

impl Zeroize for Key {
    fn zeroize(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn a_dropped_secret_is_overwritten() {
    let overwritten = Arc::new(AtomicBool::new(false));
    let secret = Secret::new(Key(Arc::clone(&overwritten)));
    assert!(!secret.expose().0.load(SeqCst));
    drop(secret);
    assert!(overwritten.load(SeqCst));
}

#[test]
fn a_secret_is_overwritten_when_a_panic_drops_it() {
    let overwritten = Arc::new(AtomicBool::new(false));
    let secret = Secret::new(Key(Arc::clone(&overwritten)));
    let panicked = std::panic::catch_unwind(move || {
        let _secret = secret;
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panicked.is_err());
    assert!(overwritten.load(SeqCst));
}

#[test]
fn no_format_shows_a_secret() {
    let secret = Secret::from("hunter2");
    assert_eq!(format!("{secret} {secret:?} {secret:#?}"), [CENSOR; 3].join(" "));
    assert_eq!(format!("{:?}", Some(&secret)), format!("Some({CENSOR})"));
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;

    #[test]
    fn a_secret_is_read_and_not_written() {
        let secret: Secret<String> = serde_json::from_str(r#""hunter2""#).unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""[REDACTED]""#);
    }

    #[test]
    fn what_is_no_secret_of_its_type_is_not_shown() {
        let error = serde_json::from_str::<Secret<u32>>(r#""hunter2""#).unwrap_err();
        let value = serde_json::Value::from("hunter2");
        let nested = serde_json::from_value::<Vec<Secret<u32>>>(vec![value].into()).unwrap_err();
        for error in [error, nested] {
            let text = format!("{error} {error:?}");
            assert!(text.contains("invalid secret"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
