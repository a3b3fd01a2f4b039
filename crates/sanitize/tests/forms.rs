//! Queries and forms.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_sanitize::{Action, FormGuard, Place, Policy, Rule, Violation};
use proptest::prelude::*;

fn judge<'a>(
    mut guard: FormGuard,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Result<(), Violation>, Vec<Violation>) {
    let verdict =
        chunks.into_iter().try_for_each(|chunk| guard.push(chunk)).and_then(|()| guard.finish());
    (verdict, guard.reports().to_vec())
}

fn refused(policy: &Policy, form: &[u8]) -> (Rule, String) {
    let violation = policy.check_form(form).unwrap_err();
    (violation.rule(), violation.pointer().to_owned())
}

fn rule(form: &[u8]) -> Option<Rule> {
    Policy::forms().check_form(form).err().map(|violation| violation.rule())
}

#[test]
fn every_form_has_its_verdict_and_its_rule() {
    use Rule::*;
    for (form, wanted) in [
        (&b""[..], None),
        (b"a", None),
        (b"a=", None),
        (b"=a", None),
        (b"a=1&b=2", None),
        (b"a=1&&b=2&", None),
        (b"&&&", None),
        (b"a=b=c", None),
        (b"a=1+2&b=%20%2B", None),
        (b"a=a<b%26c;d", None),
        (b"a=J%C3%BCrgen&n%C3%A9=1", None),
        (b"a=J\xc3\xbcrgen", None),
        (b"a=%0D%0A%09", None),
        (b"user[name]=a&user[mail]=b&user=c", None),
        (b"a=1&A=2", None),
        (b"a[b]=1&a[c]=2", None),
        // Percent-encoding.
        (b"a=%", Some(PercentEncoding)),
        (b"a=%4", Some(PercentEncoding)),
        (b"a=%4&b=1", Some(PercentEncoding)),
        (b"a=%zz", Some(PercentEncoding)),
        (b"a=%+1", Some(PercentEncoding)),
        (b"a%=1", Some(PercentEncoding)),
        (b"%&a=1", Some(PercentEncoding)),
        (b"a=%u0041", Some(PercentEncoding)),
        (b"a=100%", Some(PercentEncoding)),
        // UTF-8.
        (b"a=%ff", Some(Encoding)),
        (b"a=%c0%af", Some(Encoding)),
        (b"a=%ed%a0%80", Some(Encoding)),
        (b"a=%c3", Some(Encoding)),
        (b"a=%c3&b=%bc", Some(Encoding)),
        (b"%c3=1", Some(Encoding)),
        (b"a=\xe9", Some(Encoding)),
        // Once means once, in whatever notation.
        (b"a=1&a=2", Some(RepeatedParameter)),
        (b"a&a", Some(RepeatedParameter)),
        (b"a=1&b=2&a=1", Some(RepeatedParameter)),
        (b"a=1&%61=2", Some(RepeatedParameter)),
        (b"a=1&a[]=2", Some(RepeatedParameter)),
        (b"a[]=1&a[]=2", Some(RepeatedParameter)),
        (b"a[0]=1&a=2", Some(RepeatedParameter)),
        (b"a[0]=1&a[1]=2", Some(RepeatedParameter)),
        (b"a=1&a%5B0%5D=2", Some(RepeatedParameter)),
        (b"a%5b%5D=1&%61=2", Some(RepeatedParameter)),
        (b"a[b]=1&a[b]=2", Some(RepeatedParameter)),
        (b"a[0][b]=1&a[1][b]=2", Some(RepeatedParameter)),
        (b"a+b=1&a%20b=2", Some(RepeatedParameter)),
        (b"=1&=2", Some(RepeatedParameter)),
        // Brackets.
        (b"a[=1", Some(ParameterName)),
        (b"a]=1", Some(ParameterName)),
        (b"a[b]c=1", Some(ParameterName)),
        (b"[a]=1", Some(ParameterName)),
        (b"a[b[c]]=1", Some(ParameterName)),
        // Prototypes.
        (b"__proto__=1", Some(PrototypeKey)),
        (b"__proto__[a]=1", Some(PrototypeKey)),
        (b"a[__proto__][b]=1", Some(PrototypeKey)),
        (b"a[%5f_proto__]=1", Some(PrototypeKey)),
        (b"a.__proto__.b=1", Some(PrototypeKey)),
        (b"constructor[prototype][a]=1", Some(PrototypeKey)),
        (b"constructor.prototype.a=1", Some(PrototypeKey)),
        (b"a[constructor][prototype]=1", Some(PrototypeKey)),
        (b"constructor=1&prototype=2", None),
        (b"a=__proto__", None),
        // Characters.
        (b"a=%00", Some(Nul)),
        (b"a%00=1", Some(Nul)),
        (b"a=\0", Some(Nul)),
        // What is encoded twice.
        (b"%2561=1", Some(DoubleEncoding)),
        (b"a=%2561", None),
        (b"a=100%25", None),
    ] {
        assert_eq!(rule(form), wanted, "{}", form.escape_ascii());
    }
}

#[test]
fn wherever_a_form_is_cut_the_verdict_is_the_same() {
    let policy = Policy::strict_json().repeatable(["t"]).unwrap();
    for form in [
        &b"a=J%C3%BCrgen+M&t[]=1&t[]=2&b%5Bc%5D=%E2%80%AE&d=%2541"[..],
        b"a=1&b=2&%61=3",
        b"a=%C3",
        b"a=%C3%2",
        b"a[b=1",
        b"a=\xf0\x9f\x98\x80&b=\xf0\x9f",
    ] {
        let whole = judge(FormGuard::new(&policy), [form]);
        assert_eq!(judge(FormGuard::new(&policy), form.chunks(1)), whole);
        for cut in 0..=form.len() {
            let (head, tail) = form.split_at(cut);
            let judged = judge(FormGuard::new(&policy), [head, tail]);
            assert_eq!(judged, whole, "{} cut at {cut}", form.escape_ascii());
        }
    }
}

#[test]
fn what_is_declared_repeatable_may_come_again_and_nothing_else() {
    let policy = Policy::forms().repeatable(["tag"]).unwrap().repeatable(["items[id]"]).unwrap();
    for form in [
        &b"tag=1&tag=2"[..],
        b"tag[]=1&tag[]=2&tag[7]=3",
        b"items[0][id]=1&items[1][id]=2",
        b"items[][id]=1&items[][id]=2",
    ] {
        assert_eq!(policy.check_form(form), Ok(Vec::new()), "{}", form.escape_ascii());
    }
    assert_eq!(refused(&policy, b"tags=1&tags=2"), (Rule::RepeatedParameter, "/tags".into()));
    assert_eq!(refused(&policy, b"id=1&id=2"), (Rule::RepeatedParameter, "/id".into()));
}

#[test]
fn a_name_that_is_none_cannot_be_repeatable() {
    for name in ["", "a[", "]", "[]"] {
        assert!(Policy::forms().repeatable([name]).is_err(), "{name}");
    }
}

#[test]
fn every_limit_is_exact_in_every_notation() {
    let policy = Policy::forms();
    let many = |count: usize| {
        let all: Vec<String> = (0..count).map(|number| format!("p{number}=")).collect();
        all.join("&")
    };
    for (rule, policy, fits, over, pointer) in [
        (Rule::Parameters, policy.clone(), many(1_000), many(1_001), "/p1000"),
        (Rule::Parameters, policy.clone().max_parameters(2), "&a&&b&".into(), "a&b&=".into(), ""),
        (
            Rule::ParameterDepth,
            policy.clone(),
            "a[b][c][d][e][f]=1".into(),
            "a[b][c][d][e][f][g]=1".into(),
            "/a/b/c/d/e/f/g",
        ),
        (
            Rule::ParameterDepth,
            policy.clone().max_parameter_depth(1),
            "a%5B%5D=1".into(),
            "a%5B%5D%5B0%5D=1".into(),
            "/a//0",
        ),
        (
            Rule::ParameterDepth,
            policy.clone().max_parameter_depth(0),
            "a=1".into(),
            "a[]=1".into(),
            "/a/",
        ),
        (
            Rule::KeyLength,
            policy.clone().max_key(2),
            "%61%61=1".into(),
            "%61%61%61=1".into(),
            "/aa",
        ),
        (Rule::KeyLength, policy.clone().max_key(2), "%C3%BC=1".into(), "a%C3%BC=1".into(), "/a"),
        (Rule::StringLength, policy.clone().max_string(2), "a=%20+".into(), "a=%20++".into(), "/a"),
        (
            Rule::StringLength,
            policy.clone().max_string(4),
            "a=%F0%9F%98%80".into(),
            "a=%F0%9F%98%80+".into(),
            "/a",
        ),
        (Rule::BodySize, policy.max_body(5), "a=123".into(), "a=1234".into(), ""),
    ] {
        assert_eq!(policy.check_form(fits.as_bytes()), Ok(Vec::new()), "{rule} {fits:.40}");
        assert_eq!(refused(&policy, over.as_bytes()), (rule, pointer.to_owned()), "{over:.40}");
    }
}

#[test]
fn a_query_has_its_own_limit_and_status() {
    let policy = Policy::strict_json();
    let query = |length: usize| format!("q={}", "a".repeat(length - 2));
    assert!(policy.check_query(&query(8_192)).is_ok());
    let violation = policy.check_query(&query(8_193)).unwrap_err();
    assert_eq!((violation.rule(), violation.status().as_u16()), (Rule::QueryLength, 414));
    assert_eq!((violation.place(), violation.offset()), (Place::Query, Some(8_192)));
}

#[test]
fn the_presets_differ_in_what_they_say() {
    let reports = Policy::strict_json().check_query("q=%2541&r=%E2%80%AE").unwrap();
    let rules: Vec<_> = reports.iter().map(|report| (report.rule(), report.pointer())).collect();
    assert_eq!(rules, [(Rule::EncodedValue, "/q"), (Rule::Bidi, "/r")]);
    assert_eq!(Policy::forms().check_form(b"q=%2541"), Ok(Vec::new()));
    for form in [&b"$where=1"[..], b"user[$ne]=1", b"a.b=1", b"a[%24gt]=1"] {
        assert_eq!(refused(&Policy::mongo(), form).0, Rule::OperatorKey);
        assert!(Policy::forms().check_form(form).is_ok());
    }
}

#[test]
fn a_line_break_is_a_control_character_in_a_name_and_not_in_a_value() {
    let policy = Policy::forms().on(Rule::Control, Action::Reject).unwrap();
    assert_eq!(policy.check_form(b"text=a%0D%0A%09b"), Ok(Vec::new()));
    for form in [&b"te%0Axt=a"[..], b"a=1&b%0d%0a", b"a[%09]=1"] {
        assert_eq!(refused(&policy, form).0, Rule::Control, "{}", form.escape_ascii());
    }
}

#[test]
fn what_cannot_be_stripped_is_refused() {
    let policy = Policy::forms().on(Rule::PrototypeKey, Action::Strip).unwrap();
    assert_eq!(refused(&policy, b"__proto__=1").0, Rule::PrototypeKey);
}

#[test]
fn a_refusal_stays() {
    let mut guard = FormGuard::new(&Policy::forms());
    let first = guard.push(b"a=%zz").unwrap_err();
    assert_eq!(guard.push(b"b=1").unwrap_err(), first);
    assert_eq!(guard.finish().unwrap_err(), first);
}

#[test]
fn a_value_is_in_no_violation() {
    for form in [&b"a=s3cret%00"[..], b"a=s3cret%zz", b"a=s3cret&a=s3cret"] {
        let violation = Policy::forms().check_form(form).unwrap_err();
        assert!(!format!("{violation} {violation:?}").contains("s3cret"), "{violation:?}");
    }
}

proptest! {
    #[test]
    fn encoded_names_and_values_pass_and_a_second_of_the_same_name_does_not(
        name in "[a-z]{1,8}", value in "[^\\p{Cc}\\p{Cf}\\p{DI}\\p{Zl}\\p{Zp}%]{0,16}", spelled in any::<u64>(),
    ) {
        let encode = |text: &str, choice: u64| -> String {
            text.bytes().enumerate().map(|(at, byte)| {
                let must = !byte.is_ascii_alphanumeric();
                if must || choice >> (at % 64) & 1 == 1 { format!("%{byte:02X}") } else { char::from(byte).to_string() }
            }).collect()
        };
        let once = format!("{}={}", encode(&name, spelled), encode(&value, !spelled));
        prop_assert_eq!(Policy::forms().check_form(once.as_bytes()), Ok(Vec::new()));
        let twice = format!("{once}&x=&{}[]", encode(&name, !spelled));
        let rule = Policy::forms().check_form(twice.as_bytes()).map_err(|violation| violation.rule());
        if name != "x" {
            prop_assert_eq!(rule, Err(Rule::RepeatedParameter));
        }
    }
}
