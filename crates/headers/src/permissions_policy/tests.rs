use proptest::prelude::*;

use super::*;

#[test]
fn each_wrong_policy_is_refused_with_its_own_message() {
    let new = PermissionsPolicy::new;
    let cases: Vec<(PermissionsPolicy, Kind, &str)> = vec![
        (new(), Kind::Empty, "the permissions policy names no feature"),
        (new().deny(["cameras"]), Kind::UnknownFeature, "there is no feature \"cameras\""),
        (
            new().deny(["camera=(), microphone"]),
            Kind::UnknownFeature,
            "there is no feature \"camera=(), microphone\"",
        ),
        (
            new().allow_unlisted("no spaces", ["self"]),
            Kind::UnknownFeature,
            "there is no feature \"no spaces\"",
        ),
        (
            new().deny(["camera"]).allow("camera", ["self"]),
            Kind::DuplicateFeature,
            "camera: named twice; browsers take the last",
        ),
        (
            new().allow("camera", ["https://a.example;"]),
            Kind::ForbiddenCharacter,
            "camera: ';' is not allowed in the origin \"https://a.example;\"",
        ),
        (
            new().allow("camera", ["https://a.example,https://b.example"]),
            Kind::ForbiddenCharacter,
            "camera: ',' is not allowed in the origin \"https://a.example,https://b.example\"",
        ),
        (
            new().allow("camera", ["self\r\nX: y"]),
            Kind::ForbiddenCharacter,
            "camera: '\\r' is not allowed in the origin \"self\\r\\nX: y\"",
        ),
        (
            new().allow("camera", ["self https://a.example"]),
            Kind::ForbiddenCharacter,
            "camera: ' ' is not allowed in the origin \"self https://a.example\"",
        ),
        (
            new().allow("camera", ["'self'"]),
            Kind::InvalidOrigin,
            "camera: 'self' is written as in a CSP; here it is self without quotes, \
             and deny() for none",
        ),
        (
            new().allow("camera", ["*", "self"]),
            Kind::InvalidOrigin,
            "camera: * stands alone: it already allows all others",
        ),
        (
            new().allow("camera", ["a.example"]),
            Kind::InvalidOrigin,
            "camera: \"a.example\" is neither self, nor *, nor an origin",
        ),
        (
            new().allow("camera", ["https://a.example/path"]),
            Kind::InvalidOrigin,
            "camera: \"https://a.example/path\" is neither self, nor *, nor an origin",
        ),
    ];
    for (policy, kind, message) in cases {
        let error = policy.header_value().expect_err(message);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), kind, "{message}");
    }
}

#[test]
fn a_right_policy_is_a_structured_dictionary() {
    let policy = PermissionsPolicy::new()
        .deny(["camera", "microphone"])
        .allow("fullscreen", ["*"])
        .allow("sync-xhr", ["self"])
        .allow("geolocation", ["self", "https://*.example.com", "https://maps.example:8443"])
        .allow_unlisted("brand-new", [] as [&str; 0])
        .without("microphone");
    assert_eq!(
        policy.header_value().unwrap(),
        "camera=(), fullscreen=*, sync-xhr=(self), \
         geolocation=(self \"https://*.example.com\" \"https://maps.example:8443\"), brand-new=()"
    );
}

#[test]
fn the_list_is_sorted_and_names_each_feature_once() {
    assert!(FEATURES.is_sorted_by(|one, next| one < next));
}

proptest! {
    #[test]
    fn an_accepted_origin_cannot_leave_its_place(
        origin in "\\PC{0,24}|[ -~]{0,24}|https?://[a-z.*\"\\\\ ;,()\r\n]{0,16}",
    ) {
        let policy = PermissionsPolicy::new().allow("camera", [origin.clone()]);
        if policy.header_value().is_ok() {
            prop_assert!(!origin.contains([';', ',', ' ', '"', '\\', '(', ')', '\r', '\n']));
        }
    }
}
