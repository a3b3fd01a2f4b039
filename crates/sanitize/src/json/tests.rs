use super::*;

fn cost(document: &str) -> u64 {
    let policy = Policy::strict_json().max_object_keys(u32::MAX).max_keys(u32::MAX);
    let mut guard = JsonGuard::new(&policy);
    guard.push(document.as_bytes()).unwrap();
    guard.finish().unwrap();
    guard.steps + guard.tree.cost()
}

#[test]
fn ten_thousand_keys_cost_less_than_twelve_times_a_thousand() {
    let object = |count: u32, name: fn(u32) -> String| {
        let members: Vec<String> = (0..count).map(|key| format!("\"{}\":0", name(key))).collect();
        format!("{{{}}}", members.join(","))
    };
    let names: [fn(u32) -> String; 3] = [
        |key| format!("{key:05}"),
        |key| format!("aaaaaaaa{key:05}aaaaaaaa"),
        |key| format!("\\u0061{key:05}"),
    ];
    for name in names {
        let (small, large) = (cost(&object(1_000, name)), cost(&object(10_000, name)));
        assert!(large < 12 * small, "{small} and {large}");
    }
}

#[test]
fn keys_of_closed_objects_are_forgotten() {
    let mut guard = JsonGuard::new(&Policy::strict_json());
    let object = br#"{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":{"bbbbbbbbbbbbbbbbbbbbbbbbbbbb":1}},"#;
    guard.push(b"[").unwrap();
    for _ in 0..1_000 {
        guard.push(object).unwrap();
    }
    assert_eq!(guard.tree.kept(), 0);
}

#[test]
fn a_guard_and_a_form_show_nothing_of_what_was_sent() {
    let mut guard = JsonGuard::new(&Policy::strict_json());
    guard.push(br#"{"s3cret":"s3cr"#).unwrap();
    assert!(!format!("{guard:?}").contains("s3c"), "{guard:?}");
    let mut guard = crate::FormGuard::new(&Policy::forms());
    guard.push(b"s3cret=s3c").unwrap();
    assert!(!format!("{guard:?}").contains("115, 51"), "{guard:?}");
}
