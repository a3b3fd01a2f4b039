use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn made(write: impl FnOnce(&mut Line)) -> String {
    let mut line = Line::new();
    write(&mut line);
    String::from_utf8(line.bytes).unwrap()
}

#[test]
fn every_character_reads_back_and_what_is_not_to_be_seen_is_escaped() {
    for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let text = format!("a{c}b");
        let json = made(|line| line.text(&text));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert!(json.chars().all(is_printed), "{json:?}");
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_399, "2000-02-28T23:59:59.000000Z"),
        (951_782_400, "2000-02-29T00:00:00.000000Z"),
        (951_868_800, "2000-03-01T00:00:00.000000Z"),
        (1_709_164_800, "2024-02-29T00:00:00.000000Z"),
        (1_793_966_400, "2026-11-06T12:00:00.000000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        (253_402_300_799, "9999-12-31T23:59:59.000000Z"),
    ] {
        let now = Now(Duration::from_secs(seconds));
        assert_eq!(made(|line| now.rfc3339(&mut line.bytes)), text);
    }
    let now = Now(Duration::new(1, 2_003_004));
    assert_eq!(made(|line| now.rfc3339(&mut line.bytes)), "1970-01-01T00:00:01.002003Z");
    assert_eq!(made(|line| now.clock(&mut line.bytes)), "00:00:01.002");
    assert_eq!(made(|line| Clock::Millis.write(now, &mut line.bytes)), "1002");
    assert_eq!(made(|line| Clock::Nanos.write(now, &mut line.bytes)), "\"1002003004\"");
}

#[test]
fn milliseconds_have_three_decimals() {
    for (number, text) in [
        (0.0, "0.000"),
        (0.0004, "0.000"),
        (0.0006, "0.001"),
        (12.004, "12.004"),
        (1240.513, "1240.513"),
        (-1.5, "-1.5"),
        (1e300, "1e300"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
    ] {
        assert_eq!(made(|line| line.bytes.millis(number)), text);
    }
}

#[test]
fn a_name_is_not_cut_to_be_another() {
    use buttress_core::value::Value;
    use buttress_redact::Rules;
    let nested = Value::object([("ab", 1), ("abcdef", 2), ("abc", 3)]);
    for room in 0..64 {
        let mut line = Line::new();
        line.push(b"{\"a\":\"");
        line.bytes.resize(LIMIT - room, b'a');
        line.push(b"\"");
        if line.open_named("levels") {
            line.value(&nested, "levels", &Rules::none());
            line.close_named();
        }
        line.push(b"}");
        let read: serde_json::Value = serde_json::from_slice(&line.bytes).unwrap();
        let levels = read.get("levels").map_or(0, |levels| {
            let mut keys = levels.as_object().unwrap().keys();
            assert!(keys.all(|key| ["ab", "abcdef", "abc"].contains(&key.as_str())), "{levels}");
            1
        });
        assert_eq!(read.as_object().unwrap().len(), 1 + levels, "{room}");
    }
}

proptest! {
    #[test]
    fn integers_are_exact(unsigned in any::<u64>(), signed in any::<i64>(), shift in 0_u32..64) {
        let (unsigned, signed) = (unsigned >> shift, signed >> shift);
        prop_assert_eq!(made(|line| line.bytes.unsigned(unsigned)), unsigned.to_string());
        prop_assert_eq!(made(|line| line.bytes.signed(signed)), signed.to_string());
    }

    #[test]
    fn floats_read_back(float in any::<f64>()) {
        let json = made(|line| line.bytes.float(float));
        // Not by `serde_json`, which rounds unless it is asked not to.
        match json.parse::<f64>() {
            Ok(read) => prop_assert_eq!(read, float),
            Err(_) => prop_assert!(!float.is_finite() && json == "null"),
        }
    }

    #[test]
    fn floats_are_as_short_as_they_can_be(digits in any::<u32>(), point in 0..12, float in 0.0..2e9) {
        for float in [f64::from(digits) / 10_f64.powi(point), float, (float * 8.0).round() / 8.0] {
            prop_assert_eq!(made(|line| line.bytes.float(float)), format!("{float:?}"));
        }
    }

    #[test]
    fn clear_texts_are_written_as_they_are_and_others_escaped(text in "[ -~]{0,40}|[ -\u{ff}]{0,20}") {
        let json = made(|line| line.text(&text));
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), &*text);
        let key = Key::new("key");
        let mut line = Line::new();
        let is_clear = json.len() == text.len() + 2 && text.is_ascii();
        prop_assert_eq!(line.clear_member(&key, text.as_bytes()), is_clear);
        let member = format!(",\"key\":{json}");
        prop_assert_eq!(line.bytes, if is_clear { member.into_bytes() } else { Vec::new() });
    }

    #[test]
    fn of_members_of_one_name_the_last_stays(members in prop::collection::vec((0_u8..4, any::<u8>()), 0..12)) {
        let mut line = Line::new();
        line.push(b"{");
        let mut last = std::collections::BTreeMap::new();
        for (name, value) in members {
            assert!(line.open_named(&name.to_string()));
            line.bytes.unsigned(value.into());
            line.close_named();
            last.insert(name.to_string(), value);
        }
        line.push(b"}");
        let read: std::collections::BTreeMap<String, u8> = serde_json::from_slice(&line.bytes).unwrap();
        prop_assert_eq!(read, last);
    }
}
