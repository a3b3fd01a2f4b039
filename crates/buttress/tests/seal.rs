//! What the facade gives of the secrets at rest.

use buttress::{
    Secret,
    seal::{Key, KeyRing, Sealed, context},
};

#[test]
fn a_value_is_sealed_with_the_facade_alone() {
    let ring = KeyRing::new(Key::generate().unwrap());
    let password = Secret::from("hunter2");
    let sealed: Sealed<String> = ring.seal(&password, context!("users.password", 7)).unwrap();
    let opened: Secret<String> = ring.open(&sealed, context!("users.password", 7)).unwrap();
    assert_eq!(opened.expose(), "hunter2");
}
