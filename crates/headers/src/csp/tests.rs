use proptest::prelude::*;

use super::*;

/// Every kind of refusal, with the message that whoever wrote the policy reads.
#[test]
fn each_wrong_policy_is_refused_with_its_own_message() {
    let sha256 = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
    let ok = || Csp::new().default_src([Source::SelfOrigin]);
    let cases: Vec<(Csp, Kind, &str)> = vec![
        (Csp::new(), Kind::Empty, "the policy has no directives"),
        (
            ok().directive("scripts-src", ["'self'"]),
            Kind::UnknownDirective,
            "there is no directive \"scripts-src\"",
        ),
        (
            ok().directive("img-src;", ["'self'"]),
            Kind::UnknownDirective,
            "there is no directive \"img-src;\"",
        ),
        (
            ok().directive("block-all-mixed-content", [] as [Source; 0]),
            Kind::UnknownDirective,
            "there is no directive \"block-all-mixed-content\"",
        ),
        (
            ok().img_src(["'self'"]).img_src(["data:"]),
            Kind::DuplicateDirective,
            "img-src: named twice; browsers take the first",
        ),
        (
            Csp::new().script_src(["'self'"]),
            Kind::MissingDefaultSrc,
            "there is no default-src, so what is not named may come from everywhere; \
             if that is meant, say dangerously_without_default_src()",
        ),
        (
            ok().img_src(["https://a.example; script-src *"]),
            Kind::ForbiddenCharacter,
            "img-src: ';' is not allowed in the value \"https://a.example; script-src *\"",
        ),
        (
            ok().img_src(["https://a.example,https://b.example"]),
            Kind::ForbiddenCharacter,
            "img-src: ',' is not allowed in the value \"https://a.example,https://b.example\"",
        ),
        (
            ok().img_src(["a.example\r\nSet-Cookie: a=b"]),
            Kind::ForbiddenCharacter,
            "img-src: '\\r' is not allowed in the value \"a.example\\r\\nSet-Cookie: a=b\"",
        ),
        (
            ok().img_src(["a.example\n"]),
            Kind::ForbiddenCharacter,
            "img-src: '\\n' is not allowed in the value \"a.example\\n\"",
        ),
        (
            ok().img_src(["'self' data:"]),
            Kind::ForbiddenCharacter,
            "img-src: ' ' is not allowed in the value \"'self' data:\"",
        ),
        (
            ok().img_src(["bücher.example"]),
            Kind::ForbiddenCharacter,
            "img-src: 'ü' is not allowed in the value \"bücher.example\"",
        ),
        (
            ok().script_src(["self"]),
            Kind::UnquotedKeyword,
            "script-src: the keyword self needs its quotes: 'self'",
        ),
        (
            ok().script_src(["UNSAFE-inline"]),
            Kind::UnquotedKeyword,
            "script-src: the keyword unsafe-inline needs its quotes: 'unsafe-inline'",
        ),
        (
            ok().script_src(["nonce-abc"]),
            Kind::UnquotedKeyword,
            "script-src: the keyword nonce-abc needs its quotes: 'nonce-abc'",
        ),
        (
            ok().script_src(["sha256-abc"]),
            Kind::UnquotedKeyword,
            "script-src: the keyword sha256-abc needs its quotes: 'sha256-abc'",
        ),
        (
            ok().frame_ancestors(["none"]),
            Kind::UnquotedKeyword,
            "frame-ancestors: the keyword none needs its quotes: 'none'",
        ),
        (
            ok().script_src(["'unsafe-inlin'"]),
            Kind::UnknownKeyword,
            "script-src: there is no keyword 'unsafe-inlin'",
        ),
        (
            ok().img_src([Source::None, Source::SelfOrigin]),
            Kind::NoneWithOthers,
            "img-src: 'none' stands alone; beside others it is ignored",
        ),
        (
            ok().script_src([Source::StrictDynamic, "https:".into()]),
            Kind::StrictDynamicAlone,
            "script-src: 'strict-dynamic' trusts what a nonce or a hash has trusted first; \
             there is neither",
        ),
        (
            ok().script_src(["'nonce-c2VjcmV0'"]),
            Kind::FixedNonce,
            "script-src: 'nonce-c2VjcmV0' is the same for everybody, so it protects nobody: \
             use Source::Nonce",
        ),
        (
            ok().script_src(["'sha256-abc'"]),
            Kind::InvalidHash,
            "script-src: 'sha256-abc' is not the base64 of a digest of that length",
        ),
        (
            ok().script_src([sha256.replace("sha256", "sha512")]),
            Kind::InvalidHash,
            "script-src: 'sha512-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' is not the base64 \
             of a digest of that length",
        ),
        (
            ok().img_src(["https://a.example/?q"]),
            Kind::InvalidSource,
            "img-src: \"https://a.example/?q\" is neither a scheme (https:) nor a host",
        ),
        (
            ok().img_src(["'self"]),
            Kind::InvalidSource,
            "img-src: \"'self\" is neither a scheme (https:) nor a host",
        ),
        (ok().img_src([""]), Kind::Empty, "img-src: an empty value"),
        (
            ok().img_src([] as [Source; 0]),
            Kind::Empty,
            "img-src: it has no value; to allow nothing, say Source::None",
        ),
        (
            ok().directive("upgrade-insecure-requests", ["1"]),
            Kind::UnexpectedValue,
            "upgrade-insecure-requests: it takes no value, not \"1\"",
        ),
        (
            ok().frame_ancestors([Source::UnsafeInline]),
            Kind::UnexpectedValue,
            "frame-ancestors: it takes schemes, hosts, 'self' and 'none' only, \
             not \"'unsafe-inline'\"",
        ),
        (
            ok().sandbox(["allow-everything"]),
            Kind::UnexpectedValue,
            "sandbox: it takes the sandboxing flags of HTML only, not \"allow-everything\"",
        ),
        (
            ok().report_to("Not A Key"),
            Kind::ForbiddenCharacter,
            "report-to: ' ' is not allowed in the value \"Not A Key\"",
        ),
        (
            ok().report_to("Csp"),
            Kind::UnexpectedValue,
            "report-to: it takes one endpoint's name, not \"Csp\"",
        ),
        (
            ok().report_uri(["reports"]),
            Kind::UnexpectedValue,
            "report-uri: it takes absolute URLs and paths only, not \"reports\"",
        ),
        (
            ok().directive("require-trusted-types-for", ["'style'"]),
            Kind::UnexpectedValue,
            "require-trusted-types-for: it takes 'script' only, not \"'style'\"",
        ),
        (
            ok().trusted_types(["'unsafe-inline'"]),
            Kind::UnexpectedValue,
            "trusted-types: it takes names of policies, *, 'allow-duplicates' and 'none' only, \
             not \"'unsafe-inline'\"",
        ),
        (
            ok().trusted_types(["none"]),
            Kind::UnquotedKeyword,
            "trusted-types: the keyword none needs its quotes: 'none'",
        ),
        (
            ok().trusted_types(["app", "allow-duplicates"]),
            Kind::UnquotedKeyword,
            "trusted-types: the keyword allow-duplicates needs its quotes: 'allow-duplicates'",
        ),
        (
            ok().directive("webrtc", ["allow"]),
            Kind::UnexpectedValue,
            "webrtc: it takes 'allow' or 'block', not \"allow\"",
        ),
    ];
    for (csp, kind, message) in cases {
        let error = csp.check().expect_err(message);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), kind, "{message}");
    }
}

#[test]
fn a_right_policy_is_sent_as_it_was_said() {
    let sha256 = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
    let cases: Vec<(Csp, &str)> = vec![
        (
            Csp::new().default_src([Source::None]).upgrade_insecure_requests(),
            "default-src 'none'; upgrade-insecure-requests",
        ),
        (
            Csp::new()
                .default_src(["'SELF'", "https:", "*.example.com", "http://localhost:*"])
                .script_src([sha256, "'strict-dynamic'"]),
            "default-src 'self' https: *.example.com http://localhost:*; \
             script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'strict-dynamic'",
        ),
        (
            Csp::new()
                .default_src(["*"])
                .img_src(["https://cdn.example.com:8443/img/", "data:"])
                .frame_ancestors(["'self'", "https://portal.example"])
                .sandbox([] as [Source; 0])
                .trusted_types(["app-html", "'allow-duplicates'"])
                .require_trusted_types_for_script()
                .report_uri(["/csp"])
                .report_to("csp"),
            "default-src *; img-src https://cdn.example.com:8443/img/ data:; \
             frame-ancestors 'self' https://portal.example; sandbox; \
             trusted-types app-html 'allow-duplicates'; require-trusted-types-for 'script'; \
             report-uri /csp; report-to csp",
        ),
        (Csp::new().dangerously_without_default_src().script_src(["'self'"]), "script-src 'self'"),
    ];
    for (csp, expected) in cases {
        csp.check().unwrap();
        assert_eq!(sent(&csp), expected);
        assert_eq!(csp.to_string(), expected);
    }
}

#[test]
fn base64_hashes_are_taken_in_both_alphabets_with_or_without_padding() {
    for value in [
        "'sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU='",
        "'SHA256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'",
        "'sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb'",
        "'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=='",
    ] {
        Csp::new().default_src([value]).check().unwrap();
    }
}

#[test]
fn the_presets_policies_pass_their_own_checks() {
    for csp in [Csp::api(), Csp::web(), Csp::web_strict(), Csp::helmet8(), Csp::owasp()] {
        csp.check().unwrap();
    }
}

#[test]
fn extend_adds_and_takes_the_place_of_none() {
    let csp = Csp::new()
        .default_src([Source::None])
        .extend("default-src", ["'self'"])
        .extend("img-src", ["data:"]);
    assert_eq!(csp.to_string(), "default-src 'self'; img-src data:");
}

#[test]
fn without_the_nonce_a_policy_allows_no_more_than_with_it() {
    let hash = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
    let cases: Vec<(Vec<Source>, String)> = vec![
        (vec![Source::Nonce], "'none'".into()),
        (vec![Source::SelfOrigin, Source::Nonce], "'self'".into()),
        (vec![Source::Nonce, Source::UnsafeInline], "'none'".into()),
        (vec![Source::Nonce, Source::UnsafeInline, hash.into()], hash.into()),
        (
            vec![Source::Nonce, Source::StrictDynamic, "https:".into(), Source::UnsafeInline],
            "'none'".into(),
        ),
        (
            vec![
                Source::Nonce,
                Source::StrictDynamic,
                Source::SelfOrigin,
                "cdn.example".into(),
                Source::ReportSample,
            ],
            "'report-sample'".into(),
        ),
        (
            vec![Source::Nonce, Source::StrictDynamic, "https:".into(), hash.into()],
            format!("'strict-dynamic' https: {hash}"),
        ),
        (vec![Source::Nonce, Source::WasmUnsafeEval], "'wasm-unsafe-eval'".into()),
    ];
    for (values, expected) in cases {
        assert_eq!(sent(&Csp::new().default_src(values)), format!("default-src {expected}"));
    }
}

#[test]
fn the_nonce_goes_wherever_it_is_named() {
    let compiled = CompiledCsp::new(&Csp::web_strict(), false).unwrap();
    assert!(compiled.uses_nonce());
    let value = compiled.with_nonce("N");
    let text = value.to_str().unwrap();
    assert!(
        text.contains("script-src 'nonce-N' 'strict-dynamic' https: 'unsafe-inline';"),
        "{text}"
    );
    assert!(text.contains("style-src 'self' 'nonce-N'"), "{text}");
    assert!(!text.contains("upgrade-insecure-requests"), "{text}");
}

#[test]
fn a_policy_of_nothing_but_the_upgrade_is_not_sent_over_http() {
    let csp = Csp::new().dangerously_without_default_src().upgrade_insecure_requests();
    csp.check().unwrap();
    assert!(CompiledCsp::new(&csp, true).is_some());
    assert!(CompiledCsp::new(&csp, false).is_none());
}

proptest! {
    /// Whatever text comes in: it is refused, or it is one value of one directive of one policy
    /// of one header.
    #[test]
    fn an_accepted_value_cannot_leave_its_place(
        name in "[a-z-]{0,20}|img-src|script-src|report-uri|sandbox|trusted-types|report-to|frame-ancestors",
        value in "\\PC{0,24}|[ -~]{0,24}|['\"a-z:/*.;, \r\n\t-]{0,24}",
    ) {
        let csp = Csp::new().default_src(["'self'"]).directive(name.clone(), [value.clone()]);
        if csp.check().is_ok() {
            prop_assert!(!value.contains([';', ',', ' ', '\r', '\n', '\t']));
            let sent = sent(&csp);
            let directives: Vec<_> = sent.split("; ").collect();
            prop_assert_eq!(directives.len(), 2);
            prop_assert_eq!(directives[1].split(' ').count(), 2);
            prop_assert_eq!(directives[1].split(' ').next(), Some(&*name));
        }
    }

    /// A source list without its nonce names no source that it did not name with it, and it never
    /// becomes empty or malformed.
    #[test]
    fn the_fallback_only_takes_away(
        values in proptest::collection::vec(proptest::sample::select(vec![
            "'self'", "https:", "cdn.example", "'strict-dynamic'", "'unsafe-inline'",
            "'unsafe-eval'", "'report-sample'",
            "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
        ]), 0..6),
    ) {
        let list = values.iter().copied().map(Source::from).chain([Source::Nonce]);
        let fallback = sent(&Csp::new().default_src(list));
        let left: Vec<_> = fallback.split(' ').skip(1).collect();
        prop_assert!(!left.is_empty());
        prop_assert!(left == ["'none'"] || left.iter().all(|source| values.contains(source)));
        prop_assert!(!left.contains(&"'unsafe-inline'"));
        let strict = values.contains(&"'strict-dynamic'");
        let hash = left.iter().any(|source| source.starts_with("'sha256-"));
        prop_assert!(hash || !left.contains(&"'strict-dynamic'"));
        prop_assert!(!strict || hash || !left.contains(&"https:"));
    }
}

/// The header's value when nobody asks for a nonce.
fn sent(csp: &Csp) -> String {
    let compiled = CompiledCsp::new(csp, true).unwrap();
    compiled.without_nonce.to_str().unwrap().to_owned()
}
