//! What is printed of a request.

use buttress_redact::{Censor, Rules};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use proptest::prelude::*;

#[test]
fn values_under_sensitive_keys_are_replaced_and_the_rest_stays() {
    let rules = Rules::new();
    for (query, printed) in [
        ("", ""),
        ("page=2", "page=2"),
        ("page=2&token=abc", "page=2&token=[REDACTED]"),
        ("token=abc&page=2&token=def", "token=[REDACTED]&page=2&token=[REDACTED]"),
        ("&&a=1&&b&", "&&a=1&&b&"),
        ("token=", "token=[REDACTED]"),
        ("token", "token"),
        ("token=a=b", "token=[REDACTED]"),
        ("=x", "=x"),
        // Decoded, however.
        ("p%61ssw%6Frd=abc", "p%61ssw%6Frd=[REDACTED]"),
        ("api%5Fkey=abc&api%2Dkey=def", "api%5Fkey=[REDACTED]&api%2Dkey=[REDACTED]"),
        ("api+key=abc", "api+key=[REDACTED]"),
        ("user%5Bpassword%5D=abc", "user%5Bpassword%5D=[REDACTED]"),
        ("card[cvc]=123&card%5Bcvc%5D=123", "card[cvc]=[REDACTED]&card%5Bcvc%5D=[REDACTED]"),
        ("user[password]=abc", "user[password]=[REDACTED]"),
        // Broken encoding stays.
        ("a%=1%2&b%zz=%", "a%=1%2&b%zz=%"),
        ("tok%65n%=1", "tok%65n%=[REDACTED]"),
        // The allow list.
        ("max_tokens=5&author=ada&token_count=3", "max_tokens=5&author=ada&token_count=3"),
        ("signal=1&pinned=2&design=3", "signal=1&pinned=2&design=3"),
        // Pairs of a value's own: one parser ends a pair at a semicolon, another does not.
        ("a=1;token=abc", "a=1;token=[REDACTED]"),
        ("a=1;token=ab;b=2&c=3", "a=1;token=[REDACTED]&c=3"),
        ("token=ab;b=2&c=3", "token=[REDACTED]&c=3"),
        ("token;sig=abc", "token;sig=[REDACTED]"),
        ("a=1;b=2&page=2;sort=asc", "a=1;b=2&page=2;sort=asc"),
        ("next=https://x/?a=1#token=abc", "next=https://x/?a=1#token=[REDACTED]"),
        ("next=https%3A%2F%2Fx%2F%3Ftoken%3Dabc&b=2", "next=[REDACTED]&b=2"),
        ("next=https%3A%2F%2Fx%2F%3Fa%3D1%26p%2561ssword%3Dabc", "next=[REDACTED]"),
        ("next=%2F%3Fnext%3D%252F%253Ftoken%253Dabc", "next=[REDACTED]"),
        ("next=https%3A%2F%2Fx%2F%3Fpage%3D2", "next=https%3A%2F%2Fx%2F%3Fpage%3D2"),
        ("cursor=dG9rZW4=&x=secret=", "cursor=dG9rZW4=&x=secret="),
        // By their look, decoded or not.
        ("u=https://a:b@c", "u=https://a:[REDACTED]@c"),
        ("u=https%3A%2F%2Fa%3Ab%40c&x=%20", "u=[REDACTED]&x=%20"),
        ("c=4111+1111+1111+1111", "c=[REDACTED]"),
        ("c=4111111111111111", "c=[REDACTED]"),
        ("q=%7B%22password%22%3A%22abc%22%7D", "q=[REDACTED]"),
        ("AKIAIOSFODNN7EXAMPLE&AKIAIOSFODNN7EXAMPLE=1", "[REDACTED]&[REDACTED]=1"),
    ] {
        assert_eq!(rules.query(query).to_string(), printed, "{query}");
    }
}

#[test]
fn what_a_censor_keeps_makes_no_new_pair_and_no_new_line() {
    let rules = Rules::none().redact_key_with("q", Censor::keep_last(4)).unwrap();
    assert_eq!(rules.query("q=aaaaaaa%26b=%0A").to_string(), "q=[..%26b%3D%0A]");
    let rules = Rules::none().redact_key_with("q", Censor::remove()).unwrap();
    assert_eq!(rules.query("a=1&q=x&b=2").to_string(), "a=1&q=&b=2");
    let hash = Rules::none().redact_key_with("q", Censor::hash(&[1; 16])).unwrap();
    assert_eq!(hash.query("q=a%62").to_string(), hash.query("q=ab").to_string());
}

#[test]
fn listed_headers_are_printed_and_the_rest_by_name() {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic hunter2"));
    headers.insert("x-custom", HeaderValue::from_static("hunter2"));
    headers.append(header::VIA, HeaderValue::from_static("1.1 https://a:hunter2@proxy"));
    headers.append(header::VIA, HeaderValue::from_bytes(b"1.1 \xff").unwrap());
    let rules = Rules::new();
    let printed = rules.headers(&headers).to_string();
    assert_eq!(
        printed,
        "accept: */*, authorization, x-custom, via: 1.1 https://a:[REDACTED]@proxy, via: 1.1 \\xff"
    );
    assert_eq!(format!("{:?}", rules.headers(&headers)), format!("{{{printed}}}"));
    let shown: Vec<bool> = rules.headers(&headers).iter().map(|line| line.is_shown()).collect();
    assert_eq!(shown, [true, false, false, true, true]);
}

#[test]
fn a_sensitive_header_is_never_shown_listed_or_not() {
    let rules = Rules::new().show_headers([
        header::AUTHORIZATION,
        header::ACCEPT,
        HeaderName::from_static("x-custom"),
    ]);
    let value = HeaderValue::from_static("hunter2");
    assert!(!rules.header(&header::AUTHORIZATION, &value).is_shown());
    assert!(!rules.header(&header::USER_AGENT, &value).is_shown());
    assert_eq!(rules.header(&header::ACCEPT, &value).to_string(), "accept: hunter2");
    let mut marked = value.clone();
    marked.set_sensitive(true);
    assert_eq!(rules.header(&header::ACCEPT, &marked).to_string(), "accept");
    assert_eq!(Rules::none().header(&header::ACCEPT, &value).to_string(), "accept");
}

#[test]
fn sensitive_headers_are_marked_and_no_others() {
    let sensitive = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "x-csrf-token",
    ];
    let plain = ["accept", "content-type", "x-request-id", "host"];
    let mut headers = HeaderMap::new();
    for name in sensitive.iter().chain(&plain) {
        headers.append(*name, HeaderValue::from_static("1"));
        headers.append(*name, HeaderValue::from_static("2"));
    }
    Rules::new().mark_sensitive(&mut headers);
    for (name, value) in &headers {
        assert_eq!(value.is_sensitive(), sensitive.contains(&name.as_str()), "{name}");
    }
}

proptest! {
    #[test]
    fn a_query_keeps_its_layout(query in "[ -~]{0,60}") {
        let printed = Rules::none().query(&query).to_string();
        prop_assert_eq!(&printed, &query);
        let printed = Rules::new().query(&query).to_string();
        prop_assert_eq!(printed.matches('&').count(), query.matches('&').count());
    }

    /// However the key is encoded, and whether it stands in a value.
    #[test]
    fn a_planted_value_is_never_printed(
        before in "[a-z=%&+0-9]{0,20}",
        encoded in prop::collection::vec(any::<bool>(), 12),
        after in "[a-z=%+0-9]{0,20}",
    ) {
        let key: String = "access_token".bytes().zip(encoded).map(|(byte, encoded)| {
            if encoded { format!("%{byte:02x}") } else { char::from(byte).to_string() }
        }).collect();
        let query = format!("{before}&{key}=HUNTER2{after}&x=1");
        let printed = Rules::new().query(&query).to_string();
        prop_assert!(!printed.contains("HUNTER2"), "{}", printed);
    }
}
