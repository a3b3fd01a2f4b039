//! Names, and whether they are sensitive.

use proptest::prelude::*;

use crate::{Rules, Verdict};

fn is_sensitive(rules: &Rules, key: &str) -> bool {
    !matches!(rules.key(key), Verdict::Clear)
}

#[test]
fn a_sensitive_name_is_one_however_it_is_written() {
    let rules = Rules::new();
    for key in [
        "password",
        "PASSWORD",
        "userPassword",
        "user_password",
        "Pass-Word",
        "old.passwd",
        "pwd",
        "X-Api-Key",
        "apiKey",
        "api_key",
        "API KEY",
        "api.key",
        "openai_api_key",
        "secret",
        "clientSecret",
        "token",
        "access_token",
        "tokens",
        "Authorization",
        "authorization",
        "proxy-authorization",
        "http.request.header.authorization",
        "credential",
        "credentials",
        "private_key",
        "bearer",
        "Set-Cookie",
        "cookie",
        "session",
        "session_id",
        "ssn",
        "user_ssn",
        "userSsn",
        "SSN",
        "ssn_last4",
        "cvv",
        "cvv2",
        "cvc",
        "card_cvc",
        "db_pwd",
        "userPwd",
        "ssh_key_passphrase",
        "device.passcode_hash",
        "card_number",
        "cardNumber",
        "pin",
        "user.pin",
        "otp",
        "otp_code",
        "totp",
        "pin-code",
        "sig",
        "url.sig",
        "signature",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "x-hub-signature-256",
        "csrf",
        "_csrf",
        "csrfmiddlewaretoken",
        "X-XSRF-TOKEN",
        "xsrf",
        "user[password]",
        "p/token",
        "a\u{e9}token",
        "x.max_tokens.password",
        "author.token",
        "authorToken",
        "tokenCountSecret",
    ] {
        assert!(is_sensitive(&rules, key), "{key}");
    }
}

#[test]
fn a_name_that_only_resembles_one_is_clear() {
    let rules = Rules::new();
    for key in [
        "token_count",
        "tokenCount",
        "max_tokens",
        "Max-Tokens",
        "total_tokens",
        "author",
        "Author",
        "authority",
        "secretary",
        "usage.total_tokens",
        "gen_ai.usage.input_tokens",
        "book.author",
        "book.author.name",
        "prompt_tokens",
        "class_name",
        "className",
        "process.name",
        "business-name",
        "classname",
        "address_number",
        "access_no",
        "username",
        "user",
        "id",
        "path",
        "message",
        "spin",
        "pinned",
        "pin_count",
        "signal",
        "design",
        "sign_in",
        "signed_headers",
        "X-Amz-SignedHeaders",
        "signatureAlgorithm",
        "option",
        "pint",
        "opinion",
        "laptop",
        "",
        ".",
        "-",
        "\u{e9}",
    ] {
        assert!(!is_sensitive(&rules, key), "{key}");
    }
}

#[test]
fn each_part_of_a_bracketed_name_is_a_name() {
    let rules = Rules::new();
    for (key, sensitive) in [
        ("card[cvc]", true),
        ("user[0][pin]", true),
        ("pin[]", true),
        ("?pin", true),
        ("user/otp", true),
        ("usage[max_tokens]", false),
        ("book[author][name]", false),
        ("author[token]", true),
        ("api[author].key", false),
        ("api[key]", false),
        ("[]", false),
        ("\u{e9}pin", false),
    ] {
        assert_eq!(is_sensitive(&rules, key), sensitive, "{key}");
    }
}

#[test]
fn rules_of_ones_own_come_before_the_defaults() {
    let rules = Rules::new().allow_key("session_count").unwrap();
    let rules = rules.redact_key("birth_date").unwrap().redact_keys_containing("mail").unwrap();
    for (key, sensitive) in [
        ("sessionCount", false),
        ("session", true),
        ("birthDate", true),
        ("birth", false),
        ("birth_dates", false),
        ("eMail", true),
        ("email_sent", true),
    ] {
        assert_eq!(is_sensitive(&rules, key), sensitive, "{key}");
    }
    let rules = rules.redact_key("author").unwrap().allow_key("password").unwrap();
    assert!(is_sensitive(&rules, "author"));
    assert!(!is_sensitive(&rules, "password"));
    assert!(is_sensitive(&rules, "passwords"));
}

#[test]
fn the_longest_word_says_which_censor() {
    let rules = Rules::new().redact_keys_containing_with("password_hint", "hint".into()).unwrap();
    let print = |key| match rules.key(key) {
        Verdict::Censor(censor) => format!("{censor:?}"),
        other => format!("{other:?}"),
    };
    assert_eq!(print("my_password_hint"), "text(\"hint\")");
    assert_eq!(print("my_password"), "text(\"[REDACTED]\")");
}

#[test]
fn a_name_of_nothing_is_refused() {
    for name in ["", "-", " _.", "a/b", "\u{e9}"] {
        for refused in [
            Rules::new().redact_key(name),
            Rules::new().redact_keys_containing(name),
            Rules::new().allow_key(name),
        ] {
            let error = refused.unwrap_err();
            assert!(error.to_string().starts_with(&format!("key {name:?}: ")), "{error}");
        }
    }
}

const PIECES: &[&str] = &[
    "token", "count", "author", "pass", "word", "ss", "n", "s", "pi", "pin", "api", "key", "Key",
    "otp", "auth", "or", ".", "_", "-", " ", "[", "]", "/", "%", "+", "\u{e9}", "A", "a", "9",
];

proptest! {
    #[test]
    fn what_the_filter_lets_pass_is_clear(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..10),
        any in "[ -~]{0,4}",
    ) {
        let name = pieces.concat() + &any;
        for rules in [Rules::new(), Rules::none().redact_key("s.pi").unwrap()] {
            let keys = rules.keys();
            let thorough = keys.judge_all(name.bytes());
            prop_assert_eq!(keys.judge(name.bytes()), thorough, "{}", name);
        }
    }
}
